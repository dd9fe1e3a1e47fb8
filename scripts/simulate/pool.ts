/**
 * Seeds on several processes: each child takes one seed at a time, so that a slow one holds up nobody.
 *
 * A child that ends by itself, or takes longer with one seed than `SEED_LIMIT_MS` of real time, fails that
 * seed and is replaced. Children end with their parent, whichever way it ends.
 */
import { type ChildProcess, fork } from "node:child_process";
import type { SeedResult } from "../../spec/simulation/stream/result.ts";
import { beside, endChild } from "../bench/child.ts";

/** Far above what a seed takes; a run that does not end must not hold up the rest for ever. */
const SEED_LIMIT_MS = 120_000;
/** A seed is a second of code that is wide and shallow: compiled early, and with room for what is soon garbage. */
const NODE_FLAGS = ["--always-sparkplug", "--max-semi-space-size=64"];
const ERRORS_KEPT_CHARACTERS = 4_000;

/** What a child is asked: a seed, and whether to run it twice. */
export interface SeedJob {
  readonly seed: number;
  readonly twice: boolean;
}

export type SeedOutcome =
  | { readonly seed: number; readonly result: SeedResult }
  /** The run itself broke down: a bug of the simulator, or something that nobody caught. */
  | { readonly seed: number; readonly broken: string };

/** Runs all jobs on `processes` children; `onOutcome` is called as they end, in no particular order. */
export async function runPool(
  jobs: Iterable<SeedJob>,
  processes: number,
  onOutcome: (outcome: SeedOutcome) => void,
): Promise<void> {
  const queue = jobs[Symbol.iterator]();
  await Promise.all(Array.from({ length: processes }, () => serve(queue, onOutcome)));
}

async function serve(queue: Iterator<SeedJob>, onOutcome: (outcome: SeedOutcome) => void): Promise<void> {
  let worker: Worker | undefined;
  try {
    for (let next = queue.next(); next.done !== true; next = queue.next()) {
      worker ??= new Worker();
      const outcome = await worker.run(next.value);
      onOutcome(outcome);
      if ("broken" in outcome) {
        await worker.end();
        worker = undefined;
      }
    }
  } finally {
    await worker?.end();
  }
}

class Worker {
  readonly #child: ChildProcess;
  #errors = "";

  constructor() {
    this.#child = fork(beside(import.meta, "./worker"), [], {
      execArgv: [...process.execArgv, ...NODE_FLAGS],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-ERRORS_KEPT_CHARACTERS);
    });
  }

  run(job: SeedJob): Promise<SeedOutcome> {
    const { seed } = job;
    return new Promise((resolve) => {
      const settle = (outcome: SeedOutcome): void => {
        clearTimeout(timer);
        this.#child.removeAllListeners("message").removeAllListeners("close");
        resolve(outcome);
      };
      const fail = (why: string): void => settle({ seed, broken: `${why} ${this.#errors.trim()}`.trim() });
      const timer = setTimeout(() => fail(`it did not end within ${SEED_LIMIT_MS / 1_000} s`), SEED_LIMIT_MS);
      this.#child.on("message", (message) => {
        if (isOutcome(message)) {
          settle(message);
        } else {
          fail("the process answered something else");
        }
      });
      this.#child.on("close", (code, signal) => fail(`the process ended with ${signal ?? `code ${code}`}`));
      this.#child.send(job, (error) => {
        if (error !== null) {
          fail(`the process takes no seeds: ${error.message}`);
        }
      });
    });
  }

  end(): Promise<void> {
    return endChild(this.#child);
  }
}

function isOutcome(message: unknown): message is SeedOutcome {
  return (
    typeof message === "object" &&
    message !== null &&
    "seed" in message &&
    ("result" in message || "broken" in message)
  );
}
