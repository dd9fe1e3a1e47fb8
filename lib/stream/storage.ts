/**
 * What a replica in disk mode writes to: a port, and its implementation on a journal's folder.
 *
 * Stores are performed in the order in which they are asked for and reported in that order, each when all of
 * it is durable. Stores that only append leave at once and share the journal's syncs; one that changes the
 * hard state, cuts the log or replaces it waits for those before it and holds back those after it. Of one
 * store the hard state goes first: a promise without its entries binds nobody to anything, while entries
 * above the promise would be held by nobody's leave.
 *
 * A storage that has failed does nothing any more.
 */
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { Epoch } from "../journal/epoch.ts";
import { compareEpochs } from "../journal/epoch.ts";
import type { JournalFolder } from "../journal/folder.ts";
import type { Journal } from "../journal/journal.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Entry, Position } from "./entry.ts";
import type { Log } from "./log.ts";
import type { FaultPoint } from "./replica-options.ts";
import type { HardState, StreamEffect } from "./replica-state.ts";
import { hardStateRecord, loadReplica } from "./stored-replica.ts";

export type StoreEffect = Extract<StreamEffect, { readonly type: "store" }>;

/** The state beside the log, as storage sees it. */
export interface StoredState {
  /** The applied state in pieces, taken in slices while it goes on changing; no older than when it is asked for. */
  save(): AsyncIterable<Uint8Array>;
  /** Takes what `save` gave in place of the state; resolves to its position. */
  load(pieces: AsyncIterable<Uint8Array>): Promise<Position>;
  /** The next committed entry, while opening. */
  apply(entry: Entry): void;
}

export interface StorageRequest {
  readonly stream: string;
  readonly lineage: string;
  /** Of a copy that storage knows nothing of, or cannot vouch for. */
  readonly incarnation: string;
  readonly keptEntries: number;
  readonly state: StoredState;
  /** Called whenever `storedMark` or `failure` has changed. */
  readonly changed: () => void;
  readonly faultPoint: (point: FaultPoint) => void;
  readonly log: Logger;
}

/** What storage held. */
export interface StoredReplica {
  readonly hard: HardState;
  readonly log: Log;
  readonly commitSeq: number;
  readonly tailCertain: boolean;
}

export interface StreamStorage {
  /** Opens the storage of one stream. Rejects with the journal's errors; `journal_damaged` among them. */
  open(request: StorageRequest): Promise<OpenStorage>;
}

export interface OpenStorage {
  /** Null when there was nothing: `begin` comes first then. */
  readonly stored: StoredReplica | null;
  /** The incarnation to go on under: the stored one when this storage vouches for it. */
  readonly incarnation: string;
  /** The last store that is durable. */
  readonly storedMark: number;
  readonly failure: Error | null;
  /** Writes the first state of a new replica; durable when it resolves. */
  begin(hard: HardState): Promise<void>;
  /** Asks for a store. One that was asked for before is not performed again. */
  store(effect: StoreEffect): void;
  /** Notes that entries up to `seq` are committed; not made durable by itself. */
  commit(seq: number): void;
  confirmTail(): void;
  /** Waits for what was asked for, and ends. */
  close(): Promise<void>;
}

/** A journal's folder as the storage of the streams in it. */
export function journalStorage(folder: JournalFolder): StreamStorage {
  return {
    open: async (request) => {
      const loaded = await loadReplica(folder, request);
      return new JournalStorage(loaded.journal, loaded.incarnation, loaded.stored, request);
    },
  };
}

type Work =
  | StoreEffect
  | { readonly type: "commit"; readonly seq: number }
  | { readonly type: "confirmTail" };

class JournalStorage implements OpenStorage {
  readonly stored: StoredReplica | null;
  readonly incarnation: string;
  storedMark = 0;
  failure: Error | null = null;
  readonly #journal: Journal;
  readonly #request: StorageRequest;
  #askedMark = 0;
  #waiting: Work[] = [];
  #working = false;
  /** Settles when everything submitted so far is durable and reported. */
  #reported: Promise<void> = Promise.resolve();
  /** Settles when the loop has nothing left to do. */
  #idle: Promise<void> = Promise.resolve();

  constructor(journal: Journal, incarnation: string, stored: StoredReplica | null, request: StorageRequest) {
    this.#journal = journal;
    this.incarnation = incarnation;
    this.stored = stored;
    this.#request = request;
  }

  async begin(hard: HardState): Promise<void> {
    invariant(this.stored === null, "a new replica begins where nothing is stored");
    await this.#journal.setHardState(hardStateRecord(hard, this.incarnation));
  }

  store(effect: StoreEffect): void {
    if (effect.mark > this.#askedMark) {
      this.#askedMark = effect.mark;
      this.#ask(effect);
    }
  }

  commit(seq: number): void {
    this.#ask({ type: "commit", seq });
  }

  confirmTail(): void {
    this.#ask({ type: "confirmTail" });
  }

  async close(): Promise<void> {
    await this.#idle;
    await this.#reported;
    await this.#journal.close();
  }

  #ask(work: Work): void {
    if (this.failure !== null) {
      return;
    }
    this.#waiting.push(work);
    if (!this.#working) {
      this.#working = true;
      this.#idle = this.#work();
    }
  }

  async #work(): Promise<void> {
    try {
      // What one step of the replica asks for is asked for together.
      await Promise.resolve();
      for (let work = this.#waiting.shift(); work !== undefined; work = this.#waiting.shift()) {
        await this.#perform(work);
      }
    } catch (thrown) {
      this.#fail(thrown);
    } finally {
      this.#working = false;
    }
  }

  async #perform(work: Work): Promise<void> {
    if (work.type === "commit") {
      this.#commit(work.seq);
    } else if (work.type === "confirmTail") {
      await this.#journal.confirmTail();
    } else if (work.hard === null && work.reset === null && work.truncateAfter === null) {
      await this.#append(work.entries);
      this.#reportWhenDurable(work.mark);
    } else {
      await this.#reported;
      await this.#replace(work);
      this.#reportWhenDurable(work.mark);
    }
  }

  /** The mark is framed in this call, in order; a snapshot that it makes due is written beside all else. */
  #commit(seq: number): void {
    if (seq > this.#journal.commitSeq) {
      this.#journal.commit(seq, { durable: false }).catch((thrown: unknown) => this.#commitFailed(thrown));
    }
  }

  /** A snapshot that could not be written loses nothing; the next commit tries again. */
  #commitFailed(thrown: unknown): void {
    if (this.#journal.folder.writer.failure === null) {
      this.#request.log.warn(`a snapshot of ${this.#journal.name} was not written`, { error: thrown });
    } else {
      this.#fail(thrown);
    }
  }

  async #replace({ hard, reset, truncateAfter, entries }: StoreEffect): Promise<void> {
    const { faultPoint, state } = this.#request;
    const journal = this.#journal;
    if (hard !== null) {
      faultPoint("store:hard");
      await journal.setHardState(hardStateRecord(hard, this.incarnation));
    }
    if (reset !== null) {
      faultPoint("store:reset");
      await journal.installSnapshot({ ...reset, content: state.save() });
    }
    if (truncateAfter !== null && truncateAfter < journal.lastSeq) {
      faultPoint("store:truncate");
      await journal.drop(truncateAfter + 1);
    }
    await this.#append(entries);
  }

  /** Hands entries to the journal, which writes and syncs them with whatever else waits. */
  async #append(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) {
      return;
    }
    this.#request.faultPoint("store:entries");
    for (const run of runsOfOneEpoch(entries)) {
      await this.#submit(run);
    }
    const last = entries.at(-1);
    invariant(
      last !== undefined && this.#journal.lastSeq === last.seq && this.#journal.lastChain === last.chain,
      "the journal's log equals the replica's",
    );
  }

  async #submit(run: readonly Entry[]): Promise<void> {
    const [first] = run;
    invariant(first?.seq === this.#journal.lastSeq + 1, "a stored entry follows the last one");
    try {
      this.#journal.submit(run, { epoch: first.epoch });
    } catch (thrown) {
      if (!(thrown instanceof SupercastError) || thrown.code !== "overload" || run.length === 0) {
        throw thrown;
      }
      // The journal's queue is full: one by one then, each after all before it.
      for (const entry of run) {
        await this.#journal.sync();
        await this.#journal.append(entry, { epoch: entry.epoch });
      }
    }
  }

  #reportWhenDurable(mark: number): void {
    const durable = this.#journal.folder.writer.acknowledgement();
    this.#reported = this.#reported.then(async () => {
      await durable();
      if (this.failure === null) {
        this.#request.faultPoint("store:done");
        this.storedMark = mark;
        this.#request.changed();
      }
    });
    this.#reported = this.#reported.catch((thrown: unknown) => this.#fail(thrown));
  }

  #fail(thrown: unknown): void {
    if (this.failure === null) {
      this.failure = thrown instanceof Error ? thrown : new Error(String(thrown));
      this.#waiting = [];
      this.#request.changed();
    }
  }
}

function runsOfOneEpoch(entries: readonly Entry[]): Entry[][] {
  const runs: Entry[][] = [];
  let epoch: Epoch | null = null;
  for (const entry of entries) {
    if (epoch === null || compareEpochs(epoch, entry.epoch) !== 0) {
      runs.push([]);
      ({ epoch } = entry);
    }
    runs.at(-1)?.push(entry);
  }
  return runs;
}
