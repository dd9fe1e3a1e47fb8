/**
 * Opening a journal. `openJournal` is the whole of it for one stream; `openFolder` and `openStream` are
 * for many streams in one folder.
 */
import type { Clock } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import { systemClock } from "../base/system-clock.ts";
import { systemRandom } from "../base/system-random.ts";
import { type Disk, DiskError, type DiskLock, joinPath } from "../disk/disk.ts";
import { nodeDisk } from "../disk/node-disk.ts";
import { restoreBackup } from "./backup.ts";
import { JournalError } from "./errors.ts";
import { type FolderParts, JournalFolder, type Ports, type StreamEntry } from "./folder.ts";
import { FORMAT_VERSION, RECORD } from "./format.ts";
import type { Found } from "./found.ts";
import { Journal } from "./journal.ts";
import type { StateMachine } from "./machine.ts";
import { type JournalOptions, type Settings, toSettings } from "./options.ts";
import { examineFolder } from "./recovery.ts";
import { makeRoom } from "./relief.ts";
import { type RecoveryReport, removeLeftovers, repairTail } from "./repair.ts";
import { SlotFile } from "./slots.ts";
import { JOURNAL_STATE_NAME, type JournalState, LOCK_NAME, streamStateName } from "./state.ts";

/** The ports, each Node's own unless given; the simulator gives its own. */
export interface PortOptions {
  readonly disk?: Disk;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface OpenOptions extends JournalOptions, PortOptions {}

export interface OpenJournalOptions extends OpenOptions {
  readonly machine?: StateMachine;
  /** The stream's name, `main` unless given. */
  readonly stream?: string;
}

const DEFAULT_STREAM = "main";
const STREAM_NAME_MAX = 200;

/**
 * Opens the journal in `dir`, creating it where there is none, and replays it unless told not to.
 *
 * Throws `config_mismatch` (an option cannot be, or differs from what the journal was made with),
 * `journal_locked`, `journal_damaged` (naming file and offset; nothing was changed), `journal_format`.
 */
export async function openJournal(dir: string, options: OpenJournalOptions = {}): Promise<Journal> {
  const { machine, stream, ...rest } = options;
  const folder = await openFolder(dir, rest);
  folder.reader.trusting = true;
  try {
    const journal = await openOn(folder, stream ?? DEFAULT_STREAM, machine ?? null, true);
    folder.reader.trusting = false;
    return journal;
  } catch (thrown) {
    await folder.close();
    throw thrown;
  }
}

/** Opens one stream of a folder; streams come into being when they are first opened. */
export function openStream(
  folder: JournalFolder,
  name: string,
  machine: StateMachine | null = null,
): Promise<Journal> {
  return openOn(folder, name, machine, false);
}

/** Opens a folder for many streams. Throws as `openJournal` does. */
export async function openFolder(dir: string, options: OpenOptions = {}): Promise<JournalFolder> {
  const { disk = nodeDisk, clock = systemClock, random = systemRandom, ...tuning } = options;
  if (typeof dir !== "string" || dir === "") {
    throw new SupercastError("config_mismatch", "dir: the journal's folder is missing");
  }
  const settings = toSettings(tuning);
  const ports: Ports = { disk, clock, random };
  await disk.makeFolder(dir);
  const lock = await takeLock(disk, dir);
  try {
    const found = await examineFolder(disk, dir, settings.cacheMetadata);
    return found === null
      ? await createFolder(dir, ports, settings, lock)
      : await resumeFolder(dir, ports, settings, lock, found, tuning);
  } catch (thrown) {
    await lock.release();
    throw thrown;
  }
}

/** Writes a journal's folder from what `backup()` gave; `dir` must hold none. */
export async function restoreJournal(
  dir: string,
  source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: Pick<PortOptions, "disk"> = {},
): Promise<void> {
  const disk = options.disk ?? nodeDisk;
  await disk.makeFolder(dir);
  const lock = await takeLock(disk, dir);
  try {
    await restoreBackup(disk, dir, source);
  } finally {
    await lock.release();
  }
}

async function openOn(
  folder: JournalFolder,
  name: string,
  machine: StateMachine | null,
  owns: boolean,
): Promise<Journal> {
  if (typeof name !== "string" || name === "" || name.length > STREAM_NAME_MAX) {
    throw new SupercastError(
      "config_mismatch",
      `stream ${JSON.stringify(name)}: use 1 to ${STREAM_NAME_MAX} characters`,
    );
  }
  const stream = await folder.stream(name);
  if (stream.open) {
    throw new JournalError("journal_busy", `${folder.path}: stream ${name} is open already`);
  }
  const journal = new Journal(folder, stream, machine, owns);
  if (folder.settings.replayOnOpen) {
    try {
      await journal.replay();
    } catch (thrown) {
      stream.open = false;
      throw thrown;
    }
  }
  return journal;
}

async function takeLock(disk: Disk, dir: string): Promise<DiskLock> {
  try {
    return await disk.lock(joinPath(dir, LOCK_NAME));
  } catch (thrown) {
    if (thrown instanceof DiskError && thrown.code === "locked") {
      throw new JournalError("journal_locked", thrown.message, { cause: thrown });
    }
    throw thrown;
  }
}

/** A new journal: its state first, which says that there is no segment yet; then the first segment. */
async function createFolder(
  dir: string,
  ports: Ports,
  settings: Settings,
  lock: DiskLock,
): Promise<JournalFolder> {
  const state: JournalState = {
    format: FORMAT_VERSION,
    journalId: newJournalId(ports.random),
    recordsPerSegment: settings.recordsPerSegment,
    firstSegment: 0,
    lastSegment: -1,
    allocatedBytes: 0,
    syncedLsn: 0,
    closed: false,
    bootId: await ports.disk.bootId(),
  };
  const slots = await SlotFile.create(ports.disk, dir, JOURNAL_STATE_NAME, state);
  const report: RecoveryReport = {
    created: true,
    closedInOrder: true,
    sameBoot: true,
    tail: "clean",
    tailWhy: "the journal is new",
    cutBytes: 0,
    cutFile: null,
    segments: 0,
    streams: 0,
  };
  const parts = { path: dir, ports, settings, lock, slots, state, segments: [], streams: new Map(), report };
  return started(new JournalFolder(parts, makeRoom), (folder) => folder.start());
}

async function resumeFolder(
  dir: string,
  ports: Ports,
  settings: Settings,
  lock: DiskLock,
  found: Found,
  tuning: JournalOptions,
): Promise<JournalFolder> {
  const { disk } = ports;
  checkUnchanged(found.state, tuning);
  const bootId = await disk.bootId();
  // A name that a killed process gave may be in the cache only, and what follows builds on it.
  await disk.syncFolder(dir);
  const opened: SlotFile[] = [];
  let resumed: Resumed;
  try {
    resumed = await resume(disk, dir, found, bootId, opened);
  } catch (thrown) {
    // Why the opening failed is what counts; a file that cannot be closed stays with the process.
    await Promise.allSettled(opened.map((file) => file.close()));
    throw thrown;
  }
  const parts = { path: dir, ports, settings, lock, segments: found.segments, ...resumed };
  return started(new JournalFolder(parts, makeRoom), async (folder) => {
    await folder.start();
    await markResets(folder, found);
  });
}

/** What opening makes of a folder that is sound. */
type Resumed = Pick<FolderParts, "slots" | "state" | "streams" | "report">;

/** Repairs what recovery found. Each state file it opens is in `opened` at once, whatever fails then. */
async function resume(
  disk: Disk,
  dir: string,
  found: Found,
  bootId: string,
  opened: SlotFile[],
): Promise<Resumed> {
  const streams = await openStreams(disk, dir, found, opened);
  const cutFile = await repairTail(disk, dir, found);
  await removeLeftovers(disk, dir, found.leftovers);
  const newest = found.segments.at(-1);
  const state: JournalState = {
    ...found.state,
    lastSegment: newest?.number ?? -1,
    allocatedBytes: newest?.allocatedBytes ?? 0,
    syncedLsn: newest?.endLsn ?? 0,
    closed: false,
    bootId,
  };
  const slots = await SlotFile.open(disk, joinPath(dir, JOURNAL_STATE_NAME), found.slots);
  opened.push(slots);
  await slots.update(state);
  return { slots, state, streams, report: reportOf(found, bootId, cutFile) };
}

/** The folder once `steps` are done; it lets go of its files when they fail. */
async function started(
  folder: JournalFolder,
  steps: (folder: JournalFolder) => Promise<void>,
): Promise<JournalFolder> {
  try {
    await steps(folder);
    return folder;
  } catch (thrown) {
    await Promise.allSettled([folder.abandon()]);
    throw thrown;
  }
}

/** What is fixed for the life of a journal may be left out, or said again, but not changed. */
function checkUnchanged(state: JournalState, tuning: JournalOptions): void {
  const given = tuning.recordsPerSegment;
  if (given !== undefined && given !== state.recordsPerSegment) {
    const made = `the journal was made with ${state.recordsPerSegment}`;
    throw new SupercastError(
      "config_mismatch",
      `journal option recordsPerSegment is ${given}; ${made}, which cannot be changed`,
    );
  }
}

/** An uncertain tail is noted with every stream before it is cut, so that no later opening forgets it. */
async function openStreams(
  disk: Disk,
  dir: string,
  found: Found,
  opened: SlotFile[],
): Promise<Map<string, StreamEntry>> {
  const uncertain = found.tail?.verdict === "uncertain";
  const streams = new Map<string, StreamEntry>();
  for (const { state, slots, log, snapshot } of found.streams) {
    const file = await SlotFile.open(disk, joinPath(dir, streamStateName(state.id)), slots);
    opened.push(file);
    const now = uncertain ? { ...state, tailCertain: false } : state;
    if (uncertain) {
      await file.update(now);
    }
    streams.set(state.name, { log, slots: file, state: now, snapshot, relieve: null, open: false });
  }
  return streams;
}

/** A snapshot was installed and the mark in the log was lost with a crash: it is made again. */
async function markResets(folder: JournalFolder, found: Found): Promise<void> {
  for (const { log, snapshot, needsReset } of found.streams) {
    if (needsReset && snapshot !== null) {
      const fields = { stream: log.id, seq: snapshot.seq, epoch: snapshot.epoch, kind: 0, chain: log.chain };
      folder.writer.frame(RECORD.reset, fields);
      folder.writer.submit();
    }
  }
  await folder.writer.sync();
}

function reportOf(found: Found, bootId: string, cutFile: string | null): RecoveryReport {
  const { tail } = found;
  const verdict = tail?.verdict ?? "clean";
  return {
    created: false,
    closedInOrder: found.state.closed,
    sameBoot: bootId !== "" && bootId === found.state.bootId,
    tail: verdict === "damaged" ? "uncertain" : verdict,
    tailWhy: tail?.why ?? "the last segment is closed",
    cutBytes: tail === null ? 0 : Math.max(0, tail.usedEnd - tail.offset),
    cutFile,
    segments: found.segments.length,
    streams: found.streams.length,
  };
}

function newJournalId(random: Random): string {
  let digits = "";
  for (let index = 0; index < 32; index++) {
    digits += random.below(16).toString(16);
  }
  return digits;
}
