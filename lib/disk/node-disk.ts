/**
 * The disk port on Node's file system.
 *
 * Every operation runs on libuv's pool through the callback functions on raw descriptors: a
 * `FileHandle` costs two more promises per operation and a chain of them costs a turn each. Folders are
 * synced through a read-only descriptor, as POSIX wants; on macOS `fsync` does not empty the drive's own
 * cache, and on Windows a folder cannot be synced at all, which `docs/journal.md` says.
 */
import * as fs from "node:fs";
import { type Disk, DiskError, type DiskFile, type DiskLock, folderOf, type OpenMode } from "./disk.ts";
import { diskError } from "./node-error.ts";
import { takeLock } from "./node-lock.ts";

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  update: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
};

type Done = (error: DiskError | null) => void;

class NodeFile implements DiskFile {
  readonly path: string;
  readonly #descriptor: number;
  /** Operations on libuv's pool: the descriptor is not closed under them, its number may be another file's then. */
  #inFlight = 0;
  #whenIdle: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  size(): Promise<number> {
    return this.#perform((descriptor, resolve, reject) => {
      fs.fstat(descriptor, (error, stats) => (error === null ? resolve(stats.size) : reject(error)));
    });
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#perform((descriptor, resolve, reject) => {
      const step = (done: number): void => {
        fs.read(descriptor, into, done, into.length - done, position + done, (error, got) => {
          if (error !== null) {
            reject(error);
          } else if (got === 0 || done + got === into.length) {
            resolve(done + got);
          } else {
            step(done + got);
          }
        });
      };
      step(0);
    });
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return this.#perform((descriptor, resolve, reject) => {
      this.#writeAll(descriptor, bytes, position, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  sync(): Promise<void> {
    return this.#perform((descriptor, resolve, reject) => {
      fs.fdatasync(descriptor, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  writeDurably(bytes: Uint8Array, position: number): Promise<void> {
    return this.#perform((descriptor, resolve, reject) => {
      this.#writeAll(descriptor, bytes, position, (error) => {
        if (error !== null) {
          reject(error);
          return;
        }
        fs.fdatasync(descriptor, (failure) => (failure === null ? resolve() : reject(failure)));
      });
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await new Promise<void>((resolve, reject) => {
      fs.close(this.#descriptor, (error) => (error ? reject(diskError(error, this.path)) : resolve()));
    });
  }

  #writeAll(descriptor: number, bytes: Uint8Array, position: number, done: Done, from: number = 0): void {
    fs.write(descriptor, bytes, from, bytes.length - from, position + from, (error, count) => {
      if (error !== null) {
        done(diskError(error, this.path));
      } else if (from + count === bytes.length) {
        done(null);
      } else {
        this.#writeAll(descriptor, bytes, position, done, from + count);
      }
    });
  }

  #perform<T>(
    start: (descriptor: number, resolve: (value: T) => void, reject: (error: unknown) => void) => void,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closing !== null) {
        reject(new DiskError("closed", this.path, "is closed"));
        return;
      }
      this.#inFlight += 1;
      start(
        this.#descriptor,
        (value) => {
          this.#landed();
          resolve(value);
        },
        (error) => {
          this.#landed();
          reject(diskError(error, this.path));
        },
      );
    });
  }

  #landed(): void {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) {
      this.#whenIdle?.();
    }
  }
}

class NodeDisk implements Disk {
  async bootId(): Promise<string> {
    try {
      return (await fs.promises.readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    } catch (thrown) {
      if (diskError(thrown, "boot_id").code === "not_found") {
        return "";
      }
      throw diskError(thrown, "/proc/sys/kernel/random/boot_id");
    }
  }

  async makeFolder(path: string): Promise<void> {
    const first = await attempt(path, () => fs.promises.mkdir(path, { recursive: true }));
    if (first === undefined) {
      return;
    }
    for (let made = path; made.length >= first.length; made = folderOf(made)) {
      await this.syncFolder(folderOf(made));
    }
  }

  async list(path: string): Promise<string[]> {
    return (await attempt(path, () => fs.promises.readdir(path))).sort();
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return new Promise((resolve, reject) => {
      fs.open(path, FLAGS[mode], 0o644, (error, descriptor) => {
        if (error === null) {
          resolve(new NodeFile(path, descriptor));
        } else {
          reject(diskError(error, path));
        }
      });
    });
  }

  rename(from: string, to: string): Promise<void> {
    return attempt(from, () => fs.promises.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return attempt(path, () => fs.promises.unlink(path));
  }

  async syncFolder(path: string): Promise<void> {
    await attempt(path, async () => {
      const handle = await fs.promises.open(path, "r");
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }

  async lock(path: string): Promise<DiskLock> {
    return takeLock(path, await this.bootId());
  }
}

async function attempt<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (thrown) {
    throw diskError(thrown, path);
  }
}

export const nodeDisk: Disk = new NodeDisk();
