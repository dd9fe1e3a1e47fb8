/**
 * `npm run bench`: runs the benches that were asked for, one child process each, and prints the table, or
 * with --json the rows. Exit code 0 when it ran, whatever was met; 2 for flags that cannot be.
 */

import { messageOf } from "../../lib/base/errors.ts";
import { findNatsServer } from "../../lib/transport/nats-server.ts";
import { UsageError } from "../usage.ts";
import { beside, runInChild } from "./child.ts";
import { describeMachine } from "./machine.ts";
import { fullName, parseCommand, type RunCommand, USAGE } from "./options.ts";
import { ensurePeers } from "./peers.ts";
import { Progress } from "./progress.ts";
import { formatTable } from "./report.ts";
import { ensureServers } from "./servers.ts";
import { type Bench, SAMPLES, type Suite } from "./suite.ts";
import { SUITES } from "./suites.ts";
import { type Outcome, rowsOf } from "./verdict.ts";

async function main(args: readonly string[]): Promise<void> {
  const command = parseCommand(args, SUITES);
  if (command.command === "help") {
    process.stdout.write(`${USAGE}\n`);
  } else if (command.command === "list") {
    process.stdout.write(`${formatList()}\n`);
  } else {
    await runAll(command);
  }
}

async function runAll({ selected, rounds, short, json }: RunCommand): Promise<void> {
  const progress = new Progress(process.stderr);
  const date = new Date().toISOString();
  await ensurePeers((text) => progress.line(text)).catch((thrown: unknown) => {
    progress.line(`what is measured against could not be installed: ${messageOf(thrown)}`);
  });
  const servers = new Set(selected.flatMap(({ benches }) => benches.flatMap((bench) => bench.servers ?? [])));
  await ensureServers([...servers], (text) => progress.line(text)).catch((thrown: unknown) => {
    progress.line(messageOf(thrown));
  });
  const outcomes: Outcome[] = [];
  for (const { suite, benches } of selected) {
    for (const bench of benches) {
      outcomes.push(await runBench(suite, bench, { rounds, short }, progress));
    }
  }
  const rows = rowsOf(outcomes);
  const machine = describeMachine();
  const suite = selected.map((each) => each.suite.name).join(",");
  if (json) {
    process.stdout.write(`${JSON.stringify({ suite, machine, date, rounds, rows })}\n`);
  } else {
    process.stdout.write(`\n${suite} on ${machine}, ${date}\n\n`);
    process.stdout.write(`${formatTable(rows, process.stdout.isTTY === true && !process.env["NO_COLOR"])}\n`);
  }
}

async function runBench(
  suite: Suite,
  bench: Bench,
  asked: { readonly rounds: number; readonly short: boolean },
  progress: Progress,
): Promise<Outcome> {
  const name = fullName(suite, bench);
  const nats = bench.needsNats === true ? findNatsServer() : undefined;
  if (nats?.found === false) {
    progress.done(name, nats.why);
    return { bench, failure: nats.why };
  }
  progress.begin(name);
  try {
    const result = await runInChild(
      beside(import.meta, "./bench-child"),
      { suite: suite.name, bench: bench.name, ...asked },
      { nodeFlags: bench.nodeFlags ?? [], onProgress: (text) => progress.update(name, text) },
    );
    progress.done(name);
    return { bench, samples: SAMPLES.parse(result) };
  } catch (thrown) {
    const failure = messageOf(thrown);
    progress.done(name, failure);
    return { bench, failure };
  }
}

function formatList(): string {
  return SUITES.flatMap((suite) => [
    `${suite.name}: ${suite.help}`,
    ...suite.benches.map((bench) => `  ${fullName(suite, bench)}  ${bench.measure}`),
  ]).join("\n");
}

try {
  await main(process.argv.slice(2));
} catch (thrown) {
  if (!(thrown instanceof UsageError)) {
    throw thrown;
  }
  process.stderr.write(`${thrown.message}\n`);
  process.exitCode = 2;
}
