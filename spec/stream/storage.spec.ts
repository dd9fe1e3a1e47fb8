import { expect } from "chai";
import fc from "fast-check";
import type { Epoch } from "../../lib/journal/epoch.ts";
import type { JournalFolder } from "../../lib/journal/folder.ts";
import { type OpenOptions, openFolder } from "../../lib/journal/open.ts";
import { majorityOf } from "../../lib/stream/configuration.ts";
import { chained, type Entry, ORIGIN, type Position } from "../../lib/stream/entry.ts";
import type { FaultPoint } from "../../lib/stream/replica-options.ts";
import type { HardState } from "../../lib/stream/replica-state.ts";
import {
  journalStorage,
  type OpenStorage,
  type StoredState,
  type StoreEffect,
} from "../../lib/stream/storage.ts";
import { collectLog } from "../../lib/telemetry/log.ts";
import { bytes, SMALL, text, World } from "../journal/support.ts";

const DIR = "/data";
const OWNER = "00000000000000aa";

function epoch(counter: number): Epoch {
  return { counter, owner: OWNER };
}

const EMPTY: HardState = {
  promise: epoch(0),
  activated: { epoch: epoch(0), configuration: majorityOf(["a/1", "b/1", "c/1"]) },
  successors: [],
};

/** A state that is the list of what was applied. */
class ListState implements StoredState {
  list: string[] = [];
  position: Position = ORIGIN;

  async *save(): AsyncGenerator<Uint8Array> {
    yield bytes(JSON.stringify({ list: this.list, position: this.position }));
  }

  async load(pieces: AsyncIterable<Uint8Array>): Promise<Position> {
    let whole = "";
    for await (const piece of pieces) {
      whole += text(piece);
    }
    const saved: { list: string[]; position: Position } = JSON.parse(whole);
    this.list = saved.list;
    this.position = saved.position;
    return saved.position;
  }

  apply({ seq, epoch: of, chain, payload }: Entry): void {
    expect(seq).to.equal(this.position.seq + 1);
    this.list.push(text(payload));
    this.position = { seq, epoch: of, chain };
  }
}

/** One machine with the storage of one replica, driven as a replica drives it. */
class StorageRig {
  readonly world: World;
  state = new ListState();
  log: Entry[] = [];
  hard: HardState = EMPTY;
  mark = 0;
  onFault: (point: FaultPoint) => void = () => undefined;
  #folder: JournalFolder | null = null;
  #storage: OpenStorage | null = null;

  constructor(seed: number) {
    this.world = new World(seed);
  }

  async open(options: OpenOptions = {}, incarnation = "one"): Promise<OpenStorage> {
    const { clock, disk, random } = this.world;
    const ports = { disk: disk.mount(), clock, random: random.fork(`folder ${this.mark}`) };
    this.#folder = await this.world.run(openFolder(DIR, { ...ports, ...SMALL, ...options }));
    this.state = new ListState();
    this.#storage = await this.world.run(
      journalStorage(this.#folder).open({
        stream: "s",
        lineage: "l",
        incarnation,
        keptEntries: 1_000,
        state: this.state,
        changed: () => undefined,
        faultPoint: (point) => this.onFault(point),
        log: collectLog().log,
      }),
    );
    if (this.#storage.stored === null) {
      await this.world.run(this.#storage.begin(this.hard));
    }
    return this.#storage;
  }

  get storage(): OpenStorage {
    if (this.#storage === null) {
      throw new Error("not open");
    }
    return this.#storage;
  }

  store(change: Partial<Omit<StoreEffect, "type" | "mark">>): void {
    this.mark += 1;
    this.storage.store({
      type: "store",
      mark: this.mark,
      reset: null,
      truncateAfter: null,
      entries: [],
      hard: null,
      ...change,
    });
  }

  /** Entries after the present end, or after `keepSeq` in place of what follows it. */
  append(texts: readonly string[], counter: number, keepSeq: number = this.log.length): void {
    const cut = keepSeq < this.log.length;
    this.log = this.log.slice(0, keepSeq);
    const wire = texts.map((each, index) => ({
      seq: keepSeq + 1 + index,
      epoch: epoch(counter),
      kind: 0,
      payload: bytes(each),
    }));
    const entries = chained(this.log.at(-1)?.chain ?? ORIGIN.chain, wire);
    this.log = [...this.log, ...entries];
    this.store({ entries, truncateAfter: cut ? keepSeq : null });
  }

  promise(counter: number): void {
    this.hard = { ...this.hard, promise: epoch(counter) };
    this.store({ hard: this.hard });
  }

  commit(seq: number): void {
    for (const entry of this.log.slice(this.state.position.seq, seq)) {
      this.state.apply(entry);
    }
    this.storage.commit(seq);
  }

  async durable(): Promise<void> {
    await this.world.clock.until(() => this.storage.storedMark === this.mark, 5_000);
  }

  async close(): Promise<void> {
    await this.world.run(this.storage.close());
    await this.world.run(this.#folder?.close() ?? Promise.resolve());
  }
}

async function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "none",
    (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : String(error)),
  );
}

describe("the storage of a replica", () => {
  it("holds nothing at first, then log, hard state and incarnation over a crash of the machine", async () => {
    const rig = new StorageRig(1);
    expect((await rig.open()).stored).to.equal(null);
    rig.promise(3);
    rig.append(["x", "y", "z"], 3);
    rig.commit(2);
    await rig.durable();
    rig.world.disk.crash();
    const { stored, incarnation } = await rig.open({}, "two");
    expect(incarnation).to.equal("one");
    expect(stored?.hard).to.deep.equal(rig.hard);
    expect(stored?.log.last).to.deep.equal(rig.log.at(-1));
    expect(rig.state.list).to.deep.equal(["x", "y"].slice(0, stored?.commitSeq ?? 0));
    await rig.close();
  });

  it("performs a store once, however often it is asked for", async () => {
    const rig = new StorageRig(2);
    await rig.open();
    const entries = chained(ORIGIN.chain, [{ seq: 1, epoch: epoch(1), kind: 0, payload: bytes("x") }]);
    for (let count = 0; count < 3; count++) {
      rig.mark = 0;
      rig.store({ entries });
    }
    await rig.durable();
    expect(rig.storage.failure).to.equal(null);
    await rig.close();
    expect((await rig.open()).stored?.log.lastSeq).to.equal(1);
    await rig.close();
  });

  it("loses nothing that it has reported, wherever the machine stops", async () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant("append"), count: fc.integer({ min: 1, max: 4 }), back: fc.constant(0) }),
      fc.record({ kind: fc.constant("append"), count: fc.integer({ min: 1, max: 4 }), back: fc.nat(5) }),
      fc.record({ kind: fc.constant("promise"), count: fc.constant(0), back: fc.constant(0) }),
      fc.record({ kind: fc.constant("commit"), count: fc.constant(0), back: fc.nat(3) }),
      fc.record({ kind: fc.constant("wait"), count: fc.constant(0), back: fc.constant(0) }),
    );
    const run = fc.record({
      seed: fc.nat(),
      actions: fc.array(action, { minLength: 5, maxLength: 40 }),
      stop: fc.nat(60),
    });
    let crashed = 0;
    await fc.assert(
      fc.asyncProperty(run, async ({ seed, actions, stop }) => {
        const rig = new StorageRig(seed);
        await rig.open();
        let left = stop;
        rig.world.disk.onOperation = () => {
          left -= 1;
          if (left === 0) {
            rig.world.disk.crash();
          }
        };
        const known = new Set<string>([ORIGIN.chain]);
        const after: { readonly lastSeq: number; readonly cutTo: number; readonly promise: number }[] = [
          { lastSeq: 0, cutTo: 0, promise: 0 },
        ];
        let committed = 0;
        let counter = 0;
        for (const { kind, count, back } of actions) {
          const before = rig.mark;
          let cutTo = rig.log.length;
          if (kind === "append") {
            counter += back > 0 ? 1 : 0;
            cutTo = Math.max(committed, rig.log.length - back);
            const texts = Array.from({ length: count }, (_, index) => `${rig.mark} ${index}`);
            rig.append(texts, counter, cutTo);
          } else if (kind === "promise") {
            counter += 1;
            rig.promise(counter);
          } else if (kind === "commit") {
            committed = Math.max(committed, rig.log.length - back);
            rig.commit(committed);
          } else {
            await rig.world.clock.advance(1);
          }
          if (rig.mark > before) {
            after.push({ lastSeq: rig.log.length, cutTo, promise: rig.hard.promise.counter });
          }
          for (const { chain } of rig.log) {
            known.add(chain);
          }
        }
        await rig.world.clock.advance(5);
        rig.world.disk.onOperation = null;
        crashed += left <= 0 ? 1 : 0;
        const { storedMark } = rig.storage;
        const { log } = rig;
        rig.world.disk.crash();
        const { stored } = await rig.open();
        const reported = after[storedMark];
        const safeSeq = Math.min(
          reported?.lastSeq ?? 0,
          ...after.slice(storedMark + 1).map(({ cutTo }) => cutTo),
        );
        expect(stored?.hard.promise.counter).to.be.at.least(reported?.promise ?? 0);
        expect(stored?.log.lastSeq).to.be.at.least(safeSeq);
        expect(stored?.log.position(safeSeq)?.chain ?? ORIGIN.chain).to.equal(
          log[safeSeq - 1]?.chain ?? ORIGIN.chain,
        );
        expect(known, "what it holds was in the log once").to.include(stored?.log.last.chain);
        expect(stored?.commitSeq).to.be.at.most(committed);
        expect(rig.state.position.seq).to.equal(stored?.commitSeq);
        await rig.close();
      }),
      { numRuns: 150 },
    );
    expect(crashed, "runs that stopped in the middle").to.be.above(20);
  });

  it("starts from its newest snapshot when the log has been compacted", async () => {
    const rig = new StorageRig(4);
    await rig.open();
    for (let count = 1; count <= 100; count++) {
      rig.append([`${count}`], 1);
      rig.commit(count);
      await rig.durable();
    }
    await rig.close();
    const { stored } = await rig.open();
    expect(stored?.log.base.seq).to.be.at.least(80);
    expect(stored?.commitSeq).to.equal(100);
    expect(rig.state.list).to.have.length(100);
    await rig.close();
  });

  it("goes on from a snapshot that stands for more than the log holds", async () => {
    const rig = new StorageRig(5);
    await rig.open();
    rig.append(
      Array.from({ length: 19 }, (_, index) => `${index}`),
      1,
    );
    rig.commit(19);
    await rig.durable();
    // The state is ahead of the log when the snapshot is due.
    const ahead = chained(rig.log.at(-1)?.chain ?? "", [
      { seq: 20, epoch: epoch(1), kind: 0, payload: bytes("19") },
      { seq: 21, epoch: epoch(1), kind: 0, payload: bytes("20") },
    ]);
    rig.append(["19"], 1);
    for (const entry of ahead) {
      rig.state.apply(entry);
    }
    rig.storage.commit(20);
    await rig.durable();
    await rig.close();
    const { stored } = await rig.open();
    expect(stored?.commitSeq).to.equal(21);
    expect(stored?.log.last).to.deep.include({ seq: 21, chain: ahead[1]?.chain });
    rig.log = [...rig.log, ...ahead.slice(1)];
    rig.mark = 0;
    rig.append(["next"], 2);
    await rig.durable();
    expect(rig.storage.failure).to.equal(null);
    await rig.close();
  });

  it("takes a snapshot from elsewhere in place of its log", async () => {
    const rig = new StorageRig(6);
    await rig.open();
    rig.append(["old"], 1);
    await rig.durable();
    const base = { seq: 50, epoch: epoch(4), chain: "00000000000000cc" };
    rig.state.list = ["fifty"];
    rig.state.position = base;
    rig.store({ reset: base, hard: { ...EMPTY, promise: epoch(4) } });
    await rig.durable();
    rig.world.disk.crash();
    const { stored } = await rig.open();
    expect(stored?.log.base).to.deep.equal(base);
    expect(stored?.commitSeq).to.equal(50);
    expect(rig.state.list).to.deep.equal(["fifty"]);
    await rig.close();
  });

  it("gives up the incarnation when acknowledgements did not wait for a sync and the machine has started anew", async () => {
    for (const [sync, restart, expected] of [
      ["interval", "crash", "two"],
      ["none", "crash", "two"],
      ["interval", "kill", "one"],
      ["batch", "crash", "one"],
      ["interval", "close", "one"],
    ] as const) {
      const rig = new StorageRig(7);
      await rig.open({ sync });
      rig.promise(2);
      rig.append(["x", "y", "z"], 2);
      rig.commit(1);
      await rig.durable();
      if (restart === "close") {
        await rig.close();
      } else {
        const { disk } = rig.world;
        await rig.world.clock.advance(restart === "crash" ? 0 : 1);
        (restart === "crash" ? () => disk.crash() : () => disk.killProcess())();
      }
      const { incarnation, stored } = await rig.open({ sync }, "two");
      expect(incarnation, `${sync} ${restart}`).to.equal(expected);
      if (incarnation === "two") {
        expect(stored?.log.lastSeq, "only what is committed").to.equal(stored?.commitSeq);
      }
      await rig.close();
      expect((await rig.open({ sync }, "three")).incarnation, "the new one is kept").to.equal(expected);
      await rig.close();
    }
  });

  it("refuses a damaged log", async () => {
    const rig = new StorageRig(8);
    await rig.open();
    for (let count = 1; count <= 10; count++) {
      rig.append([`entry ${count} ${"x".repeat(200)}`], 1);
      await rig.durable();
    }
    await rig.close();
    const segment = rig.world.disk.paths().find((path) => path.endsWith(".wal")) ?? "";
    rig.world.disk.flipBit(segment, 5_000 * 8 + 3);
    expect(await failure(rig.open())).to.equal("journal_damaged");
  });

  it("says so when it cannot write, and reports nothing after that", async () => {
    const rig = new StorageRig(9);
    await rig.open();
    rig.append(["x"], 1);
    await rig.durable();
    rig.world.disk.fail({ operation: "write", code: "io", sticky: true });
    rig.append(["y"], 1);
    rig.promise(5);
    await rig.world.clock.until(() => rig.storage.failure !== null, 5_000);
    await rig.world.clock.advance(10);
    expect(rig.storage.storedMark).to.equal(1);
  });
});
