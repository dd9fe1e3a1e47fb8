/**
 * Renames replicas in states and messages. Epochs name their owners, configurations their members, barriers
 * carry configurations, and chains are hashed from all of it: the chains of the renamed history are computed
 * anew, entry by entry, from a book of all entries there have been.
 */
import { EPOCH_ZERO, type Epoch } from "../../lib/journal/epoch.ts";
import type { Configuration, Proposed } from "../../lib/stream/configuration.ts";
import {
  chained,
  type Entry,
  KIND_BARRIER,
  ORIGIN,
  type Position,
  type WireEntry,
} from "../../lib/stream/entry.ts";
import { Log } from "../../lib/stream/log.ts";
import type { Message } from "../../lib/stream/messages.ts";
import { ownerOf, type ReplicaId } from "../../lib/stream/replica-id.ts";
import type { Claim, ReplicaState, Sealed, Writer } from "../../lib/stream/replica-state.ts";
import { found, idOf, ownerAt, permutation, slotOf, slotOfOwner } from "./names.ts";
import { bySlot } from "./normal.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Every entry there has been, under its chain, with the chain before it. */
export class EntryBook {
  readonly #entries = new Map<string, { readonly entry: Entry; readonly before: string }>();

  addLog(log: Log): void {
    let before = ORIGIN.chain;
    for (const entry of log.slice(1, log.lastSeq)) {
      if (!this.#entries.has(entry.chain)) {
        this.#entries.set(entry.chain, { entry, before });
      }
      before = entry.chain;
    }
  }

  /** The history that ends in `chain`, first entry first. */
  pathTo(chain: string): Entry[] {
    const path: Entry[] = [];
    for (let at = chain; at !== ORIGIN.chain; ) {
      const { entry, before } = found(this.#entries.get(at), `entry with chain ${at}`);
      path.push(entry);
      at = before;
    }
    return path.reverse();
  }
}

/** One permutation of the names. */
export class Renaming {
  readonly #book: EntryBook;
  readonly #map: readonly number[];
  readonly #logs = new Map<string, Log>();

  constructor(book: EntryBook, number: number) {
    this.#book = book;
    this.#map = permutation(number);
  }

  id(id: ReplicaId): ReplicaId {
    return idOf(this.#slot(slotOf(id)));
  }

  epoch({ counter, owner }: Epoch): Epoch {
    return counter === 0 ? EPOCH_ZERO : { counter, owner: ownerAt(this.#slot(slotOfOwner(owner))) };
  }

  /** The log whose history is the renamed one of the history that ends in `chain`. */
  log(chain: string): Log {
    let log = this.#logs.get(chain);
    if (log === undefined) {
      const wire = this.#entries(this.#book.pathTo(chain));
      log = Log.empty().append(chained(ORIGIN.chain, wire));
      this.#book.addLog(log);
      this.#logs.set(chain, log);
    }
    return log;
  }

  position({ seq, epoch, chain }: Position): Position {
    return seq === 0 ? ORIGIN : { seq, epoch: this.epoch(epoch), chain: this.log(chain).last.chain };
  }

  state(state: ReplicaState): ReplicaState {
    const { hard, primary, preseal, claim, writer } = state;
    const self = this.id(state.self);
    return {
      ...state,
      self,
      owner: ownerOf(self),
      hard: {
        promise: this.epoch(hard.promise),
        activated: this.#activated(hard.activated),
        successors: hard.successors.map((each) => this.#proposed(each)),
      },
      primary: primary === null ? null : this.id(primary),
      log: this.log(state.log.last.chain),
      preseal:
        preseal === null
          ? null
          : {
              ...preseal,
              ...this.#proposed(preseal),
              yes: preseal.yes.map((id) => this.id(id)),
            },
      claim: claim === null ? null : this.#claim(claim),
      writer: writer === null ? null : this.#writer(writer),
    };
  }

  message(message: Message): Message {
    switch (message.type) {
      case "preseal":
        return { ...message, ...this.#proposed(message), base: this.epoch(message.base) };
      case "seal":
        return { ...message, ...this.#proposed(message) };
      case "presealOk":
      case "ack":
        return { ...message, epoch: this.epoch(message.epoch) };
      case "presealNo":
      case "sealNo": {
        const activated = this.#activated(message.activated);
        return {
          ...message,
          epoch: this.epoch(message.epoch),
          promise: this.epoch(message.promise),
          activated,
        };
      }
      case "sealOk":
        return {
          ...message,
          epoch: this.epoch(message.epoch),
          last: this.position(message.last),
          activated: this.#activated(message.activated),
          successors: message.successors.map((each) => this.#proposed(each)),
        };
      case "fetch":
        return { ...message, epoch: this.epoch(message.epoch), last: this.position(message.last) };
      case "append":
      case "entries": {
        const prev = this.position(message.prev);
        return {
          ...message,
          epoch: this.epoch(message.epoch),
          prev,
          entries: this.#entries(message.entries),
        };
      }
      case "heartbeat":
        return { ...message, epoch: this.epoch(message.epoch), tail: this.position(message.tail) };
      case "nack":
        return { ...message, epoch: this.epoch(message.epoch), promise: this.epoch(message.promise) };
      case "activate":
        return { ...message, activated: this.#proposed(message.activated) };
      default:
        throw new Error(`an exploration knows no ${message.type}`);
    }
  }

  #slot(slot: number): number {
    return found(this.#map[slot], "such slot");
  }

  #configuration(configuration: Configuration): Configuration {
    return { ...configuration, members: bySlot(configuration.members.map((id) => this.id(id))) };
  }

  #proposed({ epoch, configuration }: Proposed): Proposed {
    return { epoch: this.epoch(epoch), configuration: this.#configuration(configuration) };
  }

  #activated(activated: Proposed | null): Proposed | null {
    return activated === null ? null : this.#proposed(activated);
  }

  #entries(entries: readonly WireEntry[]): WireEntry[] {
    return entries.map(({ seq, epoch, kind, payload }) => ({
      seq,
      epoch: this.epoch(epoch),
      kind,
      payload: kind === KIND_BARRIER ? this.#barrier(payload) : payload,
    }));
  }

  /** A barrier carries its configuration. */
  #barrier(payload: Uint8Array): Uint8Array {
    const configuration: Configuration = JSON.parse(decoder.decode(payload));
    return encoder.encode(JSON.stringify(this.#configuration(configuration)));
  }

  #claim(claim: Claim): Claim {
    const sealed = [...claim.sealed].map(([id, { last, tailCertain }]): [ReplicaId, Sealed] => [
      this.id(id),
      { last: this.position(last), tailCertain },
    ]);
    return {
      ...claim,
      ...this.#proposed(claim),
      base: this.#proposed(claim.base),
      chain: claim.chain.map((each) => this.#proposed(each)),
      sealed: new Map(sealed),
      source: claim.source === null ? null : this.id(claim.source),
      target: claim.target === null ? null : this.position(claim.target),
      matched: claim.matched === null ? null : this.position(claim.matched),
    };
  }

  #writer(writer: Writer): Writer {
    const progress = [...writer.progress].map(([id, at]) => [this.id(id), at] as const);
    return { ...writer, ...this.#proposed(writer), progress: new Map(progress) };
  }
}
