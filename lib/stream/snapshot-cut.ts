/**
 * Cuts a snapshot out of a state that goes on changing, one short slice at a time.
 *
 * Why the receiver has the state at `base` in the end: let L be the last entry up to `base` that changes a
 * key. If L stands before the start, the key is here at the start and until its turn, the walk meets it, and
 * its record is that of L. Otherwise L is among the entries that follow the records. Replayed, all of them
 * in order, an effect is left out when the record that was cut has its seq or a later one; L's is then there
 * already, or it is the last to be done. A key that was absent at its turn comes and goes by the entries
 * alone. A client is cut whole, with all its answers, and is one such record.
 *
 * When the walk is over, position, counts and hash are noted and the state is let go.
 */
import { encode } from "../wire/codec.ts";
import type { ClientTable } from "./client-table.ts";
import type { Entry, Position } from "./entry.ts";
import type { ChunkKind } from "./snapshot-messages.ts";
import type { Table } from "./table.ts";

export const SNAPSHOT_FORMAT = 1;

/** A run of parts, in this order of kinds, is a snapshot. */
export interface SnapshotPart {
  readonly kind: ChunkKind;
  readonly body: Uint8Array;
}

/** What is cut, and what it is to be told when the walk is over. */
export interface CutPorts {
  readonly table: Table;
  readonly clients: ClientTable;
  position(): Position;
  stateHash(): string;
  /** No more applied entries are wanted. */
  release(): void;
}

/** Some bytes of numbers and brackets around each record. */
const RECORD_BYTES = 16;
const ENTRY_BYTES = 48;

interface TrailingEntry {
  readonly entry: Entry;
  /** Rows of it that changed nothing, because an earlier entry had carried their requests. */
  readonly skipped: readonly number[];
}

interface End {
  readonly base: Position;
  readonly body: Uint8Array;
}

export class SnapshotCut {
  readonly #ports: CutPorts;
  readonly #partBytes: number;
  readonly #trailingBytesMax: number;
  readonly #start: Position;
  readonly #keys: Iterator<string, void>;
  readonly #clientIds: Iterator<string, void>;
  /** Taken from an iterator, and without room in the part before. */
  #held: string | null = null;
  #phase: ChunkKind | "over" = "begin";
  #trailing: TrailingEntry[] = [];
  #trailingSent = 0;
  #trailingBytes = 0;
  #end: End | null = null;
  #failure: string | null = null;

  constructor(ports: CutPorts, partBytes: number, trailingBytesMax: number) {
    this.#ports = ports;
    this.#partBytes = partBytes;
    this.#trailingBytesMax = trailingBytesMax;
    this.#start = ports.position();
    this.#keys = ports.table.walk();
    this.#clientIds = ports.clients.walk();
  }

  /** What the snapshot stands for; null until the walk is over. */
  get base(): Position | null {
    return this.#end?.base ?? null;
  }

  /** Every part has been cut. */
  get over(): boolean {
    return this.#phase === "over";
  }

  /** Why there will be no snapshot, or null. */
  get failure(): string | null {
    return this.#failure;
  }

  /** The next part, or null when there is none any more. */
  next(): SnapshotPart | null {
    switch (this.#phase) {
      case "begin":
        this.#phase = "records";
        return { kind: "begin", body: encode([SNAPSHOT_FORMAT, ...positionFields(this.#start)]) };
      case "records":
        return this.#records() ?? this.next();
      case "clients":
        return this.#clients() ?? this.next();
      case "entries":
        return this.#entries() ?? this.next();
      case "end":
        this.#phase = "over";
        return this.#end === null ? null : { kind: "end", body: this.#end.body };
      case "over":
        return null;
    }
  }

  /** The state has applied an entry. */
  applied(entry: Entry, skipped: readonly number[]): void {
    this.#trailing.push({ entry, skipped });
    this.#trailingBytes += entry.payload.length + ENTRY_BYTES;
    if (this.#trailingBytes > this.#trailingBytesMax) {
      this.abandon(`the entries committed meanwhile exceed ${this.#trailingBytesMax} bytes`);
    }
  }

  /** Ends it before its time. */
  abandon(reason: string): void {
    if (this.#phase !== "over") {
      this.#failure = reason;
      this.#phase = "over";
      this.#trailing = [];
      this.#ports.release();
    }
  }

  #records(): SnapshotPart | null {
    const fields: unknown[] = [];
    let bytes = 0;
    for (let key = this.#take(this.#keys); key !== null; key = this.#take(this.#keys)) {
      const record = this.#ports.table.record(key);
      if (record !== undefined && fields.length > 0 && bytes + record.hash.bytes > this.#partBytes) {
        this.#held = key;
        return { kind: "records", body: encode(fields) };
      }
      if (record !== undefined) {
        fields.push(key, record.value, record.seq);
        bytes += record.hash.bytes + RECORD_BYTES;
      }
    }
    this.#phase = "clients";
    return fields.length === 0 ? null : { kind: "records", body: encode(fields) };
  }

  #clients(): SnapshotPart | null {
    const fields: unknown[] = [];
    let bytes = 0;
    for (
      let clientId = this.#take(this.#clientIds);
      clientId !== null;
      clientId = this.#take(this.#clientIds)
    ) {
      const client = this.#ports.clients.client(clientId);
      if (client !== undefined && fields.length > 0 && bytes + client.bytes > this.#partBytes) {
        this.#held = clientId;
        return { kind: "clients", body: encode(fields) };
      }
      if (client !== undefined) {
        fields.push(clientId, client.doneBelow, client.lastSeq, client.answers.size);
        for (const [requestSeq, { seq, epoch, answer }] of client.answers) {
          fields.push(requestSeq, seq, epoch.counter, epoch.owner, answer);
        }
        bytes += client.bytes + client.hash.bytes + client.answers.size * RECORD_BYTES;
      }
    }
    this.#close();
    return fields.length === 0 ? null : { kind: "clients", body: encode(fields) };
  }

  #take(names: Iterator<string, void>): string | null {
    const held = this.#held;
    this.#held = null;
    return held ?? names.next().value ?? null;
  }

  /** Everything has been walked through: what is sent from now on stands for this moment. */
  #close(): void {
    const { table, clients, position, stateHash, release } = this.#ports;
    const base = position();
    const body = encode([...positionFields(base), table.size, clients.size, stateHash()]);
    this.#end = { base, body };
    this.#phase = "entries";
    release();
  }

  #entries(): SnapshotPart | null {
    const fields: unknown[] = [];
    let bytes = 0;
    for (; this.#trailingSent < this.#trailing.length; this.#trailingSent++) {
      const trailing = this.#trailing[this.#trailingSent];
      if (trailing === undefined || (bytes > 0 && bytes + trailing.entry.payload.length > this.#partBytes)) {
        break;
      }
      const { seq, epoch, kind, payload } = trailing.entry;
      fields.push(seq, epoch.counter, epoch.owner, kind, payload, trailing.skipped);
      bytes += payload.length + ENTRY_BYTES;
    }
    if (this.#trailingSent === this.#trailing.length) {
      this.#trailing = [];
      this.#trailingSent = 0;
      this.#phase = "end";
    }
    return fields.length === 0 ? null : { kind: "entries", body: encode(fields) };
  }
}

function positionFields({ seq, epoch, chain }: Position): readonly unknown[] {
  return [seq, epoch.counter, epoch.owner, chain];
}
