/** Linearizable reads of a walk: what is read may not be older than what was committed when the read began. */
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { StreamEffect } from "../../../lib/stream/replica-state.ts";

export class ReadWatch {
  answered = 0;
  #begun = 0;
  /** By replica and read: the highest seq that was committed anywhere at its beginning. */
  readonly #open = new Map<string, number>();

  /** The id of a read that begins now. */
  begin(replica: ReplicaId, committedSeq: number): number {
    this.#begun += 1;
    this.#open.set(`${replica} ${this.#begun}`, committedSeq);
    return this.#begun;
  }

  /** Returns what is wrong with the answer, or null. */
  see(replica: ReplicaId, effect: StreamEffect): string | null {
    if (effect.type !== "readReady" && effect.type !== "readRefused") {
      return null;
    }
    const key = `${replica} ${effect.id}`;
    const atLeast = this.#open.get(key);
    this.#open.delete(key);
    if (effect.type === "readRefused") {
      return null;
    }
    if (atLeast === undefined) {
      return `${replica} answers read ${effect.id}, which nobody has asked or which was answered`;
    }
    this.answered += 1;
    return effect.seq >= atLeast
      ? null
      : `${replica} reads at ${effect.seq} though ${atLeast} was committed before the read began`;
  }
}
