/** What the journal's specs share: a machine on a simulated disk and virtual time, and a state machine. */
import type { Random } from "../../lib/base/random.ts";
import { seededRandom } from "../../lib/base/random.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { SimulatedDisk, type SimulatedDiskOptions } from "../../lib/disk/simulated-disk.ts";
import type { LogEntry } from "../../lib/journal/entry.ts";
import { PAYLOAD_BYTES_MAX } from "../../lib/journal/format.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import type { SnapshotBuilder, SnapshotSource, StateMachine } from "../../lib/journal/machine.ts";
import { type OpenJournalOptions, openJournal } from "../../lib/journal/open.ts";

export const DIR = "/data/journal";

/** Segments small enough that a few records fill one. */
export const SMALL: OpenJournalOptions = {
  segmentBytes: 16_384,
  preallocateBytes: 16_384,
  recordsPerSegment: 20,
};

/** A machine whose disk can fail, with time that only moves when asked. */
export class World {
  readonly clock: VirtualClock = new VirtualClock();
  readonly random: Random;
  disk: SimulatedDisk;

  constructor(seed: number | string, options: SimulatedDiskOptions = {}) {
    this.random = seededRandom(seed);
    this.disk = new SimulatedDisk(this.random.fork("disk"), options);
  }

  open(options: OpenJournalOptions = {}): Promise<Journal> {
    const ports = { disk: this.disk.mount(), clock: this.clock, random: this.random.fork("salt") };
    return this.run(openJournal(DIR, { ...ports, ...SMALL, ...options }));
  }

  /** Moves time on until `promise` settles. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.run(promise, 5_000);
  }

  path(name: string): string {
    return `${DIR}/${name}`;
  }

  /** The paths of the segments, oldest first. */
  segments(): string[] {
    return this.disk.paths().filter((path) => path.endsWith(".wal"));
  }

  newestSegment(): string {
    return this.segments().at(-1) ?? "";
  }
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function text(payload: Uint8Array): string {
  return new TextDecoder().decode(payload);
}

/** The texts of the entries from `fromSeq` on, uncommitted ones too. */
export async function texts(
  world: World,
  journal: Journal,
  fromSeq: number = journal.firstSeq,
): Promise<string[]> {
  const collect = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const entry of journal.read(fromSeq, journal.lastSeq, { uncommitted: true })) {
      found.push(text(entry.payload));
    }
    return found;
  };
  return world.run(collect());
}

/** Remembers everything it was given, as a list of texts. */
export class ListMachine implements StateMachine {
  list: string[] = [];
  restored = 0;
  readonly #kind: SnapshotBuilder["kind"];

  constructor(kind: SnapshotBuilder["kind"] = "inline") {
    this.#kind = kind;
  }

  apply(entry: LogEntry): void {
    this.list.push(text(entry.payload));
  }

  async restore(snapshot: SnapshotSource): Promise<void> {
    this.list = parseList(await snapshot.readAll());
    this.restored += 1;
  }

  createSnapshotBuilder(): SnapshotBuilder {
    if (this.#kind === "inline") {
      return { kind: "inline", writeTo: (sink) => sink.write(bytes(JSON.stringify(this.list))) };
    }
    let folded: string[] = [];
    return {
      kind: "incremental",
      restore: async (snapshot) => {
        folded = parseList(await snapshot.readAll());
      },
      apply: (entry) => {
        folded.push(text(entry.payload));
      },
      writeTo: (sink) => sink.write(bytes(JSON.stringify(folded))),
    };
  }
}

function parseList(content: Uint8Array): string[] {
  const value: unknown = JSON.parse(text(content));
  return Array.isArray(value) ? value.map(String) : [];
}

/** The error that `promise` rejects with; throws when it resolves. */
export async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  }
  throw new Error("expected a rejection");
}

export function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

export const PAYLOAD_LIMIT = PAYLOAD_BYTES_MAX;
