/**
 * The tuning parameters of a journal, each declared once with its default, its bounds and what it is for.
 * `docs/journal.md` shows the same table; a spec compares the two.
 */
import { SupercastError } from "../base/errors.ts";
import { PAYLOAD_BYTES_MAX, SEAL_RESERVE_BYTES, SEGMENT_HEADER_BYTES } from "./format.ts";

export type SyncMode = "batch" | "interval" | "writeThrough" | "none";
export type CompactionMode = "sequential" | "background" | "foreground" | "incremental";

export const SYNC_MODES: readonly SyncMode[] = ["batch", "interval", "writeThrough", "none"];
export const COMPACTION_MODES: readonly CompactionMode[] = [
  "sequential",
  "background",
  "foreground",
  "incremental",
];

interface NumberOption {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly help: string;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** Numbers: default, least and greatest value. */
export const NUMBER_OPTIONS = {
  recordsPerSegment: {
    default: 1_000_000,
    min: 2,
    max: 0xffff_ffff,
    help: "records after which a segment closes, and committed entries after which a stream is due for a snapshot; fixed for the life of a journal",
  },
  segmentBytes: {
    default: 64 * MIB,
    min: 16 * KIB,
    max: 1024 * MIB,
    help: "bytes after which a segment closes; may differ from one opening to the next",
  },
  preallocateBytes: {
    default: 64 * MIB,
    min: 8 * KIB,
    max: 1024 * MIB,
    help: "bytes of zeros a new segment is given before its first record, and by which it grows; at most segmentBytes counts",
  },
  bufferBytes: {
    default: 64 * KIB,
    min: 4 * KIB,
    max: 16 * MIB,
    help: "bytes of memory for one write or one read; an entry that is larger gets its own",
  },
  maxPendingBytes: {
    default: 64 * MIB,
    min: 64 * KIB,
    max: 1024 * MIB,
    help: "bytes appended and not yet written, above which an append is refused with overload",
  },
  syncIntervalMs: {
    default: 100,
    min: 1,
    max: 60_000,
    help: 'between two syncs when sync is "interval"',
  },
  markIntervalMs: {
    default: 1_000,
    min: 1,
    max: 60_000,
    help: "how long after a sync the synced position is written to the state file, so that later damage is known as such",
  },
  maxConcurrentReads: {
    default: 8,
    min: 1,
    max: 1_024,
    help: "reads that run side by side, each with a buffer of its own; further ones wait",
  },
  maxWaitingReads: {
    default: 10_000,
    min: 1,
    max: 1_000_000,
    help: "reads that may wait for their turn, above which one is refused with overload",
  },
  cachedEntryBytes: {
    default: 16 * MIB,
    min: 0,
    max: 1024 * MIB,
    help: "payload bytes of uncommitted entries kept in memory, so that a commit applies them without reading",
  },
  maxLogBytes: {
    default: 4 * 1024 * MIB,
    min: 64 * KIB,
    max: Number.MAX_SAFE_INTEGER,
    help: "bytes of segments above which the stream that pins the oldest one is snapshotted or copied forward",
  },
  keepSnapshots: {
    default: 2,
    min: 1,
    max: 16,
    help: "snapshots kept of each stream, the newest included",
  },
} as const satisfies Record<string, NumberOption>;

export type NumberOptions = { readonly [Name in keyof typeof NUMBER_OPTIONS]: number };

/** Options that are not numbers, for the table in the docs. */
export const OTHER_OPTIONS = {
  sync: {
    default: '"batch"',
    help: 'when an append is answered: after the sync it shares with all that waited ("batch"), after its own write and sync ("writeThrough"), after its write with a sync every syncIntervalMs ("interval") or with none ("none")',
  },
  compaction: {
    default: '"incremental"',
    help: "when snapshots are made and who waits for them",
  },
  cacheMetadata: {
    default: "true",
    help: "position and chain of every entry in memory; false keeps every 128th position and reads the rest",
  },
  replayOnOpen: {
    default: "true",
    help: "restore the snapshot and apply the committed entries while opening; false leaves it to replay()",
  },
  allocate: {
    default: "new Uint8Array",
    help: "gives the memory for writes and reads",
  },
  release: {
    default: "none",
    help: "takes back memory that `allocate` gave for writes",
  },
  onFailure: {
    default: "none",
    help: "told once, with the error, when the journal closes itself",
  },
} as const;

export type OtherOptionName = keyof typeof OTHER_OPTIONS;

/** Everything a journal folder can be told; what is left out takes its default. */
export interface JournalOptions extends Partial<NumberOptions> {
  readonly sync?: SyncMode;
  readonly compaction?: CompactionMode;
  readonly cacheMetadata?: boolean;
  readonly replayOnOpen?: boolean;
  readonly allocate?: (bytes: number) => Uint8Array;
  readonly release?: (buffer: Uint8Array) => void;
  readonly onFailure?: (error: Error) => void;
}

export interface Settings extends NumberOptions {
  readonly sync: SyncMode;
  readonly compaction: CompactionMode;
  readonly cacheMetadata: boolean;
  readonly replayOnOpen: boolean;
  readonly allocate: (bytes: number) => Uint8Array;
  readonly release: (buffer: Uint8Array) => void;
  readonly onFailure: (error: Error) => void;
  /** The largest payload that fits a segment. */
  readonly payloadBytesMax: number;
}

/** Fills in the defaults; throws `config_mismatch` naming the first option that cannot be. */
export function toSettings(options: JournalOptions): Settings {
  const numbers = { ...defaultNumbers(), ...dropUndefined(options) };
  for (const [name, { min, max }] of Object.entries(NUMBER_OPTIONS)) {
    const value: unknown = Reflect.get(numbers, name);
    if (!Number.isSafeInteger(value) || Number(value) < min || Number(value) > max) {
      throw refused(name, value, `an integer from ${min} to ${max}`);
    }
  }
  const settings = {
    ...numbers,
    sync: oneOf("sync", options.sync ?? "batch", SYNC_MODES),
    compaction: oneOf("compaction", options.compaction ?? "incremental", COMPACTION_MODES),
    cacheMetadata: ofType("cacheMetadata", options.cacheMetadata ?? true, "boolean"),
    replayOnOpen: ofType("replayOnOpen", options.replayOnOpen ?? true, "boolean"),
    allocate: ofType("allocate", options.allocate ?? newBytes, "function"),
    release: ofType("release", options.release ?? ignoreBuffer, "function"),
    onFailure: ofType("onFailure", options.onFailure ?? ignoreError, "function"),
  };
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(NUMBER_OPTIONS, name) && !Object.hasOwn(OTHER_OPTIONS, name)) {
      throw new SupercastError("config_mismatch", `journal option ${name} is not known`);
    }
  }
  return {
    ...settings,
    preallocateBytes: Math.min(settings.preallocateBytes, settings.segmentBytes),
    payloadBytesMax: Math.min(
      PAYLOAD_BYTES_MAX,
      settings.segmentBytes - SEGMENT_HEADER_BYTES - 2 * SEAL_RESERVE_BYTES,
    ),
  };
}

function defaultNumbers(): NumberOptions {
  const entries = Object.entries(NUMBER_OPTIONS).map(([name, option]) => [name, option.default]);
  return Object.fromEntries(entries);
}

/** Without the entries that are there but undefined, so that they do not hide a default. */
function dropUndefined(options: JournalOptions): JournalOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) {
    throw refused(name, value, allowed.join(", "));
  }
  return value;
}

function ofType<T>(name: string, value: T, type: "boolean" | "function"): T {
  if (typeof value !== type) {
    throw refused(name, value, `a ${type}`);
  }
  return value;
}

function refused(name: string, value: unknown, allowed: string): SupercastError {
  return new SupercastError(
    "config_mismatch",
    `journal option ${name} is ${String(value)}; allowed: ${allowed}`,
  );
}

function newBytes(bytes: number): Uint8Array {
  return new Uint8Array(bytes);
}

function ignoreBuffer(): void {
  // Left to the garbage collector.
}

function ignoreError(): void {
  // Whoever uses the journal meets the failure with the next call.
}
