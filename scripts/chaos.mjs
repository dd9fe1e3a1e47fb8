/**
 * `npm run chaos`: set-up, then real processes under faults (scripts/chaos/main.ts), which get the command line
 * as it is. The nodes run from the build, as those of users do.
 */
import { runCompiled } from "./setup.mjs";

await runCompiled("scripts/chaos/main.js");
