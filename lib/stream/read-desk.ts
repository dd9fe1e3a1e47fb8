/** Answering reads: at once from the state at hand, or when a position is confirmed and applied. */
import type { From } from "../actor/from.ts";
import type { CallMessage } from "../actor/protocol.ts";
import { messageOf, SupercastError } from "../base/errors.ts";
import { hasLease } from "./leases.ts";
import { PendingReads, type Reader } from "./pending-reads.ts";
import type { ReplicaHome } from "./replica-home.ts";
import { READ_MODES, type StreamProtocol } from "./requests.ts";

type ReadMessage = Extract<CallMessage<StreamProtocol>, { readonly type: "read" }>;

export class ReadDesk {
  readonly #home: ReplicaHome;
  readonly #pending = new PendingReads();

  constructor(home: ReplicaHome) {
    this.#home = home;
  }

  get #nowMs(): number {
    return this.#home.ports.clock.now();
  }

  /** Takes a read in. True for the first quorum read of a turn: `ask` is to be called at the end of it. */
  take(message: ReadMessage, from: From<StreamProtocol>): boolean {
    const home = this.#home;
    const problem = problemOf(message);
    if (problem !== null) {
      from.fail(new SupercastError("invalid_message", problem));
      return false;
    }
    if (this.#pending.count >= home.settings.waitingReads) {
      from.reply(message, { status: "overload" });
      return false;
    }
    const { mode } = message;
    if (mode === "primary" && home.replica.role !== "open") {
      from.reply(message, { status: "redirect", primary: home.primary });
      return false;
    }
    if (mode === "local" && this.#lacksTheStream) {
      from.reply(message, { status: "unavailable" });
      return false;
    }
    const leased = home.settings.leaseMs > 0;
    if (mode === "quorum" || (mode === "primary" && leased && !hasLease(home.replica, this.#nowMs))) {
      return this.#pending.gather(this.#reader(message, from, false));
    }
    if (mode === "primary" && leased) {
      // Linearizable in every mode: nothing that may yet be lost, and everything that may have been answered.
      const reader = this.#reader(message, from, false, true);
      const answeredSeq = home.showsUncommitted ? home.replica.log.lastSeq : 0;
      this.#pending.waitFor(Math.max(reader.minSeq, answeredSeq), reader, this.#visibleSeq(false));
      return false;
    }
    const reader = this.#reader(message, from, home.showsUncommitted);
    this.#pending.waitFor(reader.minSeq, reader, this.#visibleSeq(home.showsUncommitted));
    return false;
  }

  /** The id under which the quorum reads of this turn are to be asked for. */
  ask(): number {
    const id = this.#home.nextReadId();
    this.#pending.take(id);
    return id;
  }

  ready(id: number, seq: number): void {
    this.#pending.ready(id, seq, this.#home.replicated.appliedSeq);
  }

  refused(id: number): void {
    this.#pending.refused(id);
  }

  applied(seq: number): void {
    this.#pending.applied(seq);
  }

  tick(): void {
    this.#pending.tick(this.#nowMs);
  }

  /**
   * Whether nothing of the stream has come here yet: an empty state would be passed off as the stream's. A
   * founder's state is empty by right until the first epoch opens.
   */
  get #lacksTheStream(): boolean {
    const { activated } = this.#home.replica.hard;
    const begun = activated === null || activated.epoch.counter > 0;
    return begun && this.#home.replicated.appliedSeq === 0;
  }

  #visibleSeq(uncommitted: boolean): number {
    return uncommitted ? this.#home.replica.log.lastSeq : this.#home.replicated.appliedSeq;
  }

  #reader(message: ReadMessage, from: From<StreamProtocol>, uncommitted: boolean, leased = false): Reader {
    return {
      minSeq: message.minSeq ?? 0,
      deadlineAt: this.#nowMs + this.#home.settings.readTimeoutMs,
      done: (reached) => {
        if (reached) {
          this.#answer(message, from, uncommitted && this.#home.showsUncommitted, leased);
        } else {
          from.reply(message, { status: "unavailable" });
        }
      },
    };
  }

  #answer(message: ReadMessage, from: From<StreamProtocol>, uncommitted: boolean, leased: boolean): void {
    const home = this.#home;
    try {
      const value = home.replicated.query(message.query, uncommitted);
      if (leased && !hasLease(home.replica, this.#nowMs)) {
        from.reply(message, { status: "unavailable" });
      } else {
        from.reply(message, { status: "ok", value, seq: this.#visibleSeq(uncommitted) });
      }
    } catch (thrown) {
      from.fail(
        thrown instanceof SupercastError
          ? thrown
          : new SupercastError("invalid_message", `query: ${messageOf(thrown)}`, { cause: thrown }),
      );
    }
  }
}

function problemOf({ mode, minSeq }: ReadMessage): string | null {
  if (!READ_MODES.includes(mode)) {
    return `mode: must be one of ${READ_MODES.join(", ")}`;
  }
  if (minSeq !== undefined && (!Number.isSafeInteger(minSeq) || minSeq < 0)) {
    return "minSeq: must be an integer from 0";
  }
  return null;
}
