/**
 * What the state files hold: `journal.state` for the folder, `stream-<id>.state` for each stream.
 * Read from disk they are checked field by field; a field that is wrong is damage that is named.
 */
import type { Epoch } from "./epoch.ts";

/** The folder's own state. */
export interface JournalState {
  readonly format: number;
  readonly journalId: string;
  readonly recordsPerSegment: number;
  /** The oldest segment that still counts; files below it are leftovers of a removal. */
  readonly firstSegment: number;
  /** The newest segment known to exist, -1 before the first. The one after it may exist too. */
  readonly lastSegment: number;
  /** The length that the newest segment's file has at least. */
  readonly allocatedBytes: number;
  /** The log is durable at least to here. */
  readonly syncedLsn: number;
  /** Whether the journal was closed in order, so that `syncedLsn` is exactly its end. */
  readonly closed: boolean;
  readonly bootId: string;
}

/** A configuration under which the stream was sealed and that is not yet retired, in the stream's own form. */
export interface Successor {
  readonly epoch: Epoch;
  readonly configuration: unknown;
}

/** What a replica of a stream must never forget. */
export interface HardState {
  readonly promise: Epoch;
  readonly activated: Epoch;
  readonly successors: readonly Successor[];
  readonly incarnation: string;
}

/** A snapshot in force. */
export interface SnapshotInfo {
  readonly seq: number;
  readonly epoch: Epoch;
  /** The chain after `seq`, as sixteen hexadecimal digits. */
  readonly chain: string;
  readonly bytes: number;
}

export interface StreamState {
  readonly format: number;
  readonly id: number;
  readonly name: string;
  readonly hardState: HardState | null;
  /** Oldest first. */
  readonly snapshots: readonly SnapshotInfo[];
  /** Entries known committed and known durable when this was written. */
  readonly commitSeq: number;
  readonly syncedSeq: number;
  /** The journal's synced position when this was written. */
  readonly syncedLsn: number;
  readonly bootId: string;
  /** False from an opening with an uncertain tail until `confirmTail`. */
  readonly tailCertain: boolean;
}

export const JOURNAL_STATE_NAME = "journal.state";
export const LOCK_NAME = "journal.lock";

const STREAM_STATE_NAME = /^stream-([0-9a-f]{4})\.state$/;
const SNAPSHOT_NAME = /^snapshot-([0-9a-f]{4})-([0-9a-f]{16})\.snap$/;

export function streamStateName(id: number): string {
  return `stream-${id.toString(16).padStart(4, "0")}.state`;
}

export function streamIdIn(name: string): number | null {
  const digits = STREAM_STATE_NAME.exec(name)?.[1];
  return digits === undefined ? null : Number.parseInt(digits, 16);
}

export function snapshotName(stream: number, seq: number): string {
  return `snapshot-${stream.toString(16).padStart(4, "0")}-${seq.toString(16).padStart(16, "0")}.snap`;
}

export function isSnapshotName(name: string): boolean {
  return SNAPSHOT_NAME.test(name);
}

/** A reader of fields that collects what is wrong instead of throwing at the first. */
class Fields {
  readonly problems: string[] = [];
  readonly #value: Readonly<Record<string, unknown>>;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    this.#path = path;
    this.#value = typeof value === "object" && value !== null ? { ...value } : {};
    if (typeof value !== "object" || value === null) {
      this.problems.push(`${path || "the state"} is not an object`);
    }
  }

  integer(name: string, min: number = 0): number {
    const value = this.#value[name];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= min) {
      return value;
    }
    this.problems.push(`${this.#path}${name} is not an integer from ${min}`);
    return min;
  }

  text(name: string): string {
    const value = this.#value[name];
    if (typeof value === "string") {
      return value;
    }
    this.problems.push(`${this.#path}${name} is not a text`);
    return "";
  }

  flag(name: string): boolean {
    const value = this.#value[name];
    if (typeof value !== "boolean") {
      this.problems.push(`${this.#path}${name} is neither true nor false`);
    }
    return value === true;
  }

  epoch(name: string): Epoch {
    const fields = this.nested(this.#value[name], name);
    return this.#taken(fields, { counter: fields.integer("counter"), owner: fields.text("owner") });
  }

  list<T>(name: string, read: (fields: Fields, value: unknown) => T): T[] {
    const value: unknown = this.#value[name];
    if (!Array.isArray(value)) {
      this.problems.push(`${this.#path}${name} is not a list`);
      return [];
    }
    return value.map((item: unknown, index) => {
      const fields = this.nested(item, `${name}[${index}]`);
      return this.#taken(fields, read(fields, item));
    });
  }

  optional<T>(name: string, read: (fields: Fields) => T): T | null {
    const value = this.#value[name];
    if (value === null) {
      return null;
    }
    const fields = this.nested(value, name);
    return this.#taken(fields, read(fields));
  }

  raw(name: string): unknown {
    return this.#value[name];
  }

  nested(value: unknown, name: string): Fields {
    return new Fields(value, `${this.#path}${name}.`);
  }

  #taken<T>(fields: Fields, value: T): T {
    this.problems.push(...fields.problems);
    return value;
  }
}

/** The state in `value`, or what is wrong with it. */
export function toJournalState(value: unknown): JournalState | { readonly problems: readonly string[] } {
  const fields = new Fields(value, "");
  const state: JournalState = {
    format: fields.integer("format", 1),
    journalId: fields.text("journalId"),
    recordsPerSegment: fields.integer("recordsPerSegment", 1),
    firstSegment: fields.integer("firstSegment"),
    lastSegment: fields.integer("lastSegment", -1),
    allocatedBytes: fields.integer("allocatedBytes"),
    syncedLsn: fields.integer("syncedLsn"),
    closed: fields.flag("closed"),
    bootId: fields.text("bootId"),
  };
  return fields.problems.length === 0 ? state : { problems: fields.problems };
}

export function toStreamState(value: unknown): StreamState | { readonly problems: readonly string[] } {
  const fields = new Fields(value, "");
  const state: StreamState = {
    format: fields.integer("format", 1),
    id: fields.integer("id"),
    name: fields.text("name"),
    hardState: fields.optional("hardState", toHardState),
    snapshots: fields.list("snapshots", (item) => ({
      seq: item.integer("seq"),
      epoch: item.epoch("epoch"),
      chain: item.text("chain"),
      bytes: item.integer("bytes"),
    })),
    commitSeq: fields.integer("commitSeq"),
    syncedSeq: fields.integer("syncedSeq"),
    syncedLsn: fields.integer("syncedLsn"),
    bootId: fields.text("bootId"),
    tailCertain: fields.flag("tailCertain"),
  };
  return fields.problems.length === 0 ? state : { problems: fields.problems };
}

function toHardState(fields: Fields): HardState {
  return {
    promise: fields.epoch("promise"),
    activated: fields.epoch("activated"),
    successors: fields.list("successors", (item) => ({
      epoch: item.epoch("epoch"),
      configuration: item.raw("configuration"),
    })),
    incarnation: fields.text("incarnation"),
  };
}
