/**
 * The disk port: files and folders as the journal needs them, and no more.
 *
 * What an implementation promises: a `write` that has resolved is seen by every later `read`; bytes that
 * `sync` or `writeDurably` have covered survive a crash of the machine; a created, renamed or removed
 * name survives one after `syncFolder` of its folder. Nothing else may be assumed: without those calls
 * any subset of the written sectors, and any of the name changes, may be gone after a crash.
 */

/** The reasons a disk operation can fail for, as the journal tells them apart. */
export type DiskErrorCode = "not_found" | "exists" | "no_space" | "io" | "locked" | "closed" | "denied";

/** Raised by every operation of a disk; `cause` holds what the system said. */
export class DiskError extends Error {
  override readonly name: string = "DiskError";
  readonly code: DiskErrorCode;
  readonly path: string;

  constructor(code: DiskErrorCode, path: string, message: string, options: { cause?: unknown } = {}) {
    super(`${path}: ${message}`, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.path = path;
  }

  /** Whether the same operation may succeed when repeated without anyone having repaired the disk. */
  get retryable(): boolean {
    return this.code === "locked";
  }
}

/** `read`: must exist; `update`: must exist, read and write; `create`: must not exist, read and write. */
export type OpenMode = "read" | "update" | "create";

export interface DiskFile {
  readonly path: string;
  /** The length in bytes. */
  size(): Promise<number>;
  /**
   * Fills `into` from `position`; resolves to the bytes read, fewer than asked only at the file's end. What
   * `into` holds may change from the call on, and is unknown when the read fails.
   */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes all of `bytes`, growing the file where needed. `bytes` must not change until it resolves. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Makes all that was written durable, and the length with it (fdatasync). */
  sync(): Promise<void>;
  /** `write` and `sync` in one operation, which an implementation may do in fewer steps. */
  writeDurably(bytes: Uint8Array, position: number): Promise<void>;
  /** Harmless when called again. */
  close(): Promise<void>;
}

/** The right to be the only writer of a folder. */
export interface DiskLock {
  release(): Promise<void>;
}

export interface Disk {
  /** Changes whenever the machine starts anew; empty where the system does not tell. */
  bootId(): Promise<string>;
  /** Creates the folder and its parents, durably; harmless when it is there. */
  makeFolder(path: string): Promise<void>;
  /** The names in a folder, sorted. */
  list(path: string): Promise<string[]>;
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Atomic; replaces `to` when it exists. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes creations, renames and removals in this folder durable. */
  syncFolder(path: string): Promise<void>;
  /**
   * Takes the lock file at `path`; throws `locked`, naming the owner, while a live process holds it. A
   * lock left by a process that is dead, or by an earlier life of the machine, is taken over.
   */
  lock(path: string): Promise<DiskLock>;
}

/** The unit that a disk writes whole or not at all; the recovery rules of the journal rest on it. */
export const SECTOR_BYTES = 512;

/** Reads a whole file. Throws `not_found` where there is none, `io` where it exceeds `maxBytes`. */
export async function readWhole(disk: Disk, path: string, maxBytes: number): Promise<Uint8Array> {
  const file = await disk.open(path, "read");
  try {
    const size = await file.size();
    if (size > maxBytes) {
      throw new DiskError("io", path, `is ${size} bytes long, at most ${maxBytes} are expected`);
    }
    const bytes = new Uint8Array(size);
    const got = await file.read(bytes, 0);
    return got === size ? bytes : bytes.subarray(0, got);
  } finally {
    await file.close();
  }
}

/** Joins a folder and a name with one slash. */
export function joinPath(folder: string, name: string): string {
  return folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;
}

/** The folder part of a path: everything before the last slash. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash > 0 ? path.slice(0, slash) : slash === 0 ? "/" : ".";
}
