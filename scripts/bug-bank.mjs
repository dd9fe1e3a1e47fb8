/**
 * `npm run simulate -- --bug-bank`: set-up, then the bug bank (spec/bugs/main.ts), which gets the command line
 * as it is. It runs from the sources: they are what the bugs are planted into.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { ROOT } from "./lib/terminal.mjs";
import { ensureDependencies, runScript } from "./setup.mjs";

export async function runBugBank() {
  await runScript(async () => {
    await ensureDependencies();
    const args = ["--import", "tsx", "spec/bugs/main.ts", ...process.argv.slice(2)];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: "inherit" });
    const [code] = await once(child, "close");
    process.exitCode = typeof code === "number" ? code : 1;
  });
}
