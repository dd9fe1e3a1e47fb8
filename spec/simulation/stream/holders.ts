/**
 * Who has held which entry, and who has lost it in a crash. For `sync` on disk, where an answer leaves when a
 * write quorum holds the entry in memory: it may be lost only with the memory of those who held it.
 */
import type { Epoch } from "../../../lib/journal/epoch.ts";
import type { Configuration } from "../../../lib/stream/configuration.ts";
import type { Log } from "../../../lib/stream/log.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import { epochKey } from "./world.ts";

export class Holders {
  /** By entry. */
  readonly #held = new Map<string, Set<ReplicaId>>();
  readonly #lost = new Map<string, Set<ReplicaId>>();

  hold(replica: ReplicaId, seq: number, epoch: Epoch): void {
    note(this.#held, seq, epochKey(epoch), replica);
  }

  /** A replica whose log was `before` has come back with `after`; null: it never will. */
  returned(replica: ReplicaId, before: Log, after: Log | null): void {
    for (let seq = before.lastSeq; seq > Math.max(before.base.seq, after?.lastSeq ?? 0); seq--) {
      const entry = before.entry(seq);
      if (entry !== null) {
        note(this.#lost, seq, epochKey(entry.epoch), replica);
      }
    }
  }

  /** How many members have held the entry. `epoch`: its key. */
  heldBy(seq: number, epoch: string, { members }: Configuration): number {
    const held = this.#held.get(`${seq} ${epoch}`);
    return members.filter((member) => held?.has(member) === true).length;
  }

  /** How many of those have not lost it in a crash since. */
  keptBy(seq: number, epoch: string, { members }: Configuration): number {
    const held = this.#held.get(`${seq} ${epoch}`);
    const lost = this.#lost.get(`${seq} ${epoch}`);
    return members.filter((member) => held?.has(member) === true && lost?.has(member) !== true).length;
  }
}

function note(map: Map<string, Set<ReplicaId>>, seq: number, epoch: string, replica: ReplicaId): void {
  const key = `${seq} ${epoch}`;
  const known = map.get(key) ?? new Set();
  map.set(key, known.add(replica));
}
