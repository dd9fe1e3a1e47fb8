/**
 * The segment files of a folder: which there are, creating the next, writing extents, reading, removing.
 *
 * A segment file gets its whole length of zeros, synced, under a draft name; with its header in place and
 * synced again it is renamed, the folder synced, and only then may a record go into it. So a write in
 * place never changes a length, an fdatasync has no metadata to carry, a file that is shorter than it
 * says has been cut by someone, and a full disk is met here and not in the middle of a record.
 */
import { invariant } from "../base/invariant.ts";
import { type Disk, type DiskFile, joinPath } from "../disk/disk.ts";
import type { Extent } from "./batch.ts";
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from "./format.ts";
import type { Segment } from "./segment.ts";
import { removeIfThere } from "./slots.ts";

const ZEROS = new Uint8Array(1024 * 1024);
/** Zeros are synced in steps, so that a sync of records never waits for all of them. */
const ZEROS_SYNC_BYTES = 4 * 1024 * 1024;
export const DRAFT_NAME = "segment.draft";

/** What the store tells its owner before it goes on; the state file is the owner's. */
export interface SegmentEvents {
  /** A new segment has its name, durably; must be durable itself before records are acknowledged. */
  created(segment: Segment): Promise<void>;
  /** The newest segment's file has grown. */
  grown(segment: Segment): Promise<void>;
}

export class SegmentStore {
  /** Oldest first; the last one may not have its file yet. */
  readonly segments: Segment[];
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #preallocateBytes: number;
  readonly #events: SegmentEvents;
  /** The segment whose file takes writes, and that file. */
  #active: { readonly segment: Segment; readonly file: DiskFile } | null = null;
  #draft: Promise<DiskFile> | null = null;
  readonly #readers = new Map<Segment, Promise<DiskFile>>();
  #closed = false;

  constructor(
    disk: Disk,
    folder: string,
    segments: Segment[],
    preallocateBytes: number,
    events: SegmentEvents,
  ) {
    this.#disk = disk;
    this.#folder = folder;
    this.segments = segments;
    this.#preallocateBytes = preallocateBytes;
    this.#events = events;
  }

  /** All bytes of segment files. */
  get totalBytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.allocatedBytes, 0);
  }

  /** The segment that holds the record at `lsn`. */
  segmentOf(lsn: number): Segment {
    const { segments } = this;
    let low = 0;
    let high = segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((segments[middle]?.header.firstLsn ?? 0) <= lsn) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    const segment = segments[low];
    invariant(segment !== undefined && segment.header.firstLsn <= lsn, `no segment holds LSN ${lsn}`);
    return segment;
  }

  /** Takes up writing where recovery left off. */
  async openActive(segment: Segment): Promise<void> {
    this.#active = { segment, file: await this.#disk.open(segment.path, "update") };
  }

  /** Writes an extent, creating or growing its segment's file first; durable when `durably`. */
  async writeExtent(extent: Extent, bytes: Uint8Array, durably: boolean): Promise<void> {
    const file = await this.#fileFor(extent);
    const piece = bytes.subarray(extent.start, extent.end);
    if (durably) {
      await file.writeDurably(piece, extent.position);
    } else {
      await file.write(piece, extent.position);
    }
  }

  /** Makes everything written so far durable. */
  async sync(): Promise<void> {
    await this.#active?.file.sync();
  }

  /** Begins to prepare the next segment's file, so that it is there when the present one is full. */
  prepare(): void {
    if (this.#draft === null) {
      const draft = this.#makeDraft();
      this.#draft = draft;
      // A failure is met by whoever needs the draft; until then nobody has asked for it.
      draft.catch(() => undefined);
    }
  }

  get preparing(): boolean {
    return this.#draft !== null;
  }

  /** Creates the file of `segment`, which is the newest, and makes it the one that takes writes. */
  async create(segment: Segment): Promise<void> {
    const previous = this.#active;
    await previous?.file.sync();
    this.prepare();
    const file = await this.#draft;
    invariant(file !== null, "a draft is there once it was prepared");
    await file.writeDurably(encodeSegmentHeader(segment.header), 0);
    await this.#disk.rename(joinPath(this.#folder, DRAFT_NAME), segment.path);
    await this.#disk.syncFolder(this.#folder);
    segment.allocatedBytes = await file.size();
    // Until here the file is the draft's, which `close` closes whatever fails.
    this.#draft = null;
    this.#active = { segment, file };
    await previous?.file.close();
    await this.#events.created(segment);
  }

  /** Reads into `into` from the file of `segment`; the caller has pinned it. */
  async read(segment: Segment, into: Uint8Array, offset: number): Promise<number> {
    if (this.#closed) {
      return this.#readOnce(segment, into, offset);
    }
    let opening = this.#readers.get(segment);
    if (opening === undefined) {
      opening = this.#disk.open(segment.path, "read");
      this.#readers.set(segment, opening);
      opening.catch(() => this.#readers.delete(segment));
    }
    return (await opening).read(into, offset);
  }

  /** Removes the files of the first `count` segments and makes the removal durable. */
  async removeFirst(count: number): Promise<void> {
    for (const segment of this.segments.splice(0, count)) {
      invariant(segment.pins === 0, `segment ${segment.number} is being read`);
      const reader = this.#readers.get(segment);
      this.#readers.delete(segment);
      await (await reader)?.close();
      await this.#disk.remove(segment.path);
    }
    await this.#disk.syncFolder(this.#folder);
  }

  /** A read that goes on after the store was closed leaves no file open. */
  async #readOnce(segment: Segment, into: Uint8Array, offset: number): Promise<number> {
    const file = await this.#disk.open(segment.path, "read");
    try {
      return await file.read(into, offset);
    } finally {
      await file.close();
    }
  }

  /** Closes every file; a draft stays behind and is removed at the next opening. */
  async close(): Promise<void> {
    this.#closed = true;
    const opening = [...this.#readers.values(), ...(this.#draft === null ? [] : [this.#draft])];
    this.#readers.clear();
    this.#draft = null;
    const settled = await Promise.allSettled(opening);
    for (const result of settled) {
      if (result.status === "fulfilled") {
        await result.value.close();
      }
    }
    await this.#active?.file.close();
    this.#active = null;
  }

  async #fileFor(extent: Extent): Promise<DiskFile> {
    if (this.#active?.segment !== extent.segment) {
      await this.create(extent.segment);
    }
    const active = this.#active;
    invariant(active !== null && active.segment === extent.segment, "writes go to the newest segment");
    const end = extent.position + extent.end - extent.start;
    if (end > active.segment.allocatedBytes) {
      await this.#grow(active.segment, active.file, end);
    }
    return active.file;
  }

  async #grow(segment: Segment, file: DiskFile, needed: number): Promise<void> {
    const from = segment.allocatedBytes;
    const steps = Math.ceil((needed - from) / this.#preallocateBytes);
    const to = Math.max(needed, Math.min(from + steps * this.#preallocateBytes, segment.header.segmentBytes));
    await writeZeros(file, from, to);
    segment.allocatedBytes = to;
    await this.#events.grown(segment);
  }

  async #makeDraft(): Promise<DiskFile> {
    const path = joinPath(this.#folder, DRAFT_NAME);
    await removeIfThere(this.#disk, path);
    const file = await this.#disk.open(path, "create");
    try {
      await writeZeros(file, 0, Math.max(SEGMENT_HEADER_BYTES, this.#preallocateBytes));
      return file;
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
  }
}

/** Fills `[from, to)` of a file with zeros, durably. */
export async function writeZeros(file: DiskFile, from: number, to: number): Promise<void> {
  let unsynced = 0;
  for (let at = from; at < to; ) {
    const piece = ZEROS.subarray(0, Math.min(ZEROS.length, to - at));
    await file.write(piece, at);
    at += piece.length;
    unsynced += piece.length;
    if (unsynced >= ZEROS_SYNC_BYTES) {
      await file.sync();
      unsynced = 0;
    }
  }
  await file.sync();
}
