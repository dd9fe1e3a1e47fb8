/**
 * Who has ever held which entry as durably as the stream promises, by what memories and disks really held. A
 * writer may commit only what a write quorum of its members has held.
 */
import type { Configuration } from "../../../lib/stream/configuration.ts";
import { hasQuorum } from "../../../lib/stream/configuration.ts";
import type { Log } from "../../../lib/stream/log.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";

export class Holdings {
  /** By seq and chain. */
  readonly #holders = new Map<string, Set<ReplicaId>>();
  /** The log of each replica as it was last seen. */
  readonly #seen = new Map<ReplicaId, Log>();
  /** Everything up to there came by a snapshot of committed state. */
  readonly #installed = new Map<ReplicaId, number>();

  hold(replica: ReplicaId, log: Log): void {
    const before = this.#seen.get(replica);
    if (before === log) {
      return;
    }
    this.#seen.set(replica, log);
    if ((before?.position(log.base.seq) ?? null) === null) {
      this.#installed.set(replica, Math.max(this.#installed.get(replica) ?? 0, log.base.seq));
    }
    for (let seq = log.lastSeq; seq > log.base.seq; seq--) {
      const entry = log.entry(seq);
      if (entry === null || before?.entry(seq) === entry) {
        break;
      }
      const key = `${seq} ${entry.chain}`;
      const holders = this.#holders.get(key) ?? new Set();
      this.#holders.set(key, holders.add(replica));
    }
  }

  /** Whether a write quorum of `configuration` has held the entry. */
  isHeld(seq: number, chain: string, configuration: Configuration): boolean {
    const holders = this.#holders.get(`${seq} ${chain}`);
    return hasQuorum(
      configuration,
      configuration.writeQuorum,
      (member) => holders?.has(member) === true || (this.#installed.get(member) ?? 0) >= seq,
    );
  }
}
