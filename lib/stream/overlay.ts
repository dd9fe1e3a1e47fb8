/**
 * The writer's entries in flight: what they change, above the table, and which requests they carry.
 *
 * A batch enters when it is resolved and leaves when its entry is applied, or with all others when the epoch
 * ends. Only the last change in flight of a key counts, so that leaving costs what the batch changed.
 */
import { invariant } from "../base/invariant.ts";
import type { BatchRow, RequestRow } from "./batch-codec.ts";
import type { Change, ReadView } from "./definition.ts";
import { countOver, keysOver } from "./layer.ts";

/** A batch whose entry is on its way. */
export interface PendingBatch {
  readonly seq: number;
  readonly payload: Uint8Array;
  readonly rows: readonly BatchRow[];
}

interface PendingChange {
  readonly seq: number;
  readonly change: Change;
}

export interface PendingRequest {
  readonly seq: number;
  readonly answer: unknown;
  /** Of its answer, in the codec. */
  readonly bytes: number;
}

interface PendingClient {
  doneBelow: number;
  bytes: number;
  readonly requests: Map<number, PendingRequest>;
}

export class Overlay implements ReadView {
  readonly #below: ReadView;
  readonly #changes = new Map<string, PendingChange>();
  readonly #clients = new Map<string, PendingClient>();
  readonly #batches = new Map<number, PendingBatch>();
  #bytes = 0;

  constructor(below: ReadView) {
    this.#below = below;
  }

  /** Batches in flight. */
  get size(): number {
    return this.#batches.size;
  }

  /** Clients with requests in flight. */
  get clients(): number {
    return this.#clients.size;
  }

  hasClient(clientId: string): boolean {
    return this.#clients.has(clientId);
  }

  /** Of all answers in flight. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): unknown {
    const pending = this.#changes.get(key);
    if (pending === undefined) {
      return this.#below.get(key);
    }
    return "deleted" in pending.change ? undefined : pending.change.value;
  }

  count(): number {
    return countOver(this.#below, this.#changes.keys(), (key) => this.#isDeleted(key));
  }

  keys(after: string | null = null): IterableIterator<string> {
    return keysOver(this.#below, this.#changes.keys(), (key) => this.#isDeleted(key), after);
  }

  /** A request in flight; "belowDone" when one in flight says that its client is done with it. */
  find(clientId: string, requestSeq: number): PendingRequest | "belowDone" | null {
    const client = this.#clients.get(clientId);
    if (client === undefined) {
      return null;
    }
    return requestSeq < client.doneBelow ? "belowDone" : (client.requests.get(requestSeq) ?? null);
  }

  doneBelow(clientId: string): number {
    return this.#clients.get(clientId)?.doneBelow ?? 0;
  }

  /** Of the answers in flight of one client. */
  bytesOf(clientId: string): number {
    return this.#clients.get(clientId)?.bytes ?? 0;
  }

  /** Takes in one request of the batch that will be entry `seq`; what is resolved next sees its effects. */
  add(seq: number, row: RequestRow, answerBytes: number): void {
    for (const change of row.changes) {
      this.#changes.set(change.key, { seq, change });
    }
    const client = this.#clients.get(row.clientId) ?? this.#insert(row.clientId);
    client.doneBelow = Math.max(client.doneBelow, row.doneBelow);
    client.requests.set(row.requestSeq, { seq, answer: row.answer, bytes: answerBytes });
    client.bytes += answerBytes;
    this.#bytes += answerBytes;
  }

  /** The batch of entry `seq` is whole. */
  close(batch: PendingBatch): void {
    this.#batches.set(batch.seq, batch);
  }

  /** The batch of entry `seq` leaves: the entry is being applied, and the table holds its effects from now on. */
  settle(seq: number): PendingBatch | null {
    const batch = this.#batches.get(seq);
    if (batch === undefined) {
      return null;
    }
    this.#batches.delete(seq);
    for (const row of batch.rows) {
      if (row.kind === "request") {
        this.#leave(row, seq);
      }
    }
    return batch;
  }

  clear(): void {
    this.#changes.clear();
    this.#clients.clear();
    this.#batches.clear();
    this.#bytes = 0;
  }

  #isDeleted(key: string): boolean {
    const pending = this.#changes.get(key);
    return pending !== undefined && "deleted" in pending.change;
  }

  #insert(clientId: string): PendingClient {
    const client: PendingClient = { doneBelow: 0, bytes: 0, requests: new Map() };
    this.#clients.set(clientId, client);
    return client;
  }

  #leave(row: RequestRow, seq: number): void {
    for (const { key } of row.changes) {
      if (this.#changes.get(key)?.seq === seq) {
        this.#changes.delete(key);
      }
    }
    const client = this.#clients.get(row.clientId);
    const request = client?.requests.get(row.requestSeq);
    invariant(client !== undefined && request !== undefined, "a batch in flight holds its requests");
    client.requests.delete(row.requestSeq);
    client.bytes -= request.bytes;
    this.#bytes -= request.bytes;
    if (client.requests.size === 0) {
      this.#clients.delete(row.clientId);
    }
  }
}
