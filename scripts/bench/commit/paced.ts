/** Writes that begin at a fixed rate, whatever becomes of those before them. */
import { SupercastError } from "../../../lib/base/errors.ts";
import { next, sharedNowMs } from "./load.ts";

const TICK_MS = 5;

interface Success {
  readonly begunMs: number;
  readonly endedMs: number;
}

export class Paced {
  readonly #write: (n: number) => Promise<unknown>;
  readonly #timer: NodeJS.Timeout;
  readonly #startMs = performance.now();
  readonly #perSecond: number;
  readonly #failed: Record<string, number> = {};
  readonly #waiting: { readonly afterMs: number; readonly resolve: (endedMs: number) => void }[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #begun = 0;

  constructor(perSecond: number, write: (n: number) => Promise<unknown>) {
    this.#perSecond = perSecond;
    this.#write = write;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Begins no more, and resolves when all that began have their answer. */
  async end(): Promise<{ readonly begun: number; readonly failed: Record<string, number> }> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
    return { begun: this.#begun, failed: this.#failed };
  }

  /** When the first write ended well that began after `afterMs`, on the clock that processes share. */
  firstAfter(afterMs: number): Promise<number> {
    return new Promise((resolve) => this.#waiting.push({ afterMs, resolve }));
  }

  #tick(): void {
    const due = ((performance.now() - this.#startMs) / 1000) * this.#perSecond;
    while (this.#begun < due) {
      this.#begun += 1;
      const begunMs = sharedNowMs();
      const ended = this.#write(next())
        .then(
          () => this.#succeeded({ begunMs, endedMs: sharedNowMs() }),
          (thrown: unknown) => {
            const code = thrown instanceof SupercastError ? thrown.code : "other";
            this.#failed[code] = (this.#failed[code] ?? 0) + 1;
          },
        )
        .finally(() => this.#underWay.delete(ended));
      this.#underWay.add(ended);
    }
  }

  #succeeded({ begunMs, endedMs }: Success): void {
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      const waiting = this.#waiting[at];
      if (waiting !== undefined && waiting.afterMs < begunMs) {
        waiting.resolve(endedMs);
        this.#waiting.splice(at, 1);
      }
    }
  }
}
