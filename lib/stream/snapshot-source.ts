/**
 * The sending side of a transfer: a snapshot of a state that goes on changing, cut chunk by chunk as the
 * receiver takes them. It keeps what is not yet acknowledged, sends it again on ticks, and gives up after
 * silence, on refusal, or when more is committed meanwhile than it may keep.
 */
import type { Position } from "./entry.ts";
import type { ReplicatedState } from "./replicated-state.ts";
import type { SnapshotCut } from "./snapshot-cut.ts";
import {
  asReceiverMessage,
  chunkCrc,
  type SnapshotCancel,
  type SnapshotChunk,
  type SourceMessage,
} from "./snapshot-messages.ts";
import { DEFAULT_TRANSFER_LIMITS, type TransferLimits } from "./state-limits.ts";

export type SourceOutcome =
  | { readonly kind: "sending" }
  /** The receiver has a verified snapshot at `base`. */
  | { readonly kind: "sent"; readonly base: Position }
  | { readonly kind: "failed"; readonly reason: string };

export class SnapshotSource {
  readonly #cut: SnapshotCut;
  readonly #transfer: number;
  readonly #limits: TransferLimits;
  /** Sent and not acknowledged, by index. */
  readonly #unacknowledged = new Map<number, SnapshotChunk>();
  #nextIndex = 0;
  /** Since an acknowledgement has moved, and since anything was heard; both only while something is awaited. */
  #stuckTicks = 0;
  #silentTicks = 0;
  #outcome: SourceOutcome = { kind: "sending" };

  /** Begins a snapshot of `state` as it is; entries that `state` applies from now on are heard of by itself. */
  constructor(state: ReplicatedState, transfer: number, limits: Partial<TransferLimits> = {}) {
    this.#transfer = transfer;
    this.#limits = { ...DEFAULT_TRANSFER_LIMITS, ...limits };
    this.#cut = state.cut(this.#limits.chunkBytes, this.#limits.trailingBytes);
  }

  get outcome(): SourceOutcome {
    return this.#outcome;
  }

  /**
   * Cuts and returns the next chunk, or null while the window is full or nothing is left to cut. One short
   * slice of work.
   */
  next(): SnapshotChunk | null {
    if (this.#outcome.kind !== "sending" || this.#unacknowledged.size >= this.#limits.windowChunks) {
      return null;
    }
    const part = this.#cut.next();
    if (part === null) {
      return null;
    }
    const { kind, body } = part;
    const transfer = this.#transfer;
    const index = this.#nextIndex;
    const crc = chunkCrc(transfer, index, kind, body);
    const chunk: SnapshotChunk = { type: "snapshotChunk", transfer, index, kind, body, crc };
    if (this.#unacknowledged.size === 0) {
      this.#stuckTicks = 0;
      this.#silentTicks = 0;
    }
    this.#nextIndex += 1;
    this.#unacknowledged.set(index, chunk);
    return chunk;
  }

  /**
   * A message as it came; whatever is none of a receiver of this transfer is dropped. After an
   * acknowledgement `next` may have more.
   */
  receive(message: unknown): void {
    const heard = asReceiverMessage(message);
    if (heard === null || heard.transfer !== this.#transfer || this.#outcome.kind !== "sending") {
      return;
    }
    this.#silentTicks = 0;
    switch (heard.type) {
      case "snapshotAck":
        this.#acknowledged(heard.next);
        break;
      case "snapshotDone":
        this.#done(heard.seq);
        break;
      case "snapshotRefuse":
        this.#fail(`the receiver refuses: ${heard.reason}`);
        break;
    }
  }

  /** A tick: what to send again, or the news that it is given up. */
  tick(): SourceMessage[] {
    if (this.#outcome.kind !== "sending") {
      return [];
    }
    const { failure } = this.#cut;
    if (failure !== null) {
      return this.#giveUp(failure);
    }
    if (this.#unacknowledged.size === 0) {
      return [];
    }
    this.#silentTicks += 1;
    this.#stuckTicks += 1;
    if (this.#silentTicks >= this.#limits.silentTicks) {
      return this.#giveUp(`no word from the receiver for ${this.#silentTicks} ticks`);
    }
    if (this.#stuckTicks < this.#limits.retryTicks) {
      return [];
    }
    this.#stuckTicks = 0;
    return [...this.#unacknowledged.values()];
  }

  /** Ends it, unless it has ended; null then. No longer holds on to the state. */
  cancel(reason: string): SnapshotCancel | null {
    return this.#fail(reason) ? { type: "snapshotCancel", transfer: this.#transfer, reason } : null;
  }

  #giveUp(reason: string): SourceMessage[] {
    const cancel = this.cancel(reason);
    return cancel === null ? [] : [cancel];
  }

  /** An acknowledgement of what was never sent comes from elsewhere and counts for nothing. */
  #acknowledged(next: number): void {
    if (next > this.#nextIndex) {
      return;
    }
    for (const index of this.#unacknowledged.keys()) {
      if (index < next) {
        this.#unacknowledged.delete(index);
        this.#stuckTicks = 0;
      }
    }
  }

  #done(seq: number): void {
    const { base, over } = this.#cut;
    if (over && base !== null && base.seq === seq) {
      this.#outcome = { kind: "sent", base };
      this.#unacknowledged.clear();
    }
  }

  #fail(reason: string): boolean {
    if (this.#outcome.kind !== "sending") {
      return false;
    }
    this.#outcome = { kind: "failed", reason };
    this.#cut.abandon(reason);
    this.#unacknowledged.clear();
    return true;
  }
}
