/**
 * Making room when the segments exceed `maxLogBytes`: the streams that pin the oldest segment are
 * snapshotted where they can be, else their live entries are copied to the end of the log.
 *
 * A copy is framed in one step, between a mark that begins it and one that ends it, so that recovery
 * takes all of it or none; the originals go only once it is durable.
 */

import { extendChain, formatWord64, type Word64 } from "./chain.ts";
import type { LogEntry } from "./entry.ts";
import { createIndex } from "./entry-index.ts";
import { ownerWord } from "./epoch.ts";
import type { JournalFolder, StreamEntry } from "./folder.ts";
import { RECORD, RECORD_HEADER_BYTES, viewOf } from "./format.ts";
import { chainAt } from "./stream-entries.ts";

/** How often a copy is begun anew because the stream went on meanwhile. */
const ATTEMPTS_MAX = 8;

/**
 * Frees old segments until the log fits, or until a step no longer makes it smaller. Throws what a disk
 * throws.
 */
export async function makeRoom(folder: JournalFolder): Promise<void> {
  const { store, settings } = folder;
  for (let before = Number.POSITIVE_INFINITY; before > settings.maxLogBytes; ) {
    if (
      store.totalBytes <= settings.maxLogBytes ||
      store.totalBytes >= before ||
      folder.writer.failure !== null
    ) {
      return;
    }
    before = store.totalBytes;
    let removed = await folder.upkeep.run(() => folder.removeSegments());
    if (removed === 0 && (await relieveOldest(folder))) {
      removed = await folder.upkeep.run(() => folder.removeSegments());
    }
    if (removed === 0) {
      return;
    }
  }
}

/** Snapshots or moves every stream that pins the oldest segment; false when one of them cannot be helped. */
async function relieveOldest(folder: JournalFolder): Promise<boolean> {
  const oldest = folder.store.segments[0];
  if (oldest === undefined || folder.store.segments.length < 2 || oldest.pins > 0) {
    return false;
  }
  const pinning = [...folder.streams.values()].filter(
    ({ log, snapshot }) => oldest.lastSeqOf(log.id) > (snapshot?.seq ?? 0),
  );
  for (const stream of pinning) {
    const snapshotted = stream.relieve !== null && (await stream.relieve());
    const free = oldest.lastSeqOf(stream.log.id) <= (stream.snapshot?.seq ?? 0);
    if (!(snapshotted && free) && !(await copyForward(folder, stream))) {
      return false;
    }
  }
  return pinning.length > 0;
}

/** Copies the live entries of a stream to the end of the log; false when they are too many to gain by it. */
export async function copyForward(folder: JournalFolder, stream: StreamEntry): Promise<boolean> {
  const { log } = stream;
  const base = stream.snapshot?.seq ?? 0;
  const baseChain = await chainAt(folder, stream, base);
  // Half a segment at most, for at least one that goes: more would only write the log round and round.
  const bytesMax = folder.settings.segmentBytes / 2;
  const entriesMax = folder.state.recordsPerSegment / 2;
  if (log.lastSeq - base > entriesMax) {
    return false;
  }
  const entries: LogEntry[] = [];
  let bytes = 0;
  for (let attempts = 0; attempts < ATTEMPTS_MAX; attempts++) {
    await folder.writer.acknowledgement()();
    for await (const run of folder.reader.runs(log, base + entries.length + 1, log.lastSeq)) {
      for (const entry of run) {
        entries.push(entry);
        bytes += entry.payload.length + RECORD_HEADER_BYTES;
      }
      if (bytes > bytesMax || entries.length > entriesMax) {
        return false;
      }
    }
    const isWhole = (): boolean =>
      base + entries.length === log.lastSeq && entries.at(-1)?.chain === formatWord64(log.chain);
    // Framing voids the originals: no removal may run between its own sync and this one.
    const copied =
      isWhole() &&
      (await folder.upkeep.run(async () => {
        if (!isWhole()) {
          return false;
        }
        frameCopies(folder, stream, base, baseChain, entries);
        await folder.writer.sync();
        return true;
      }));
    if (copied) {
      folder.copiedForward += 1;
      return true;
    }
    if (base + entries.length >= log.lastSeq) {
      // What has been read was replaced meanwhile.
      entries.length = 0;
      bytes = 0;
    }
  }
  return false;
}

function frameCopies(
  folder: JournalFolder,
  { log }: StreamEntry,
  base: number,
  baseChain: Readonly<Word64>,
  entries: readonly LogEntry[],
): void {
  const { writer, store } = folder;
  const stream = log.id;
  const index = createIndex(folder.settings.cacheMetadata, base + 1);
  const chain = { high: baseChain.high, low: baseChain.low };
  writer.frame(RECORD.copyBegin, { stream, seq: base, epoch: log.epochAt(base), kind: 0, chain });
  const begin = writer.segment;
  for (const { seq, epoch, kind, payload } of entries) {
    const link = { epochCounter: epoch.counter, epochOwner: ownerWord(epoch.owner), seq, kind };
    extendChain(chain, link, viewOf(payload), 0, payload.length);
    const lsn = writer.frame(RECORD.copy, { stream, seq, epoch, kind, chain }, payload);
    index.push(lsn, chain, writer.segment.note(stream, seq));
  }
  const last = log.lastSeq;
  writer.frame(RECORD.copyEnd, { stream, seq: last, epoch: log.lastEpoch, kind: 0, chain });
  if (log.commitSeq > base) {
    writer.frame(RECORD.commit, {
      stream,
      seq: log.commitSeq,
      epoch: log.epochAt(log.commitSeq),
      kind: 0,
      chain,
    });
  }
  log.relocate(index);
  for (const segment of store.segments) {
    if (segment.number < begin.number) {
      segment.forget(stream);
    }
  }
  writer.submit();
}
