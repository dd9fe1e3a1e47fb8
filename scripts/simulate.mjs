/**
 * `npm run simulate`: set-up, then the simulator of replicated streams (scripts/simulate/main.ts), which gets
 * the command line as it is; with --bug-bank the bug bank instead.
 */
import { runBugBank } from "./bug-bank.mjs";
import { runCompiled } from "./setup.mjs";

if (process.argv.includes("--bug-bank")) {
  await runBugBank();
} else {
  await runCompiled("scripts/simulate/main.js", { natsServer: false });
}
