/** The disk port as one life of a process sees a simulated disk (`simulated-disk.ts`). */
import { type Disk, DiskError, type DiskFile, type DiskLock, folderOf, type OpenMode } from "./disk.ts";
import type { SimulatedDisk } from "./simulated-disk.ts";
import type { SimulatedFile } from "./simulated-file.ts";

/** What a buffer holds while it is being read into. */
const IN_FLIGHT = 0xa5;

export class MountedDisk implements Disk {
  readonly #disk: SimulatedDisk;
  readonly #life: number;

  constructor(disk: SimulatedDisk, life: number) {
    this.#disk = disk;
    this.#life = life;
  }

  async bootId(): Promise<string> {
    return this.#disk.bootId();
  }

  makeFolder(path: string): Promise<void> {
    return this.#disk.operate(this.#life, "makeFolder", path, () => this.#disk.makeFolder(path));
  }

  list(path: string): Promise<string[]> {
    return this.#disk.operate(this.#life, "list", path, () => this.#disk.list(path));
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.#disk.operate(this.#life, "open", path, () => {
      const file = this.#disk.openFile(path, mode);
      const opened = new MountedFile(this.#disk, this.#life, path, file, mode !== "read");
      this.#disk.noteOpened(opened);
      return opened;
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.operate(this.#life, "rename", from, () => this.#disk.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#disk.operate(this.#life, "remove", path, () => {
      this.#disk.fileAt(path);
      this.#disk.changeNames({ folder: folderOf(path), removed: path, put: null });
    });
  }

  syncFolder(path: string): Promise<void> {
    return this.#disk.operate(this.#life, "syncFolder", path, () => this.#disk.syncNames(path));
  }

  async lock(path: string): Promise<DiskLock> {
    const owner = this.#disk.takeLock(path, this.#life);
    return {
      release: async () => this.#disk.releaseLock(path, owner),
    };
  }
}

class MountedFile implements DiskFile {
  readonly path: string;
  readonly #disk: SimulatedDisk;
  readonly #life: number;
  readonly #file: SimulatedFile;
  readonly #writable: boolean;
  #closed = false;

  constructor(disk: SimulatedDisk, life: number, path: string, file: SimulatedFile, writable: boolean) {
    this.path = path;
    this.#disk = disk;
    this.#life = life;
    this.#file = file;
    this.#writable = writable;
  }

  async size(): Promise<number> {
    this.#requireOpen();
    return this.#disk.operate(this.#life, "size", this.path, () => this.#file.size);
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    this.#requireOpen();
    // The buffer is the disk's from now on: whoever goes on looking into it finds something else there.
    into.fill(IN_FLIGHT, 0, Math.min(into.length, Math.max(0, this.#file.size - position)));
    return this.#disk.operate(this.#life, "read", this.path, () => this.#file.read(into, position));
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.#requireOpen();
    if (!this.#writable) {
      throw new DiskError("closed", this.path, "is open for reading only");
    }
    const tear = (): void => {
      const torn = bytes.subarray(0, this.#disk.tornLength(bytes.length));
      this.#file.write(torn, position);
    };
    await this.#disk.operate(
      this.#life,
      "write",
      this.path,
      () => {
        this.#disk.requireSpace(this.path, this.#file, position + bytes.length);
        this.#file.write(bytes, position);
      },
      tear,
      tear,
    );
  }

  async sync(): Promise<void> {
    this.#requireOpen();
    await this.#disk.operate(
      this.#life,
      "sync",
      this.path,
      () => this.#file.sync(),
      undefined,
      () => this.#file.failSync(),
    );
  }

  async writeDurably(bytes: Uint8Array, position: number): Promise<void> {
    await this.write(bytes, position);
    await this.sync();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#disk.noteClosed(this);
  }

  #requireOpen(): void {
    if (this.#closed) {
      throw new DiskError("closed", this.path, "is closed");
    }
  }
}
