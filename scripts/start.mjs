/**
 * `npm start`: set-up, then the tour (scripts/tour/main.ts), which gets the command line as it is.
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
  await import(new URL("../dist/scripts/tour/main.js", import.meta.url).href);
});
