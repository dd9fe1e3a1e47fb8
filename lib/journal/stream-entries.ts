/** The entries of one stream: framing new ones, voiding uncommitted ones, handing them out again. */

import { SupercastError } from "../base/errors.ts";
import { CHAIN_START, extendChain, parseWord64, type Word64 } from "./chain.ts";
import { LogEntry } from "./entry.ts";
import { compareEpochs, type Epoch, ownerWord, toEpoch } from "./epoch.ts";
import { invalid } from "./errors.ts";
import type { JournalFolder, StreamEntry } from "./folder.ts";
import { RECORD, viewOf } from "./format.ts";
import type { NewEntry } from "./journal-types.ts";

export class StreamEntries {
  readonly #folder: JournalFolder;
  readonly #stream: StreamEntry;
  /** Entries that a state machine has yet to take, by number. */
  readonly #cache = new Map<number, LogEntry>();
  readonly #keepsCache: boolean;
  #cachedBytes = 0;
  /** Counts truncations, so that one that had to wait notices another. */
  #truncations = 0;

  constructor(folder: JournalFolder, stream: StreamEntry, keepsCache: boolean) {
    this.#folder = folder;
    this.#stream = stream;
    this.#keepsCache = keepsCache;
  }

  get cached(): number {
    return this.#cache.size;
  }

  /** Checks everything that could keep `entries` from being framed; nothing has happened when it throws. */
  admit(entries: readonly NewEntry[]): void {
    const { payloadBytesMax } = this.#folder.settings;
    let bytes = 0;
    for (const entry of entries) {
      const payload = entry instanceof Uint8Array ? entry : entry.payload;
      const kind = entry instanceof Uint8Array ? 0 : (entry.kind ?? 0);
      if (!(payload instanceof Uint8Array)) {
        throw invalid("payload", "is not a Uint8Array");
      }
      if (payload.length > payloadBytesMax) {
        const message = `payload: ${payload.length} bytes; at most ${payloadBytesMax} fit`;
        throw new SupercastError("payload_too_large", message, { details: { field: "payload" } });
      }
      if (!Number.isInteger(kind) || kind < 0 || kind > 255) {
        throw invalid("kind", `${kind}; allowed: an integer from 0 to 255`);
      }
      bytes += payload.length;
    }
    if (entries.length === 0) {
      throw invalid("entries", "the list is empty");
    }
    this.#folder.writer.admit(entries.length, bytes);
  }

  /** The epoch for new entries: the one given, which must not go down, or the last entry's. */
  epochFor(given: number | Epoch | undefined): Epoch {
    const last = this.#stream.log.lastEpoch;
    if (given === undefined) {
      return last;
    }
    const epoch = toEpoch(given);
    if (compareEpochs(epoch, last) < 0) {
      throw invalid("epoch", `${epoch.counter} is below the last entry's epoch ${last.counter}`);
    }
    return epoch;
  }

  /** Frames the mark that all entries up to `seq` are committed. */
  frameCommit(seq: number): void {
    const { log } = this.#stream;
    const { writer } = this.#folder;
    writer.admit(1, 0);
    writer.frame(RECORD.commit, { stream: log.id, seq, epoch: log.epochAt(seq), kind: 0, chain: log.chain });
    log.commitSeq = seq;
    writer.submit();
  }

  /** Frames the next entry. */
  frame(payload: Uint8Array, kind: number, epoch: Epoch): void {
    const { log } = this.#stream;
    const { writer } = this.#folder;
    const seq = log.lastSeq + 1;
    const link = { epochCounter: epoch.counter, epochOwner: ownerWord(epoch.owner), seq, kind };
    extendChain(log.chain, link, viewOf(payload), 0, payload.length);
    const lsn = writer.frame(RECORD.entry, { stream: log.id, seq, epoch, kind, chain: log.chain }, payload);
    log.push(lsn, epoch, writer.segment.note(log.id, seq));
    if (this.#keepsCache && this.#cachedBytes + payload.length <= this.#folder.settings.cachedEntryBytes) {
      const { high, low } = log.chain;
      this.#cache.set(seq, new LogEntry(seq, epoch, kind, payload.slice(), high, low));
      this.#cachedBytes += payload.length;
    }
  }

  /** The state machine has taken entry `seq`. */
  forget(seq: number): void {
    const entry = this.#cache.get(seq);
    if (entry !== undefined) {
      this.#cache.delete(seq);
      this.#cachedBytes -= entry.payload.length;
    }
  }

  /** Voids the entries above `seq`; resolves to their number once the mark is framed. */
  async truncateAfter(seq: number, field: string): Promise<number> {
    const { log } = this.#stream;
    for (;;) {
      if (!Number.isSafeInteger(seq) || seq < log.commitSeq || seq > log.lastSeq) {
        const range = `${log.commitSeq + 1} to ${log.lastSeq + 1}`;
        throw invalid(field, `${seq + 1} is outside of what is not committed, ${range}`);
      }
      if (seq === log.lastSeq) {
        return 0;
      }
      const truncations = this.#truncations;
      const chain = await chainAt(this.#folder, this.#stream, seq);
      if (truncations === this.#truncations && seq <= log.lastSeq && seq >= log.commitSeq) {
        return this.#voidAbove(seq, chain);
      }
    }
  }

  /** The entries from `from` to `to` in runs: from memory where all are there, else from the disk. */
  async *runs(from: number, to: number): AsyncGenerator<readonly LogEntry[]> {
    const kept = this.#fromCache(from, to);
    if (kept !== null) {
      yield kept;
      return;
    }
    await this.#folder.writer.acknowledgement()();
    yield* this.#folder.reader.runs(this.#stream.log, from, to);
  }

  #fromCache(from: number, to: number): LogEntry[] | null {
    if (from > to || !this.#cache.has(from) || !this.#cache.has(to)) {
      return null;
    }
    const entries: LogEntry[] = [];
    for (let seq = from; seq <= to; seq++) {
      const entry = this.#cache.get(seq);
      if (entry === undefined) {
        return null;
      }
      entries.push(entry);
    }
    return entries;
  }

  #voidAbove(seq: number, chain: Readonly<Word64>): number {
    const { log } = this.#stream;
    const { writer, store } = this.#folder;
    writer.admit(1, 0);
    this.#truncations += 1;
    const count = log.lastSeq - seq;
    for (let each = seq + 1; each <= log.lastSeq; each++) {
      this.forget(each);
    }
    const epoch = log.epochAt(seq);
    log.truncateAfter(seq, chain);
    writer.frame(RECORD.truncate, { stream: log.id, seq, epoch, kind: 0, chain });
    for (const segment of store.segments) {
      segment.truncate(log.id, seq);
    }
    writer.submit();
    return count;
  }
}

/** The chain after entry `seq`: from memory, from the snapshot, or from the entry's own record. */
export async function chainAt(
  folder: JournalFolder,
  stream: StreamEntry,
  seq: number,
): Promise<Readonly<Word64>> {
  const { log, snapshot } = stream;
  if (seq === log.lastSeq) {
    return { ...log.chain };
  }
  if (seq === 0) {
    return CHAIN_START;
  }
  if (seq >= log.index.firstSeq && seq <= log.index.lastSeq) {
    const known = log.index.chainAt(seq);
    if (known !== null) {
      return known;
    }
    await folder.writer.acknowledgement()();
    return { ...(await folder.reader.header(log, seq)).chain };
  }
  const chain = snapshot?.seq === seq ? parseWord64(snapshot.chain) : null;
  if (chain === null) {
    throw invalid(
      "seq",
      `the chain of entry ${seq} is not known; the log holds ${log.index.firstSeq} to ${log.lastSeq}`,
    );
  }
  return chain;
}
