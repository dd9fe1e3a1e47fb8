#!/usr/bin/env node
/** The command line, `supercast`: runs one command and ends with its exit code. */
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE, reportFailure } from "./failure.ts";
import { makeProgram } from "./program.ts";

/** Runs one command line and returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  // `supercast nodes | head -1` ends standard output early; that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? EXIT_OK : EXIT_FAILED);
  });
  const program = makeProgram();
  if (args.length === 0) {
    program.outputHelp({ error: true });
    return EXIT_USAGE;
  }
  try {
    await program.parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? EXIT_OK);
  } catch (thrown) {
    const command = args.find((each) => !each.startsWith("-")) ?? "";
    return reportFailure(thrown, { json: args.includes("--json"), command });
  }
}

process.exitCode = await main(process.argv.slice(2));
