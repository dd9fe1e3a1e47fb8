/** The model of `model.spec.ts`, and the journal that it is compared with. */
import { expect } from "chai";
import type { LogEntry } from "../../lib/journal/entry.ts";
import type { Journal } from "../../lib/journal/journal.ts";
import type { SnapshotBuilder, SnapshotSource, StateMachine } from "../../lib/journal/machine.ts";
import { type OpenJournalOptions, openStream } from "../../lib/journal/open.ts";
import type { SyncMode } from "../../lib/journal/options.ts";
import { World } from "./support.ts";

/** What the log says after one of its records. */
export interface State {
  readonly ids: readonly number[];
  readonly committed: number;
  readonly others: number;
}

export const EMPTY: State = { ids: [], committed: 0, others: 0 };

/** The states that a crash may leave: those since the last that is known durable. */
export interface Model {
  now: State;
  trail: State[];
  /** Index into the trail of the last acknowledged state. */
  acknowledged: number;
  nextId: number;
}

export class FoldMachine implements StateMachine {
  hash = 0;
  count = 0;
  readonly #kind: SnapshotBuilder["kind"];

  constructor(kind: SnapshotBuilder["kind"]) {
    this.#kind = kind;
  }

  apply(entry: LogEntry): void {
    this.hash = fold(this.hash, idOf(entry.payload));
    this.count += 1;
  }

  async restore(snapshot: SnapshotSource): Promise<void> {
    const view = new DataView((await snapshot.readAll()).buffer);
    this.hash = view.getInt32(0);
    this.count = view.getInt32(4);
  }

  createSnapshotBuilder(): SnapshotBuilder {
    if (this.#kind === "inline") {
      return { kind: "inline", writeTo: (sink) => sink.write(encode(this.hash, this.count)) };
    }
    const folding = new FoldMachine("incremental");
    return {
      kind: "incremental",
      restore: (snapshot) => folding.restore(snapshot),
      apply: (entry) => folding.apply(entry),
      writeTo: (sink) => sink.write(encode(folding.hash, folding.count)),
    };
  }
}

export function encode(hash: number, count: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setInt32(0, hash);
  view.setInt32(4, count);
  return new Uint8Array(view.buffer);
}

export function fold(hash: number, id: number): number {
  return (Math.imul(hash, 31) + id) | 0;
}

/** An entry's bytes: its id, then as many more as the id says, zeros for every third. */
export function payloadOf(id: number): Uint8Array {
  const length = 4 + ((id * 7_919) % 1_500);
  const payload = new Uint8Array(length).fill(id % 3 === 0 ? 0 : id);
  new DataView(payload.buffer).setUint32(0, id);
  return payload;
}

export function idOf(payload: Uint8Array): number {
  const id = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
  expect(Buffer.compare(payload, payloadOf(id)), `payload of entry ${id}`).to.equal(0);
  return id;
}

export interface Setup {
  readonly sync: SyncMode;
  readonly options: OpenJournalOptions;
  readonly builder: SnapshotBuilder["kind"];
}

/** The real thing, driven by the commands. */
export class Rig {
  readonly world: World;
  readonly setup: Setup;
  machine: FoldMachine;
  journal: Journal | null = null;
  other: Journal | null = null;

  constructor(seed: number, setup: Setup) {
    this.world = new World(seed);
    this.setup = setup;
    this.machine = new FoldMachine(setup.builder);
  }

  get main(): Journal {
    if (this.journal === null) {
      throw new Error("the journal is not open");
    }
    return this.journal;
  }

  get second(): Journal {
    if (this.other === null) {
      throw new Error("the second stream is not open");
    }
    return this.other;
  }

  async open(): Promise<void> {
    this.machine = new FoldMachine(this.setup.builder);
    this.journal = await this.world.open({
      ...this.setup.options,
      sync: this.setup.sync,
      machine: this.machine,
    });
    this.other = await this.world.run(openStream(this.main.folder, "other"));
  }
}
