/**
 * The receiving side of transfers: one at a time, staged into a state of its own beside the one in use.
 *
 * Chunks may be lost, damaged, repeated or late: a damaged one counts as lost, one that comes too early
 * waits for its turn within the window, one that was here before is acknowledged again. Every transfer is
 * told by its sender and its number; what comes for one that has ended gets the same answer again.
 */
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { StreamDefinition } from "./definition.ts";
import type { Position } from "./entry.ts";
import type { ReplicaId } from "./replica-id.ts";
import { ReplicatedState } from "./replicated-state.ts";
import {
  asSourceMessage,
  chunkCrc,
  isLater,
  type ReceiverMessage,
  type SnapshotChunk,
} from "./snapshot-messages.ts";
import { SnapshotStage } from "./snapshot-stage.ts";
import { DEFAULT_TRANSFER_LIMITS, type StateLimits, type TransferLimits } from "./state-limits.ts";

/** What a step of the receiver asks for. */
export type ReceiverEffect =
  | { readonly type: "send"; readonly to: ReplicaId; readonly message: ReceiverMessage }
  /** A whole and verified snapshot: `state` may take the place of the applied state. */
  | {
      readonly type: "received";
      readonly from: ReplicaId;
      readonly base: Position;
      readonly state: ReplicatedState;
    }
  /** A transfer has ended without a snapshot. */
  | { readonly type: "failed"; readonly from: ReplicaId; readonly reason: string };

/** Senders of whom the last transfer is remembered; a forgotten one's late chunk begins what silence ends. */
const REMEMBERED_SENDERS = 64;

interface Transfer {
  readonly from: ReplicaId;
  readonly transfer: number;
  readonly stage: SnapshotStage;
  /** Chunks before their turn, by index. */
  readonly early: Map<number, SnapshotChunk>;
  /** All chunks below are staged. */
  next: number;
  stagedBytes: number;
  silentTicks: number;
}

/** The last transfer of a sender that has ended, and what its chunks are answered. */
interface Ended {
  readonly transfer: number;
  readonly answer: ReceiverMessage;
}

/** One for the life of a replica. */
export class SnapshotReceiver {
  readonly #definition: StreamDefinition<unknown, unknown>;
  readonly #stateLimits: Partial<StateLimits>;
  readonly #limits: TransferLimits;
  readonly #ended = new Map<ReplicaId, Ended>();
  #current: Transfer | null = null;

  constructor(
    definition: StreamDefinition<unknown, unknown>,
    stateLimits: Partial<StateLimits> = {},
    limits: Partial<TransferLimits> = {},
  ) {
    this.#definition = definition;
    this.#stateLimits = stateLimits;
    this.#limits = { ...DEFAULT_TRANSFER_LIMITS, ...limits };
  }

  /** Whose transfer is being taken, or null. */
  get from(): ReplicaId | null {
    return this.#current?.from ?? null;
  }

  /** `message` is as it came: whatever is no message of a source is dropped. */
  receive(from: ReplicaId, message: unknown): ReceiverEffect[] {
    const heard = asSourceMessage(message);
    if (heard === null) {
      return [];
    }
    if (heard.type === "snapshotCancel") {
      const current = this.#current;
      const concerned = current !== null && current.from === from && current.transfer === heard.transfer;
      return concerned ? this.cancel(`the source gives up: ${heard.reason}`) : [];
    }
    const { transfer, index, kind, body, crc } = heard;
    return chunkCrc(transfer, index, kind, body) === crc ? this.#onChunk(from, heard) : [];
  }

  /** Counts the silence of the source. */
  tick(): ReceiverEffect[] {
    const current = this.#current;
    if (current === null) {
      return [];
    }
    current.silentTicks += 1;
    return current.silentTicks >= this.#limits.silentTicks
      ? this.cancel(`no word from the source for ${current.silentTicks} ticks`)
      : [];
  }

  /** Gives up the transfer that is being taken, if any. */
  cancel(reason: string): ReceiverEffect[] {
    const current = this.#current;
    if (current === null) {
      return [];
    }
    const { from, transfer } = current;
    const message: ReceiverMessage = { type: "snapshotRefuse", transfer, reason };
    this.#finish(current, message);
    return [
      { type: "send", to: from, message },
      { type: "failed", from, reason },
    ];
  }

  #onChunk(from: ReplicaId, chunk: SnapshotChunk): ReceiverEffect[] {
    const { transfer } = chunk;
    const ended = this.#ended.get(from);
    if (ended !== undefined && !isLater(transfer, ended.transfer)) {
      return transfer === ended.transfer ? [{ type: "send", to: from, message: ended.answer }] : [];
    }
    const current = this.#current;
    if (current === null) {
      return this.#take(this.#begin(from, transfer), chunk);
    }
    if (current.from !== from) {
      const reason = "a transfer of another replica is on its way";
      return [{ type: "send", to: from, message: { type: "snapshotRefuse", transfer, reason } }];
    }
    if (isLater(transfer, current.transfer)) {
      return [...this.cancel("the source has begun anew"), ...this.#take(this.#begin(from, transfer), chunk)];
    }
    return transfer === current.transfer ? this.#take(current, chunk) : [];
  }

  #begin(from: ReplicaId, transfer: number): Transfer {
    const stage = new SnapshotStage();
    const current: Transfer = {
      from,
      transfer,
      stage,
      early: new Map(),
      next: 0,
      stagedBytes: 0,
      silentTicks: 0,
    };
    this.#current = current;
    return current;
  }

  #take(current: Transfer, chunk: SnapshotChunk): ReceiverEffect[] {
    const { chunkBytesMax, windowChunks } = this.#limits;
    current.silentTicks = 0;
    if (chunk.body.length > chunkBytesMax) {
      return this.cancel(`a chunk of ${chunk.body.length} bytes; allowed: ${chunkBytesMax}`);
    }
    if (chunk.index >= current.next && chunk.index < current.next + windowChunks) {
      current.early.set(chunk.index, chunk);
    }
    try {
      this.#stage(current);
    } catch (error) {
      if (error instanceof SupercastError) {
        return this.cancel(error.message);
      }
      throw error;
    }
    const { from, transfer, next } = current;
    return current.stage.content === null
      ? [{ type: "send", to: from, message: { type: "snapshotAck", transfer, next } }]
      : this.#received(current);
  }

  /** Stages whatever has its turn. */
  #stage(current: Transfer): void {
    const { stagedBytes } = this.#limits;
    for (
      let chunk = current.early.get(current.next);
      chunk !== undefined;
      chunk = current.early.get(current.next)
    ) {
      current.early.delete(current.next);
      current.next += 1;
      current.stagedBytes += chunk.body.length;
      if (current.stagedBytes > stagedBytes) {
        throw new SupercastError("payload_too_large", `the snapshot exceeds ${stagedBytes} bytes`);
      }
      current.stage.take(chunk);
    }
  }

  #received(current: Transfer): ReceiverEffect[] {
    const { from, transfer, stage } = current;
    const { content } = stage;
    invariant(content !== null, "a snapshot is received when it is whole");
    const base = content.position;
    const message: ReceiverMessage = { type: "snapshotDone", transfer, seq: base.seq };
    this.#finish(current, message);
    const state = new ReplicatedState(this.#definition, this.#stateLimits, content);
    return [
      { type: "received", from, base, state },
      { type: "send", to: from, message },
    ];
  }

  #finish({ from, transfer }: Transfer, answer: ReceiverMessage): void {
    this.#current = null;
    this.#ended.delete(from);
    this.#ended.set(from, { transfer, answer });
    for (const sender of this.#ended.keys()) {
      if (this.#ended.size <= REMEMBERED_SENDERS) {
        break;
      }
      this.#ended.delete(sender);
    }
  }
}
