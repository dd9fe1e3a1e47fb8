/**
 * `npm start`: set-up, then the tour (scripts/tour/main.ts), which gets the command line as it is.
 */
import { runCompiled } from "./setup.mjs";

await runCompiled("scripts/tour/main.js");
