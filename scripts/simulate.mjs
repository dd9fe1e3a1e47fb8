/**
 * `npm run simulate`: set-up, then the simulator of replicated streams (scripts/simulate/main.ts), which gets
 * the command line as it is.
 */
import { runCompiled } from "./setup.mjs";

await runCompiled("scripts/simulate/main.js", { natsServer: false });
