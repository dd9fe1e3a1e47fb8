/**
 * The replicated state of a stream: its table, and the answers of its clients' requests.
 *
 * Every replica applies the same entries in the same order and has the same state after it; equal
 * `stateHash` at equal `appliedSeq` says so. At the open writer, effects of entries that are not yet applied
 * lie above it in an overlay, so that what is resolved next counts them in.
 */
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { BatchBuilder, type BatchRow, decodeBatch, type RequestRow } from "./batch-codec.ts";
import { BatchResolver } from "./batch-resolver.ts";
import { ClientTable } from "./client-table.ts";
import type {
  AppliedAnswer,
  ReadView,
  ResolvedBatch,
  StoredAnswer,
  StreamDefinition,
  StreamRequest,
} from "./definition.ts";
import { type Entry, KIND_BARRIER, KIND_BATCH, ORIGIN, type Position } from "./entry.ts";
import { Overlay } from "./overlay.ts";
import { SnapshotCut } from "./snapshot-cut.ts";
import { HASH_ANSWER, HASH_RECORD, hashOfBytes } from "./state-hash.ts";
import { DEFAULT_STATE_LIMITS, type StateLimits } from "./state-limits.ts";
import { Table } from "./table.ts";

/** What a state holds; a snapshot that has been staged begins a state with it. */
export interface StateContent {
  readonly table: Table;
  readonly clients: ClientTable;
  readonly position: Position;
}

export class ReplicatedState {
  readonly #definition: StreamDefinition<unknown, unknown>;
  readonly #limits: StateLimits;
  readonly #table: Table;
  readonly #clients: ClientTable;
  readonly #overlay: Overlay;
  readonly #cuts = new Set<SnapshotCut>();
  #position: Position;
  /** The end of the overlay, or the applied position when nothing is in flight. */
  #resolvedSeq: number;

  constructor(
    definition: StreamDefinition<unknown, unknown>,
    limits: Partial<StateLimits> = {},
    content: StateContent = { table: new Table(), clients: new ClientTable(), position: ORIGIN },
  ) {
    this.#definition = definition;
    this.#limits = { ...DEFAULT_STATE_LIMITS, ...limits };
    this.#table = content.table;
    this.#clients = content.clients;
    this.#position = content.position;
    this.#resolvedSeq = content.position.seq;
    this.#overlay = new Overlay(content.table);
  }

  /** The last applied entry; ORIGIN before the first. */
  get position(): Position {
    return this.#position;
  }

  get appliedSeq(): number {
    return this.#position.seq;
  }

  get records(): number {
    return this.#table.size;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** Batches of the overlay. */
  get inFlight(): number {
    return this.#overlay.size;
  }

  /** Sixteen hexadecimal digits over all records and the client table, independent of their order. */
  stateHash(): string {
    return this.#table.hash.with(this.#clients.hash);
  }

  /**
   * Applies the committed entry after `position`. The answers are those of the requests in it, in order; none
   * for a barrier. An entry of the overlay leaves it. Throws `invalid_message` for a payload that is none,
   * before anything has changed.
   */
  apply(entry: Entry): AppliedAnswer[] {
    invariant(entry.seq === this.appliedSeq + 1, "entries are applied in order, without a hole");
    const rows = this.#rowsOf(entry);
    const { payload } = entry;
    const bytes = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    const answers: AppliedAnswer[] = [];
    const skipped: number[] = [];
    for (const [index, row] of rows.entries()) {
      if (row.kind === "expiry") {
        this.#forget(row.clientIds, row.idleSinceSeq);
        continue;
      }
      const answer = this.#execute(row, entry, bytes);
      answers.push(answer);
      if (answer.kind !== "executed") {
        skipped.push(index);
      }
    }
    this.#clients.settle();
    const { seq, epoch, chain } = entry;
    this.#position = { seq, epoch, chain };
    this.#resolvedSeq = Math.max(this.#resolvedSeq, seq);
    for (const cut of this.#cuts) {
      cut.applied(entry, skipped);
    }
    return answers;
  }

  /** The own batch as it was resolved, or what the payload says. */
  #rowsOf(entry: Entry): readonly BatchRow[] {
    const own = this.#overlay.settle(entry.seq);
    if (own !== null) {
      const { payload, rows } = own;
      const same = payload === entry.payload || Buffer.compare(payload, entry.payload) === 0;
      invariant(same && entry.kind === KIND_BATCH, "an entry in flight is applied as it was resolved");
      return rows;
    }
    switch (entry.kind) {
      case KIND_BATCH:
        return decodeBatch(entry.payload);
      case KIND_BARRIER:
        return [];
      default:
        throw new SupercastError("invalid_message", `entry ${entry.seq} is of unknown kind ${entry.kind}`);
    }
  }

  /** A request takes effect once, whatever the log holds. `bytes`: the payload that the row was read from. */
  #execute(row: RequestRow, { seq, epoch }: Entry, bytes: DataView): AppliedAnswer {
    const { clientId, requestSeq, doneBelow, answer, changes, spans } = row;
    const found = this.#clients.find(clientId, requestSeq);
    if (found === "belowDone") {
      return { clientId, requestSeq, kind: "belowDone", answer: undefined };
    }
    if (found !== null) {
      return { clientId, requestSeq, kind: "repeated", answer: found.answer };
    }
    for (const [index, change] of changes.entries()) {
      const [start = 0, end = 0] = [spans[2 + index], spans[3 + index]];
      const hash = "deleted" in change ? null : hashOfBytes(HASH_RECORD, bytes, start, end, seq);
      this.#table.apply(change, seq, hash);
    }
    const [start = 0, end = 0] = spans;
    const hash = hashOfBytes(HASH_ANSWER, bytes, start, end, seq, epoch);
    this.#clients.record(row, doneBelow, { seq, epoch, answer }, hash);
    return { clientId, requestSeq, kind: "executed", answer };
  }

  #forget(clientIds: readonly string[], idleSinceSeq: number): void {
    for (const clientId of clientIds) {
      this.#clients.expire(clientId, idleSinceSeq);
    }
  }

  // --- at the open writer -------------------------------------------------------------------------

  /**
   * Resolves requests in order for the entry that will stand at `seq`, which is the one after the last applied
   * or last resolved one. With a payload, its effects are in the overlay from now on. `endsAtRelease`: what
   * follows a request that releases a key is deferred.
   */
  resolve(seq: number, requests: readonly StreamRequest[], endsAtRelease: boolean = false): ResolvedBatch {
    this.#checkNext(seq);
    const batch = new BatchResolver(seq, {
      definition: this.#definition,
      limits: this.#limits,
      clients: this.#clients,
      overlay: this.#overlay,
      endsAtRelease,
    });
    const outcomes = requests.map((request) => batch.take(request));
    if (batch.rows.length === 0) {
      return { payload: null, outcomes };
    }
    return { payload: this.#close(seq, batch.rows, batch.payload()), outcomes };
  }

  /**
   * The payload of the entry at `seq` that forgets those of `clientIds` that have no request after entry
   * `idleSinceSeq`. Only the writer's clock knows when that is long enough: longer than any client goes on
   * repeating a request.
   */
  expire(seq: number, clientIds: readonly string[], idleSinceSeq: number): Uint8Array {
    this.#checkNext(seq);
    invariant(idleSinceSeq < seq, "a client is expired for what lies behind");
    const row: BatchRow = { kind: "expiry", clientIds: [...clientIds], idleSinceSeq };
    const batch = new BatchBuilder(Buffer.allocUnsafeSlow(this.#limits.entryBytes));
    batch.addExpiry(row.clientIds, idleSinceSeq);
    return this.#close(seq, [row], batch.finish());
  }

  /** Up to `max` clients without a request after entry `idleSinceSeq`, the longest idle first. Looks at all. */
  idleClients(idleSinceSeq: number, max: number): string[] {
    return this.#clients.idle(idleSinceSeq, max);
  }

  /** At the open writer: whether what touches `key` has to wait, also for what is in flight. */
  isLocked(key: string): boolean {
    return this.#definition.isLocked?.(this.#overlay, key) ?? false;
  }

  /** Uncommitted effects are no longer to be seen: the own epoch has ended. */
  dropOverlay(): void {
    this.#overlay.clear();
    this.#resolvedSeq = this.appliedSeq;
  }

  #checkNext(seq: number): void {
    const next = this.#overlay.size === 0 ? this.appliedSeq : this.#resolvedSeq;
    invariant(seq === next + 1, "a batch is resolved for the entry after all that went before");
  }

  #close(seq: number, rows: readonly BatchRow[], payload: Uint8Array): Uint8Array {
    this.#overlay.close({ seq, payload, rows });
    this.#resolvedSeq = seq;
    return payload;
  }

  // --- questions ----------------------------------------------------------------------------------

  /** `uncommitted`: with the overlay. Throws what the definition throws. */
  query(query: unknown, uncommitted: boolean): unknown {
    return this.#definition.query(uncommitted ? this.#overlay : this.#table, query);
  }

  /** What `reader` makes of the applied state. */
  look<T>(reader: (view: ReadView) => T): T {
    return reader(this.#table);
  }

  /** From applied state only. */
  answered(clientId: string, requestSeq: number): StoredAnswer | "belowDone" | null {
    const found = this.#clients.find(clientId, requestSeq);
    return found === null || found === "belowDone"
      ? found
      : { seq: found.seq, epoch: found.epoch, answer: found.answer };
  }

  // --- snapshots ----------------------------------------------------------------------------------

  /** Begins to cut a snapshot in parts of about `partBytes`. It hears of applied entries until it is over. */
  cut(partBytes: number, trailingBytesMax: number): SnapshotCut {
    const cut: SnapshotCut = new SnapshotCut(
      {
        table: this.#table,
        clients: this.#clients,
        position: () => this.#position,
        stateHash: () => this.stateHash(),
        release: () => this.#cuts.delete(cut),
      },
      partBytes,
      trailingBytesMax,
    );
    this.#cuts.add(cut);
    return cut;
  }
}
