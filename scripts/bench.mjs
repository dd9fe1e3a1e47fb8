/**
 * `npm run bench`: set-up, then the benchmarks (scripts/bench/main.ts), which get the command line as it is.
 *
 * They run from the build, because what transpiles on the fly adds calls of its own to the code it measures.
 */
import { runCompiled } from "./setup.mjs";

await runCompiled("scripts/bench/main.js");
