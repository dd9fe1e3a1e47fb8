/** The clients of a chaos run: each asks one thing after the other, with a pause between, until it is told to end. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../lib/base/random.ts";
import type { Recorded, Recorder, Seen } from "./history.ts";
import type { Outcome, Patience, Target } from "./target.ts";
import type { Draw, Workload } from "./workload.ts";

const READERS = 32;

export interface ClientsParts {
  readonly recorder: Recorder;
  readonly workload: Workload;
  readonly random: Random;
  /** One for each client. */
  readonly targets: readonly Target[];
  /** Between two operations of a client, on the average. */
  readonly paceMs: number;
  /** With each operation. */
  readonly patience: Patience;
}

export class Clients {
  readonly #parts: ClientsParts;
  readonly #startedAt = performance.now();
  #loops: readonly Promise<void>[] = [];
  readonly #stopping = new AbortController();

  constructor(parts: ClientsParts) {
    this.#parts = parts;
  }

  begin(): void {
    this.#loops = this.#parts.targets.map((target, index) => this.#loop(`c${index}`, target));
  }

  /** No client asks anything more. */
  stop(): void {
    this.#stopping.abort();
  }

  /** The same; resolves when every operation that is open has ended. */
  async end(): Promise<void> {
    this.stop();
    await Promise.all(this.#loops);
  }

  async #loop(clientId: string, target: Target): Promise<void> {
    const { random, paceMs, workload } = this.#parts;
    const pace = random.fork(clientId);
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const draw = workload.next(clientId, performance.now() - this.#startedAt);
      await this.#ask(clientId, target, draw);
      await sleepUnless(signal, 2 * paceMs * pace.next());
    }
  }

  async #ask(clientId: string, target: Target, draw: Draw): Promise<void> {
    const { recorder, workload, patience } = this.#parts;
    const { outcome } = await ask(recorder, clientId, target, draw, patience);
    if (outcome === "ok") {
      workload.acknowledged(draw);
    }
  }
}

/** Waits so long, or until the signal comes. */
export async function sleepUnless(signal: AbortSignal, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) {
      throw error;
    }
  });
}

/** One operation, taken down. Its identity is unique within the recorder. */
export function ask(
  recorder: Recorder,
  clientId: string,
  target: Target,
  { partition, asked }: Draw,
  patience: Patience,
): Promise<Recorded> {
  const requestId = `${clientId}:${recorder.records.length}`;
  return recorder.run(clientId, partition, asked, async (): Promise<Outcome<Seen>> => {
    if (asked.kind === "read") {
      const outcome = await target.read(partition, asked.key, patience);
      return outcome.status === "ok"
        ? { status: "ok", value: { value: outcome.value, deleted: 0 } }
        : outcome;
    }
    const outcome = await target.write(requestId, partition, asked.changes, patience);
    return outcome.status === "ok" ? { status: "ok", value: { value: null, ...outcome.value } } : outcome;
  });
}

/** Reads every key of the history, when all is at rest. Throws when a key cannot be read. */
export async function readAll(
  recorder: Recorder,
  targets: readonly Target[],
  patience: Patience,
): Promise<Map<string, string | null>> {
  const final = new Map<string, string | null>();
  const keys = [...recorder.keys()].values();
  const readers = Array.from({ length: READERS }, async (_, index) => {
    const target = targets[index % targets.length];
    if (target === undefined) {
      throw new Error("there is no target to read from");
    }
    for (const [key, partition] of keys) {
      const draw: Draw = { partition, asked: { kind: "read", key } };
      const record = await ask(recorder, `final${index}`, target, draw, patience);
      if (record.outcome !== "ok") {
        throw new Error(`key ${key} could not be read at the end: ${record.why}`);
      }
      final.set(key, record.value);
    }
  });
  await Promise.all(readers);
  return final;
}
