/**
 * `npm run bench`: set-up, then the benchmarks (scripts/bench/main.ts), which get the command line as it is.
 *
 * They run from the build, because what transpiles on the fly adds calls of its own to the code it measures.
 */
import { ensureBuilt, ensureDependencies, ensureNatsServer, runScript, SetupError } from "./setup.mjs";

await runScript(async () => {
  await ensureDependencies();
  const build = await ensureBuilt();
  if (!build.ok) {
    throw new SetupError(`the build failed:\n${build.output.trim()}`);
  }
  const natsServer = await ensureNatsServer();
  if (natsServer.path === undefined) {
    process.stderr.write(`No nats-server: ${natsServer.why}.\n`);
  } else {
    process.env["NATS_SERVER"] = natsServer.path;
  }
  await import(new URL("../dist/scripts/bench/main.js", import.meta.url).href);
});
