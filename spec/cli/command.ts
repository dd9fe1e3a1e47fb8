/** Runs the command line as a person does: the compiled program, in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { ensureBuilt } from "../../scripts/setup.mjs";
import { eventually } from "../support/eventually.ts";

const ROOT = join(import.meta.dirname, "../..");
export const CLI = join(ROOT, "dist/lib/cli/main.js");
export const TOUR = join(ROOT, "dist/scripts/tour/main.js");

/** Variables that would change what is tested. */
const FOREIGN = /^(SUPERCAST_|NATS_URL$|NO_COLOR$|FORCE_COLOR$)/;

export type Variables = Readonly<Record<string, string>>;

/** Compiles what has changed; for `before` hooks. */
export async function build(): Promise<void> {
  await ensureBuilt();
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command. */
export class Command {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly ended: Promise<Ended>;

  constructor(script: string, args: readonly string[], variables: Variables = {}) {
    const own = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
    this.child = spawn(process.execPath, [script, ...args], {
      cwd: ROOT,
      env: { ...Object.fromEntries(own), ...variables },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.ended = once(this.child, "close").then(() => ({
      code: this.child.exitCode,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  /** Resolves when what was printed matches; fails with everything printed. */
  async prints(pattern: RegExp, deadlineMs: number = 9_000): Promise<void> {
    try {
      const printed = (): boolean => pattern.test(this.stdout) || pattern.test(this.stderr);
      await eventually(String(pattern), printed, deadlineMs);
    } catch (error) {
      throw new Error(`${String(error)}\n${this.stdout}\n${this.stderr}`);
    }
  }

  /** Asks it to end as Ctrl-C does, or otherwise, and waits until it has. */
  async end(signal: NodeJS.Signals = "SIGINT"): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }
}

export function startCli(args: readonly string[], variables?: Variables): Command {
  return new Command(CLI, args, variables);
}

export function runCli(args: readonly string[], variables?: Variables): Promise<Ended> {
  return startCli(args, variables).ended;
}

/** Whether a process is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
