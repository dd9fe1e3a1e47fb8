/**
 * `npm run diagrams`: set-up, then docs/charts.md from the charts that the code runs
 * (scripts/diagrams/main.ts). spec/docs/charts.spec.ts fails while the page is out of date.
 */
import { ROOT } from "./lib/terminal.mjs";
import { runCompiled } from "./setup.mjs";

process.chdir(ROOT);
await runCompiled("scripts/diagrams/main.js");
