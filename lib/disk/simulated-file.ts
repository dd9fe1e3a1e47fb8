/**
 * One file of the simulated disk: what processes see (the cache) and what the platter holds.
 *
 * A write changes the cache and marks its sectors dirty; `sync` copies dirty sectors to the platter. A
 * failed sync marks them clean without copying, as Linux does: the data is readable until the crash and
 * gone after it, and no later sync brings it back.
 */
import type { Random } from "../base/random.ts";
import { SECTOR_BYTES } from "./disk.ts";

export class SimulatedFile {
  size = 0;
  platterSize = 0;
  #cache: Uint8Array = new Uint8Array(4 * SECTOR_BYTES);
  #platter: Uint8Array = new Uint8Array(4 * SECTOR_BYTES);
  readonly #dirty = new Set<number>();

  read(into: Uint8Array, position: number): number {
    const end = Math.min(this.size, position + into.length);
    if (end <= position) {
      return 0;
    }
    into.set(this.#cache.subarray(position, end));
    return end - position;
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    this.#cache = grown(this.#cache, end);
    this.#cache.set(bytes, position);
    this.size = Math.max(this.size, end);
    for (let sector = Math.floor(position / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector++) {
      this.#dirty.add(sector);
    }
  }

  sync(): void {
    this.#platter = grown(this.#platter, this.#cache.length);
    for (const sector of this.#dirty) {
      this.#copySector(sector);
    }
    this.#dirty.clear();
    this.platterSize = this.size;
  }

  /** A sync that failed: nothing reached the platter, and the kernel no longer knows that it did not. */
  failSync(): void {
    this.#dirty.clear();
  }

  /** The machine loses power: each dirty sector survives or not, the length anything in between. */
  crash(random: Random): void {
    this.#platter = grown(this.#platter, this.#cache.length);
    for (const sector of this.#dirty) {
      if (random.below(2) === 0) {
        this.#copySector(sector);
      }
    }
    this.#dirty.clear();
    const choice = random.below(3);
    if (choice === 0) {
      this.platterSize = this.size;
    } else if (choice === 1) {
      const grownBy = random.below(Math.max(0, this.size - this.platterSize) + 1);
      this.platterSize += grownBy;
    }
    this.#platter.fill(0, this.platterSize);
    this.#cache = this.#platter.slice();
    this.size = this.platterSize;
  }

  /** Damage: the bit is wrong in the cache and on the platter. */
  flipBit(bit: number): void {
    const index = bit >> 3;
    const mask = 1 << (bit & 7);
    for (const bytes of [this.#cache, this.#platter]) {
      bytes[index] = (bytes[index] ?? 0) ^ mask;
    }
  }

  /** Damage: the file ends at `bytes`. */
  truncate(bytes: number): void {
    this.#cache.fill(0, bytes);
    this.#platter.fill(0, bytes);
    this.size = Math.min(this.size, bytes);
    this.platterSize = Math.min(this.platterSize, bytes);
  }

  bytes(): Uint8Array {
    return this.#cache.slice(0, this.size);
  }

  copy(): SimulatedFile {
    const copy = new SimulatedFile();
    copy.size = this.size;
    copy.platterSize = this.platterSize;
    copy.#cache = this.#cache.slice();
    copy.#platter = this.#platter.slice();
    for (const sector of this.#dirty) {
      copy.#dirty.add(sector);
    }
    return copy;
  }

  #copySector(sector: number): void {
    const start = sector * SECTOR_BYTES;
    this.#platter.set(this.#cache.subarray(start, start + SECTOR_BYTES), start);
  }
}

/** `bytes` or a copy of at least `length`, doubled, so that growing by small writes stays cheap. */
function grown(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) {
    return bytes;
  }
  const whole = Math.ceil(Math.max(length, 2 * bytes.length) / SECTOR_BYTES) * SECTOR_BYTES;
  const larger = new Uint8Array(whole);
  larger.set(bytes);
  return larger;
}
