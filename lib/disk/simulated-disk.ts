/**
 * A disk in memory that fails as disks do, all of it drawn from one random source.
 *
 * `crash` is a power failure: unsynced sectors survive as any subset, unsynced names are forgotten or
 * kept one by one, the write in flight is torn at any byte. `killProcess` is SIGKILL: the cache survives,
 * only operations in flight are torn. Either ends the present life: operations of the old life never
 * settle, as those of a dead process never do. Faults are planned with `fail`, damage is done with
 * `flipBit`, `truncate` and `remove`.
 */
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { type Disk, DiskError, type DiskErrorCode, type DiskFile, folderOf, type OpenMode } from "./disk.ts";
import { SimulatedFile } from "./simulated-file.ts";
import { MountedDisk } from "./simulated-mount.ts";

export type OperationName =
  | "open"
  | "size"
  | "read"
  | "write"
  | "sync"
  | "rename"
  | "remove"
  | "syncFolder"
  | "makeFolder"
  | "list";

export interface Operation {
  readonly name: OperationName;
  readonly path: string;
  /** Counts all operations of this disk from 1. */
  readonly number: number;
}

/** A planned fault: the operations it meets fail with `code`, once or for ever. */
export interface FaultPlan {
  readonly operation: OperationName;
  readonly code: DiskErrorCode;
  /** Only paths that match. */
  readonly path?: RegExp;
  /** How many matching operations pass first. */
  readonly skip?: number;
  readonly sticky?: boolean;
}

export interface SimulatedDiskOptions {
  /** All file lengths together; what would exceed it fails with `no_space`. */
  readonly spaceBytes?: number;
  /** Delays every operation by up to `latencyMsMax` of this clock's time; without it only by a turn. */
  readonly clock?: Clock;
  readonly latencyMsMax?: number;
}

/** A change of names that its folder's sync has not covered yet. */
export interface NameChange {
  readonly folder: string;
  readonly removed: string | null;
  readonly put: { readonly path: string; readonly file: SimulatedFile } | null;
}

interface InFlight {
  readonly tear: () => void;
}

/** Who holds a lock: one taking of it, in one life of a process. */
interface LockOwner {
  readonly life: number;
}

export class SimulatedDisk {
  /** Called as each operation begins; a test crashes the disk from here. */
  onOperation: ((operation: Operation) => void) | null = null;
  spaceBytes: number;
  #life = 1;
  #boot = 1;
  #operations = 0;
  readonly #random: Random;
  readonly #options: SimulatedDiskOptions;
  #names = new Map<string, SimulatedFile>();
  #durableNames = new Map<string, SimulatedFile>();
  #folders = new Set<string>(["/"]);
  #changes: NameChange[] = [];
  readonly #inFlight = new Set<InFlight>();
  readonly #locks = new Map<string, LockOwner>();
  /** The files that the present life has open. */
  readonly #open = new Set<DiskFile>();
  #faults: { plan: FaultPlan; skipLeft: number }[] = [];

  constructor(random: Random, options: SimulatedDiskOptions = {}) {
    this.#random = random;
    this.#options = options;
    this.spaceBytes = options.spaceBytes ?? Number.POSITIVE_INFINITY;
  }

  /** The disk as the process now alive sees it. */
  mount(): Disk {
    return new MountedDisk(this, this.#life);
  }

  /** Whether a death of the process now would leave something half done. */
  get isWriting(): boolean {
    return [...this.#inFlight].some(({ tear }) => tear !== nothing);
  }

  /** The process dies; what it had written stays readable, operations in flight are torn. */
  killProcess(): Disk {
    for (const operation of this.#inFlight) {
      operation.tear();
    }
    this.#inFlight.clear();
    this.#open.clear();
    this.#life += 1;
    return this.mount();
  }

  /** The machine loses power. */
  crash(): Disk {
    this.killProcess();
    this.#boot += 1;
    for (const change of this.#changes) {
      if (this.#random.below(2) === 0) {
        applyChange(change, this.#durableNames);
      }
    }
    this.#changes = [];
    this.#names = new Map(this.#durableNames);
    for (const file of new Set(this.#names.values())) {
      file.crash(this.#random);
    }
    return this.mount();
  }

  /** A disk with the same content, faults left out, whose further fate is drawn from `random`. */
  copy(random: Random): SimulatedDisk {
    const copy = new SimulatedDisk(random, this.#options);
    const files = new Map<SimulatedFile, SimulatedFile>();
    const twin = (file: SimulatedFile): SimulatedFile => {
      const known = files.get(file) ?? file.copy();
      files.set(file, known);
      return known;
    };
    copy.#boot = this.#boot;
    copy.#folders = new Set(this.#folders);
    copy.#names = new Map([...this.#names].map(([path, file]) => [path, twin(file)]));
    copy.#durableNames = new Map([...this.#durableNames].map(([path, file]) => [path, twin(file)]));
    copy.#changes = this.#changes.map(({ folder, removed, put }) => ({
      folder,
      removed,
      put: put === null ? null : { path: put.path, file: twin(put.file) },
    }));
    return copy;
  }

  fail(plan: FaultPlan): void {
    this.#faults.push({ plan, skipLeft: plan.skip ?? 0 });
  }

  clearFaults(): void {
    this.#faults = [];
  }

  flipBit(path: string, bit: number): void {
    this.fileAt(path).flipBit(bit);
  }

  truncate(path: string, bytes: number): void {
    this.fileAt(path).truncate(bytes);
  }

  /** Damage: the file is gone, durably. */
  remove(path: string): void {
    this.#names.delete(path);
    this.#durableNames.delete(path);
  }

  /** Damage or repair: the file now holds `bytes`, durably. */
  put(path: string, bytes: Uint8Array): void {
    const file = new SimulatedFile();
    file.write(bytes, 0);
    file.sync();
    this.#names.set(path, file);
    this.#durableNames.set(path, file);
  }

  bytes(path: string): Uint8Array {
    return this.fileAt(path).bytes();
  }

  paths(): string[] {
    return [...this.#names.keys()].sort();
  }

  /** The paths of the files that the present life has open, one for every time. */
  openPaths(): string[] {
    return [...this.#open].map(({ path }) => path).sort();
  }

  noteOpened(file: DiskFile): void {
    this.#open.add(file);
  }

  noteClosed(file: DiskFile): void {
    this.#open.delete(file);
  }

  fileAt(path: string): SimulatedFile {
    const file = this.#names.get(path);
    if (file === undefined) {
      throw new DiskError("not_found", path, "no such file");
    }
    return file;
  }

  bootId(): string {
    return `boot-${this.#boot}`;
  }

  /**
   * One operation of life `life`: waits its latency, meets the faults planned for it, has its effect.
   * `tear` is what a death of the process in the middle leaves of it; `spoil` what a failure leaves.
   */
  async operate<T>(
    life: number,
    name: OperationName,
    path: string,
    effect: () => T,
    tear: () => void = nothing,
    spoil: () => void = nothing,
  ): Promise<T> {
    if (life !== this.#life) {
      return never();
    }
    const inFlight: InFlight = { tear };
    this.#inFlight.add(inFlight);
    this.#operations += 1;
    this.onOperation?.({ name, path, number: this.#operations });
    await this.#pause();
    if (life !== this.#life) {
      return never();
    }
    this.#inFlight.delete(inFlight);
    const code = this.#faultFor(name, path);
    if (code !== null) {
      spoil();
      throw new DiskError(code, path, `${name} failed as planned`);
    }
    return effect();
  }

  openFile(path: string, mode: OpenMode): SimulatedFile {
    const present = this.#names.get(path);
    if (mode !== "create") {
      return this.fileAt(path);
    }
    if (present !== undefined) {
      throw new DiskError("exists", path, "exists");
    }
    this.requireFolder(folderOf(path));
    const file = new SimulatedFile();
    this.changeNames({ folder: folderOf(path), removed: null, put: { path, file } });
    return file;
  }

  changeNames(change: NameChange): void {
    applyChange(change, this.#names);
    this.#changes.push(change);
  }

  syncNames(folder: string): void {
    this.requireFolder(folder);
    for (const change of this.#changes) {
      if (change.folder === folder) {
        applyChange(change, this.#durableNames);
      }
    }
    this.#changes = this.#changes.filter((change) => change.folder !== folder);
  }

  requireFolder(path: string): void {
    if (!this.#folders.has(path)) {
      throw new DiskError("not_found", path, "no such folder");
    }
  }

  makeFolder(path: string): void {
    for (let folder = path; !this.#folders.has(folder) && folder !== "."; folder = folderOf(folder)) {
      this.#folders.add(folder);
    }
  }

  list(path: string): string[] {
    this.requireFolder(path);
    const inside = [...this.paths(), ...this.#folders].filter(
      (each) => each !== "/" && folderOf(each) === path,
    );
    return inside.map((each) => each.slice(path === "/" ? 1 : path.length + 1)).sort();
  }

  /** A file, or a folder with all that is in it. Durable with the sync of the folder that `to` is in. */
  rename(from: string, to: string): void {
    const folder = folderOf(to);
    this.requireFolder(folder);
    if (!this.#folders.has(from)) {
      this.changeNames({ folder, removed: from, put: { path: to, file: this.fileAt(from) } });
      return;
    }
    const isInside = (path: string): boolean => path === from || path.startsWith(`${from}/`);
    for (const each of [...this.#folders].filter(isInside)) {
      this.#folders.delete(each);
      this.#folders.add(`${to}${each.slice(from.length)}`);
    }
    for (const path of this.paths().filter(isInside)) {
      const put = { path: `${to}${path.slice(from.length)}`, file: this.fileAt(path) };
      this.changeNames({ folder, removed: path, put });
    }
  }

  /** What a write of `bytes` at `position` would take beyond the space there is fails before it begins. */
  requireSpace(path: string, file: SimulatedFile, end: number): void {
    if (!Number.isFinite(this.spaceBytes) || end <= file.size) {
      return;
    }
    let used = 0;
    for (const each of new Set(this.#names.values())) {
      used += each.size;
    }
    if (used + end - file.size > this.spaceBytes) {
      throw new DiskError("no_space", path, "no space left on the simulated disk");
    }
  }

  tornLength(length: number): number {
    return this.#random.below(length + 1);
  }

  takeLock(path: string, life: number): LockOwner {
    if (this.#locks.get(path)?.life === this.#life) {
      throw new DiskError("locked", path, `is held by life ${life}`);
    }
    const owner: LockOwner = { life };
    this.#locks.set(path, owner);
    return owner;
  }

  /** Releases what was taken; harmless when that has been released, whoever holds the lock by now. */
  releaseLock(path: string, owner: LockOwner): void {
    if (this.#locks.get(path) === owner) {
      this.#locks.delete(path);
    }
  }

  #faultFor(name: OperationName, path: string): DiskErrorCode | null {
    for (const fault of this.#faults) {
      const { plan } = fault;
      if (plan.operation !== name || (plan.path !== undefined && !plan.path.test(path))) {
        continue;
      }
      if (fault.skipLeft > 0) {
        fault.skipLeft -= 1;
        continue;
      }
      if (plan.sticky !== true) {
        this.#faults = this.#faults.filter((each) => each !== fault);
      }
      return plan.code;
    }
    return null;
  }

  async #pause(): Promise<void> {
    const { clock, latencyMsMax } = this.#options;
    if (clock === undefined || latencyMsMax === undefined) {
      await null;
      return;
    }
    await new Promise<void>((resolve) => {
      clock.setTimer(resolve, this.#random.next() * latencyMsMax);
    });
  }
}

function applyChange({ removed, put }: NameChange, names: Map<string, SimulatedFile>): void {
  if (removed !== null) {
    names.delete(removed);
  }
  if (put !== null) {
    names.set(put.path, put.file);
  }
}

function never<T>(): Promise<T> {
  return new Promise(nothing);
}

function nothing(): void {
  // An operation that leaves nothing behind, a promise that never settles.
}
