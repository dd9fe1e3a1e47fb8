/**
 * `npm run explore`: set-up, then the small-scope exploration of replicated streams (scripts/explore/main.ts),
 * which gets the command line as it is.
 *
 * It runs from the build: what transpiles on the fly costs it a quarter of its speed.
 */
import { runCompiled } from "./setup.mjs";

await runCompiled("scripts/explore/main.js", { natsServer: false });
