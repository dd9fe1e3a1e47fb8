/**
 * Appends that wait for the end of a turn of the loop, those that follow each other joined into one.
 *
 * For a writer that answers at once (`async`) only: there a caller that awaits one commit after the other makes
 * an entry of each, and a message of each would cost far more than the entry. Where answers wait for the other
 * replicas, appends leave at once.
 */
import type { Clock } from "../base/clock.ts";
import type { Append } from "./messages.ts";
import type { ReplicaId } from "./replica-id.ts";
import { isSame } from "./turn.ts";

export interface OutboxHost {
  readonly clock: Clock;
  /** Bounds of one message. */
  readonly appendEntries: number;
  readonly appendBytes: number;
  send(to: readonly ReplicaId[], append: Append): void;
}

interface Waiting {
  readonly to: readonly ReplicaId[];
  readonly append: Append;
  readonly bytes: number;
}

export class AppendOutbox {
  readonly #host: OutboxHost;
  #waiting: Waiting | null = null;
  #asked = false;

  constructor(host: OutboxHost) {
    this.#host = host;
  }

  add(to: readonly ReplicaId[], append: Append): void {
    const bytes = append.entries.reduce((sum, { payload }) => sum + payload.byteLength, 0);
    const joined = this.#joined(to, append, bytes);
    if (joined === null) {
      this.flush();
    }
    this.#waiting = joined ?? { to, append, bytes };
    if (!this.#asked) {
      this.#asked = true;
      this.#host.clock.immediate(() => {
        this.#asked = false;
        this.flush();
      });
    }
  }

  /** Sends what waits, before anything that must not overtake it. */
  flush(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting !== null) {
      this.#host.send(waiting.to, waiting.append);
    }
  }

  /** What waits and `append` in one; null when they are not of one piece or too much for one message. */
  #joined(to: readonly ReplicaId[], append: Append, bytes: number): Waiting | null {
    const waiting = this.#waiting;
    if (
      waiting === null ||
      to.length !== waiting.to.length ||
      to.some((each, index) => each !== waiting.to[index])
    ) {
      return null;
    }
    const before = waiting.append;
    const follows = before.prev.seq + before.entries.length === append.prev.seq;
    const entries = before.entries.length + append.entries.length;
    const fits = entries <= this.#host.appendEntries && waiting.bytes + bytes <= this.#host.appendBytes;
    if (!follows || !fits || !isSame(before.epoch, append.epoch)) {
      return null;
    }
    // The position before the first entry and the time of the first one, whose answer bounds a lease.
    const { prev, sentAt } = before;
    const joined = { ...append, prev, sentAt, entries: [...before.entries, ...append.entries] };
    return { to, append: joined, bytes: waiting.bytes + bytes };
  }
}
