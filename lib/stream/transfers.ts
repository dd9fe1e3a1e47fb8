/**
 * The transfers of snapshots that a replica takes part in: one source for each replica that it sends its
 * state to, one receiver. What they decide they decide by themselves (`snapshot-source.ts`,
 * `snapshot-receiver.ts`); this is who they belong to.
 */
import type { StreamDefinition } from "./definition.ts";
import type { Position } from "./entry.ts";
import type { ReplicaId } from "./replica-id.ts";
import type { ReplicatedState } from "./replicated-state.ts";
import type { ReceiverMessage, SnapshotMessage } from "./snapshot-messages.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import { SnapshotSource } from "./snapshot-source.ts";
import type { StateLimits, TransferLimits } from "./state-limits.ts";

/** What a transfer asks its replica for. */
export type TransferEffect =
  | { readonly type: "send"; readonly to: ReplicaId; readonly message: SnapshotMessage }
  /** `seq`: what the receiver now has; null when the transfer failed. */
  | { readonly type: "sent"; readonly to: ReplicaId; readonly seq: number | null }
  | { readonly type: "received"; readonly base: Position; readonly state: ReplicatedState };

/** What a replica is started with, as far as its transfers go by it. */
export interface TransferOptions {
  readonly definition: StreamDefinition<unknown, unknown>;
  readonly stateLimits?: Partial<StateLimits>;
  readonly transferLimits?: Partial<TransferLimits>;
}

export class Transfers {
  /** In the order in which they were begun. */
  readonly #sources = new Map<ReplicaId, SnapshotSource>();
  readonly #receiver: SnapshotReceiver;
  readonly #limits: Partial<TransferLimits>;
  #transfer: number;

  /** `firstTransfer`: numbers of this replica's transfers begin above it; see `firstTransferOf`. */
  constructor({ definition, stateLimits, transferLimits = {} }: TransferOptions, firstTransfer: number) {
    this.#receiver = new SnapshotReceiver(definition, stateLimits);
    this.#limits = transferLimits;
    this.#transfer = firstTransfer;
  }

  get lastTransfer(): number {
    return this.#transfer;
  }

  /** Whether this replica sends its state to anyone. */
  get sending(): boolean {
    return this.#sources.size > 0;
  }

  /** Begins to send `state` to a replica, unless that is going on. `cut` gives the chunks. */
  begin(to: ReplicaId, state: ReplicatedState): void {
    if (!this.#sources.has(to)) {
      this.#transfer += 1;
      this.#sources.set(to, new SnapshotSource(state, this.#transfer, this.#limits));
    }
  }

  /** One chunk of each transfer that has room for one; none when nothing is to be cut for now. */
  cut(): TransferEffect[] {
    const effects: TransferEffect[] = [];
    for (const [to, source] of this.#sources) {
      const message = source.next();
      if (message !== null) {
        effects.push({ type: "send", to, message });
      }
    }
    return [...effects, ...this.#ended()];
  }

  /** `message` is as it came. */
  receive(from: ReplicaId, message: { readonly type: string }): TransferEffect[] {
    if (isForSource(message)) {
      this.#sources.get(from)?.receive(message);
      return this.#ended();
    }
    return this.#received(this.#receiver.receive(from, message));
  }

  tick(): TransferEffect[] {
    const effects: TransferEffect[] = [];
    for (const [to, source] of this.#sources) {
      for (const message of source.tick()) {
        effects.push({ type: "send", to, message });
      }
    }
    return [...effects, ...this.#ended(), ...this.#received(this.#receiver.tick())];
  }

  /** The state that is being sent is no longer this replica's, or the replica is no longer the same. */
  cancelSources(reason: string): TransferEffect[] {
    const effects: TransferEffect[] = [];
    for (const [to, source] of this.#sources) {
      const message = source.cancel(reason);
      if (message !== null) {
        effects.push({ type: "send", to, message });
      }
    }
    return [...effects, ...this.#ended()];
  }

  #ended(): TransferEffect[] {
    const effects: TransferEffect[] = [];
    for (const [to, { outcome }] of this.#sources) {
      if (outcome.kind !== "sending") {
        this.#sources.delete(to);
        effects.push({ type: "sent", to, seq: outcome.kind === "sent" ? outcome.base.seq : null });
      }
    }
    return effects;
  }

  #received(effects: ReturnType<SnapshotReceiver["receive"]>): TransferEffect[] {
    const passed: TransferEffect[] = [];
    for (const effect of effects) {
      if (effect.type === "received") {
        passed.push({ type: "received", base: effect.base, state: effect.state });
      } else if (effect.type === "send") {
        passed.push(effect);
      }
    }
    return passed;
  }
}

/** Whether a message is one of a receiver; a source drops what does not concern its transfer. */
function isForSource(message: { readonly type: string }): message is ReceiverMessage {
  const fields: Readonly<Record<string, unknown>> = { ...message };
  const isNumber = (name: string): boolean => Number.isSafeInteger(fields[name]);
  switch (message.type) {
    case "snapshotAck":
      return isNumber("transfer") && isNumber("next");
    case "snapshotDone":
      return isNumber("transfer") && isNumber("seq");
    case "snapshotRefuse":
      return isNumber("transfer");
    default:
      return false;
  }
}
