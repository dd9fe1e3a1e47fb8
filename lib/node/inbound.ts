/**
 * What arrives on a node's own subject: batches of its peers, judged by their counts, taken apart, and
 * handled item by item. One bad item loses only itself.
 */
import type { ActorSystem } from "../actor/system.ts";
import { SupercastError } from "../base/errors.ts";
import type { IncomingMessage } from "../transport/transport.ts";
import { type BatchReader, readBatch } from "../wire/batch.ts";
import { receiveBatch, type receiveCount } from "./connection.ts";
import { handleItem, type ItemHandlers } from "./dispatch.ts";
import { type BatchHeader, readHeader } from "./envelope.ts";
import type { Peer } from "./peer.ts";

export interface InboundHost {
  readonly system: ActorSystem;
  readonly handlers: ItemHandlers;
  /** The peer behind an incarnation, after this sign of life of it; undefined when it counts no more. */
  sender(node: string, incarnation: string): Peer | undefined;
  connectionBroken(peer: Peer): void;
  invalid(what: string, thrown: unknown): void;
}

export interface InboundStats {
  batchesIn: number;
  itemsIn: number;
  /** Batches from before a break, or had already. */
  stale: number;
}

interface Sender {
  readonly node: string;
  readonly incarnation: string;
  /** As it stands in a header. */
  readonly bytes: Uint8Array;
}

/** Senders parsed and kept, because every batch names its own. */
const SENDERS_MAX = 1_000;
const SENDER = /^([A-Za-z0-9_-]{1,64})\/([a-z0-9]{1,64})$/;

export class Inbound {
  readonly stats: InboundStats = { batchesIn: 0, itemsIn: 0, stale: 0 };
  readonly #host: InboundHost;
  readonly #senders = new Map<string, Sender>();
  /** Of the last batch: the next one is likely to be from there too, and to compare is less than to parse. */
  #lastSender: Sender | undefined;

  constructor(host: InboundHost) {
    this.#host = host;
  }

  receive(message: IncomingMessage): void {
    const bytes = message.payload;
    try {
      const header = readHeader(bytes);
      const peer = this.#peerOf(bytes, header);
      if (peer === undefined) {
        this.stats.stale += 1;
        return;
      }
      this.stats.batchesIn += 1;
      if (this.judge(peer, receiveBatch(peer.connection, header.number, header.count))) {
        readBatch(bytes, header.itemsAt, new ItemReader(this.#host, this.stats, peer));
      }
    } catch (thrown) {
      this.#host.invalid("batch", thrown);
    }
  }

  /** Acts on what the counts say; answers whether the batch that brought them is to be handled. */
  judge(peer: Peer, verdict: ReturnType<typeof receiveBatch> | ReturnType<typeof receiveCount>): boolean {
    switch (verdict) {
      case "accept":
      case "intact":
        return true;
      case "late":
      case "duplicate":
        this.stats.stale += 1;
        return false;
      case "renewed":
      case "gap": {
        const why = verdict === "gap" ? "a message was lost" : "the other side noticed a loss";
        peer.broken(why, new SupercastError("noconnection", `the connection to ${peer.node} broke: ${why}`));
        this.#host.connectionBroken(peer);
        return verdict === "renewed";
      }
    }
  }

  #peerOf(bytes: Uint8Array, header: BatchHeader): Peer | undefined {
    let sender = this.#lastSender;
    if (sender === undefined || !standsAt(bytes, header, sender.bytes)) {
      sender = this.#senderIn(bytes.subarray(header.senderAt, header.itemsAt));
      this.#lastSender = sender;
    }
    const { node, incarnation } = sender;
    return node === this.#host.system.node ? undefined : this.#host.sender(node, incarnation);
  }

  #senderIn(bytes: Uint8Array): Sender {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    return this.#senders.get(text) ?? this.#parseSender(text, bytes.slice());
  }

  #parseSender(text: string, bytes: Uint8Array): Sender {
    const [, node, incarnation] = SENDER.exec(text) ?? [];
    if (node === undefined || incarnation === undefined) {
      throw new SupercastError("invalid_message", `a batch from ${JSON.stringify(text)}`);
    }
    const parsed = { node, incarnation, bytes };
    if (this.#senders.size === SENDERS_MAX) {
      this.#senders.clear();
    }
    this.#senders.set(text, parsed);
    return parsed;
  }
}

function standsAt(bytes: Uint8Array, { senderAt, itemsAt }: BatchHeader, sender: Uint8Array): boolean {
  if (itemsAt - senderAt !== sender.length) {
    return false;
  }
  for (let index = 0; index < sender.length; index++) {
    if (bytes[senderAt + index] !== sender[index]) {
      return false;
    }
  }
  return true;
}

/**
 * The items of one batch. Handlers may run between two of them, and may break the connection: then the rest
 * is as lost as what was under way.
 */
class ItemReader implements BatchReader {
  readonly #host: InboundHost;
  readonly #stats: InboundStats;
  readonly #peer: Peer;
  readonly #connection: number;

  constructor(host: InboundHost, stats: InboundStats, peer: Peer) {
    this.#host = host;
    this.#stats = stats;
    this.#peer = peer;
    this.#connection = peer.connection.number;
  }

  onValue(item: unknown): void {
    const { system, handlers } = this.#host;
    this.#stats.itemsIn += 1;
    if (this.#peer.connection.number !== this.#connection) {
      system.drop("noconnection", this.#peer.node);
      return;
    }
    try {
      if (!Array.isArray(item) || !handleItem(system, this.#peer, item, handlers)) {
        this.onFailure(new SupercastError("invalid_message", "it makes no sense"));
      }
    } catch (thrown) {
      this.onFailure(thrown);
    }
  }

  onFailure(thrown: unknown): void {
    this.#host.invalid(`item of ${this.#peer.node}`, thrown);
  }
}
