/**
 * A node in a process of its own, for `up` and the tour.
 *
 * Promises: it ends with this process, however this process ends; a Ctrl-C at the terminal reaches this
 * process alone, which then ends its nodes in good order.
 */
import { type ChildProcess, spawn } from "node:child_process";

const STOP_DEADLINE_MS = 15_000;

export interface NodeProcessOptions {
  readonly name: string;
  /** The script that runs the node and its arguments; it must give `runNode` the option `tied`. */
  readonly script: string;
  readonly args: readonly string[];
  /** Credentials and the like, which have no place on a command line. */
  readonly env?: NodeJS.ProcessEnv;
  /** Called when the process ends and nobody here asked for it. */
  readonly onUnexpectedEnd: (how: string) => void;
}

export class NodeProcess {
  readonly name: string;
  readonly pid: number;
  /** Resolves, with how it ended, when the process is gone. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  #asked = false;
  #alive = true;

  /** Throws when no process can be started at all. */
  constructor({ name, script, args, env = {}, onUnexpectedEnd }: NodeProcessOptions) {
    this.name = name;
    // A group of its own: the terminal's Ctrl-C goes to the foreground group.
    this.#child = spawn(process.execPath, [...process.execArgv, script, ...args], {
      detached: true,
      env: { ...process.env, ...env },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    if (this.#child.pid === undefined) {
      throw new Error(`the process of node ${name} could not be started`);
    }
    this.pid = this.#child.pid;
    this.ended = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => {
        this.#alive = false;
        const how = signal === null ? `exit code ${code}` : signal;
        resolve(how);
        if (!this.#asked) {
          onUnexpectedEnd(how);
        }
      });
    });
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Ends it in good order, after a while by force; settles when it is gone. Harmless when repeated. */
  async stop(): Promise<void> {
    this.#asked = true;
    this.#child.kill("SIGTERM");
    const patience = setTimeout(() => this.#child.kill("SIGKILL"), STOP_DEADLINE_MS);
    await this.ended;
    clearTimeout(patience);
  }

  /** As a crash of the machine would: SIGKILL. Not reported as unexpected. */
  async kill(): Promise<void> {
    this.#asked = true;
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}
