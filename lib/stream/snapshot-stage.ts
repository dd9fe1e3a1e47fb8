/**
 * Puts a state together from the parts of a snapshot, beside whatever state is in use, and lets it out only
 * when it is whole and its counts, its chain and its hash are those that the source had.
 *
 * The rule that makes parts cut at different times one state: a trailing entry's effect on a record, or on a
 * client, is left out when that was cut with the entry's seq or a later one (see snapshot-cut.ts).
 */
import { SupercastError } from "../base/errors.ts";
import { parseWord64 } from "../journal/chain.ts";
import { compareEpochs } from "../journal/epoch.ts";
import { decode } from "../wire/codec.ts";
import { type BatchRow, decodeBatch, type RequestRow } from "./batch-codec.ts";
import { ClientTable } from "./client-table.ts";
import type { Change } from "./definition.ts";
import { chained, type Entry, KIND_BARRIER, KIND_BATCH, type Position } from "./entry.ts";
import type { StateContent } from "./replicated-state.ts";
import { SNAPSHOT_FORMAT, type SnapshotPart } from "./snapshot-cut.ts";
import { CHUNK_KINDS, type ChunkKind } from "./snapshot-messages.ts";
import { HASH_ANSWER, hashOf } from "./state-hash.ts";
import { Table } from "./table.ts";

export class SnapshotStage {
  readonly #table = new Table();
  readonly #clients = new ClientTable();
  #kind: ChunkKind | null = null;
  #position: Position | null = null;
  #content: StateContent | null = null;

  /** The whole snapshot, or null before its end. */
  get content(): StateContent | null {
    return this.#content;
  }

  /** The next part. Throws `invalid_message` for what is no part of a snapshot, or not in order. */
  take({ kind, body }: SnapshotPart): void {
    this.#checkOrder(kind);
    const value = decode(body);
    if (!Array.isArray(value)) {
      throw foreign(`the ${kind} of a snapshot are no array`);
    }
    const fields = new Fields(kind, value);
    switch (kind) {
      case "begin":
        this.#begin(fields);
        break;
      case "records":
        this.#takeRecords(fields);
        break;
      case "clients":
        this.#takeClients(fields);
        break;
      case "entries":
        this.#takeEntries(fields);
        break;
      case "end":
        this.#end(fields);
        break;
    }
  }

  #checkOrder(kind: ChunkKind): void {
    const present = this.#kind;
    const begins = kind === "begin";
    const goesBack = present !== null && CHUNK_KINDS.indexOf(kind) < CHUNK_KINDS.indexOf(present);
    if (begins !== (present === null) || goesBack || this.#content !== null) {
      throw foreign(`${kind} after ${present ?? "nothing"}; a snapshot goes ${CHUNK_KINDS.join(", ")}`);
    }
    this.#kind = kind;
  }

  #begin(fields: Fields): void {
    const format = fields.count("format");
    if (format !== SNAPSHOT_FORMAT) {
      throw foreign(`the snapshot has format ${format}; known: ${SNAPSHOT_FORMAT}`);
    }
    this.#position = fields.position();
    fields.finish();
  }

  #takeRecords(fields: Fields): void {
    while (fields.more) {
      const key = fields.text("key");
      const value = fields.any();
      const seq = fields.count("seq");
      if (this.#table.record(key) !== undefined || value === undefined) {
        throw foreign(`the record ${JSON.stringify(key)} stands there twice or holds nothing`);
      }
      this.#table.apply({ key, value }, seq);
    }
  }

  #takeClients(fields: Fields): void {
    while (fields.more) {
      const clientId = fields.text("clientId");
      if (this.#clients.client(clientId) !== undefined) {
        throw foreign(`the client ${JSON.stringify(clientId)} stands there twice`);
      }
      const doneBelow = fields.count("doneBelow");
      const client = this.#clients.restore(clientId, doneBelow, fields.count("lastSeq"));
      for (let left = fields.count("answers"); left > 0; left--) {
        const requestSeq = fields.count("requestSeq");
        const seq = fields.count("seq");
        const epoch = fields.epoch();
        this.#clients.put(client, clientId, requestSeq, { seq, epoch, answer: fields.any() });
      }
    }
  }

  #takeEntries(fields: Fields): void {
    while (fields.more) {
      const seq = fields.count("seq");
      const epoch = fields.epoch();
      const kind = fields.count("kind");
      const payload = fields.any();
      const skipped = fields.any();
      const previous = this.#at();
      if (!(payload instanceof Uint8Array) || !Array.isArray(skipped) || seq !== previous.seq + 1) {
        throw foreign(`entry ${seq} after ${previous.seq} is no trailing entry`);
      }
      const [entry] = chained(previous.chain, [{ seq, epoch, kind, payload }]);
      if (entry !== undefined) {
        this.#replay(entry, new Set(skipped));
        this.#position = { seq, epoch, chain: entry.chain };
      }
    }
  }

  #at(): Position {
    if (this.#position === null) {
      throw foreign("a snapshot begins with its position");
    }
    return this.#position;
  }

  #replay(entry: Entry, skipped: ReadonlySet<unknown>): void {
    if (entry.kind === KIND_BARRIER) {
      return;
    }
    if (entry.kind !== KIND_BATCH) {
      throw foreign(`entry ${entry.seq} is of unknown kind ${entry.kind}`);
    }
    const rows = decodeBatch(entry.payload).filter((_row, index) => !skipped.has(index));
    for (const change of lastChanges(rows)) {
      const cutSeq = this.#table.record(change.key)?.seq ?? 0;
      if (cutSeq < entry.seq) {
        this.#table.apply(change, entry.seq);
      }
    }
    this.#replayClients(rows, entry);
  }

  #replayClients(rows: readonly BatchRow[], { seq, epoch }: Entry): void {
    // Asked before the entry has touched any of them.
    const cutLater = new Set(clientsOf(rows).filter((id) => (this.#clients.client(id)?.lastSeq ?? 0) >= seq));
    for (const row of rows) {
      if (row.kind === "request" && !cutLater.has(row.clientId)) {
        const { clientId, requestSeq, answer } = row;
        const hash = hashOf(HASH_ANSWER, [clientId, requestSeq, answer], seq, epoch);
        this.#clients.record(row, row.doneBelow, { seq, epoch, answer }, hash);
      } else if (row.kind === "expiry") {
        for (const clientId of row.clientIds) {
          if (!cutLater.has(clientId)) {
            this.#clients.expire(clientId, row.idleSinceSeq);
          }
        }
      }
    }
    this.#clients.settle();
  }

  #end(fields: Fields): void {
    const base = fields.position();
    const records = fields.count("records");
    const clients = fields.count("clients");
    const stateHash = fields.text("stateHash");
    fields.finish();
    const { seq, epoch, chain } = this.#at();
    if (seq !== base.seq || compareEpochs(epoch, base.epoch) !== 0 || chain !== base.chain) {
      throw foreign(
        `the snapshot stands for entry ${base.seq} and its parts come to ${seq}, or to other entries`,
      );
    }
    if (this.#table.size !== records || this.#clients.size !== clients) {
      const staged = `${this.#table.size} records and ${this.#clients.size} clients`;
      throw foreign(`the snapshot has ${records} records and ${clients} clients, its parts ${staged}`);
    }
    const hash = this.#table.hash.with(this.#clients.hash);
    if (hash !== stateHash) {
      throw foreign(`the snapshot has the state hash ${stateHash}, its parts ${hash}`);
    }
    this.#content = { table: this.#table, clients: this.#clients, position: base };
  }
}

/**
 * For each key the last change of an entry: all of them have the entry's seq, so that the first would keep
 * out those after it.
 */
function lastChanges(rows: readonly BatchRow[]): Iterable<Change> {
  const last = new Map<string, Change>();
  for (const row of rows.filter(isRequest)) {
    for (const change of row.changes) {
      last.set(change.key, change);
    }
  }
  return last.values();
}

function isRequest(row: BatchRow): row is RequestRow {
  return row.kind === "request";
}

function clientsOf(rows: readonly BatchRow[]): string[] {
  return rows.flatMap((row) => (row.kind === "request" ? [row.clientId] : row.clientIds));
}

/** The fields of a part, taken one after the other; each of the wrong kind is `invalid_message`. */
class Fields {
  readonly #kind: ChunkKind;
  readonly #values: readonly unknown[];
  #at = 0;

  constructor(kind: ChunkKind, values: readonly unknown[]) {
    this.#kind = kind;
    this.#values = values;
  }

  get more(): boolean {
    return this.#at < this.#values.length;
  }

  any(): unknown {
    if (!this.more) {
      throw foreign(`the ${this.#kind} of a snapshot end too early`);
    }
    this.#at += 1;
    return this.#values[this.#at - 1];
  }

  count(name: string): number {
    const value = this.any();
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw foreign(`${name} in the ${this.#kind} of a snapshot is no count`);
    }
    return value;
  }

  text(name: string): string {
    const value = this.any();
    if (typeof value !== "string") {
      throw foreign(`${name} in the ${this.#kind} of a snapshot is no text`);
    }
    return value;
  }

  epoch(): Position["epoch"] {
    return { counter: this.count("epoch"), owner: this.#word("owner") };
  }

  position(): Position {
    return { seq: this.count("seq"), epoch: this.epoch(), chain: this.#word("chain") };
  }

  finish(): void {
    if (this.more) {
      throw foreign(`the ${this.#kind} of a snapshot has more than its fields`);
    }
  }

  #word(name: string): string {
    const value = this.text(name);
    if (parseWord64(value) === null) {
      throw foreign(`${name} in the ${this.#kind} of a snapshot is no 64-bit word`);
    }
    return value;
  }
}

function foreign(problem: string): SupercastError {
  return new SupercastError("invalid_message", problem);
}
