/**
 * The journal against a model: random commands, crashes at any operation of the disk, also while it is
 * being opened. What has been acknowledged must be there; what was in flight may be there up to any
 * record; nothing else may.
 */
import { expect } from "chai";
import fc from "fast-check";
import type { SnapshotBuilder } from "../../lib/journal/machine.ts";
import { COMPACTION_MODES, type SyncMode } from "../../lib/journal/options.ts";
import {
  EMPTY,
  FoldMachine,
  fold,
  idOf,
  type Model,
  payloadOf,
  Rig,
  type Setup,
  type State,
} from "./model-rig.ts";
import { codeOf } from "./support.ts";

const RUNS = Number(process.env["JOURNAL_MODEL_RUNS"] ?? 2_000);
/** The same schedules at every run; another seed looks at others. */
const SEED = Number(process.env["JOURNAL_MODEL_SEED"] ?? 20_261_121);

type Step = (model: Model, rig: Rig) => Promise<void>;

/** The states an operation leads through, and the operation. */
interface Change {
  readonly states: (model: Model) => readonly State[];
  readonly run: (rig: Rig, model: Model) => Promise<unknown>;
  /** Whether everything is durable when it is done, whatever the sync mode. */
  readonly syncs: boolean;
}

function appendStates(from: State, ids: readonly number[]): State[] {
  return ids.map((_, index) => ({ ...from, ids: [...from.ids, ...ids.slice(0, index + 1)] }));
}

function newIds(model: Model, count: number): number[] {
  return Array.from({ length: count }, (_, index) => model.nextId + index);
}

const change = {
  append: (count: number): Change => ({
    states: (model) => appendStates(model.now, newIds(model, count)),
    run: (rig, model) => rig.main.append(newIds(model, count).map(payloadOf)),
    syncs: false,
  }),
  replace: (back: number, count: number): Change => ({
    states: (model) => {
      const kept = keptBack(model.now, back);
      const cut = { ...model.now, ids: model.now.ids.slice(0, kept) };
      return [cut, ...appendStates(cut, newIds(model, count))];
    },
    run: (rig, model) => rig.main.replace(keptBack(model.now, back) + 1, newIds(model, count).map(payloadOf)),
    syncs: false,
  }),
  drop: (back: number): Change => ({
    states: (model) => [{ ...model.now, ids: model.now.ids.slice(0, keptBack(model.now, back)) }],
    run: (rig, model) => rig.main.drop(keptBack(model.now, back) + 1),
    syncs: false,
  }),
  commit: (back: number): Change => ({
    states: (model) => [{ ...model.now, committed: keptBack(model.now, back) }],
    run: (rig, model) => rig.main.commit(keptBack(model.now, back)),
    syncs: false,
  }),
  others: (count: number): Change => ({
    states: (model) =>
      Array.from({ length: count }, (_, index) => ({ ...model.now, others: model.now.others + index + 1 })),
    run: (rig, model) =>
      rig.second.append(Array.from({ length: count }, (_, index) => payloadOf(model.now.others + index + 1))),
    syncs: false,
  }),
  snapshot: (): Change => ({
    states: (model) => [model.now],
    run: (rig) => rig.main.snapshot(),
    syncs: false,
  }),
  compact: (): Change => ({ states: (model) => [model.now], run: (rig) => rig.main.compact(), syncs: false }),
  sync: (): Change => ({ states: (model) => [model.now], run: (rig) => rig.main.sync(), syncs: true }),
} as const;

function keptBack(state: State, back: number): number {
  return Math.max(state.committed, state.ids.length - back);
}

/** Does the operation to its end. */
function perform(what: Change): Step {
  return async (model, rig) => {
    const states = what.states(model);
    await rig.world.run(what.run(rig, model));
    advance(model, states);
    const durable = what.syncs || rig.setup.sync === "batch" || rig.setup.sync === "writeThrough";
    if (durable) {
      settle(model, model.now);
    }
  };
}

function advance(model: Model, states: readonly State[]): void {
  model.trail.push(...states);
  model.now = states.at(-1) ?? model.now;
  model.acknowledged = model.trail.length - 1;
  model.nextId = Math.max(model.nextId, ...model.now.ids.map((id) => id + 1));
}

function settle(model: Model, state: State): void {
  model.now = state;
  model.trail = [state];
  model.acknowledged = 0;
  model.nextId += 10;
}

/** Begins the operation and ends the machine or the process at the disk's n-th operation from there. */
function crashIn(what: Change, power: boolean, after: number, again: number): Step {
  return async (model, rig) => {
    const inFlight = what.states(model);
    await crashAt(rig, power, after, () => what.run(rig, model));
    const allowed = [...model.trail.slice(power ? 0 : model.acknowledged), ...inFlight];
    if (again > 0) {
      rig.machine = new FoldMachine(rig.setup.builder);
      const options = { ...rig.setup.options, sync: rig.setup.sync, machine: rig.machine };
      await crashAt(rig, power, again, () => rig.world.open(options));
    }
    await rig.open();
    settle(model, await matching(rig, allowed));
  };
}

/** Starts `begin` and crashes at the n-th disk operation, or when all has come to rest before that. */
async function crashAt(
  rig: Rig,
  power: boolean,
  after: number,
  begin: () => Promise<unknown>,
): Promise<void> {
  const { disk, clock } = rig.world;
  let left = after;
  let crashed = false;
  const crash = (): void => {
    crashed = true;
    disk.onOperation = null;
    if (power) {
      disk.crash();
    } else {
      disk.killProcess();
    }
  };
  disk.onOperation = () => {
    left -= 1;
    if (left === 0) {
      crash();
    }
  };
  let settled = false;
  const mark = (): void => {
    settled = true;
  };
  begin().then(mark, mark);
  for (let turns = 0; turns < 500 && !crashed && !settled; turns++) {
    await clock.settle();
  }
  if (!crashed) {
    crash();
  }
  await clock.settle();
}

/** The allowed state that the journal is in; fails when there is none. */
async function matching(rig: Rig, allowed: readonly State[]): Promise<State> {
  const found = await observe(rig);
  const { main, machine } = rig;
  const match = allowed.findLast(
    (state) =>
      state.ids.length === main.lastSeq &&
      state.committed === main.commitSeq &&
      state.others === rig.second.lastSeq &&
      found.every((id, index) => state.ids[main.firstSeq - 1 + index] === id),
  );
  if (match === undefined) {
    const seen = `last ${main.lastSeq}, committed ${main.commitSeq}, others ${rig.second.lastSeq}, from ${main.firstSeq}: ${found}`;
    const wanted = allowed.map((state) => `${state.ids.length}/${state.committed}/${state.others}`);
    throw new Error(`no allowed state: ${seen}; allowed last/committed/others: ${wanted.join(" ")}`);
  }
  expect(machine.hash, "the machine's state").to.equal(match.ids.slice(0, match.committed).reduce(fold, 0));
  expect(machine.count, "entries applied").to.equal(match.committed);
  return match;
}

/** The ids of all entries that can be read; those of the second stream are checked on the way. */
async function observe(rig: Rig): Promise<number[]> {
  const { main, second } = rig;
  const collect = async (): Promise<number[]> => {
    const ids: number[] = [];
    for await (const entry of main.read(main.firstSeq, main.lastSeq, { uncommitted: true })) {
      ids.push(idOf(entry.payload));
    }
    let other = 0;
    for await (const entry of second.read(1, second.lastSeq, { uncommitted: true })) {
      other += 1;
      expect(idOf(entry.payload)).to.equal(other);
    }
    expect(other).to.equal(second.lastSeq);
    return ids;
  };
  return rig.world.run(collect());
}

/** Closes in order and opens again: nothing may be missing. */
const reopen: Step = async (model, rig) => {
  await rig.world.run(rig.main.close());
  await rig.open();
  expect(rig.main.folder.recovery.closedInOrder).to.equal(true);
  expect(rig.main.folder.recovery.tail).to.equal("clean");
  settle(model, await matching(rig, [model.now]));
};

const check: Step = async (model, rig) => {
  await matching(rig, [model.now]);
};

/** One step of a schedule as fast-check knows it. */
class Command implements fc.AsyncCommand<Model, Rig> {
  readonly #label: string;
  readonly #step: Step;

  constructor(label: string, step: Step) {
    this.#label = label;
    this.#step = step;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, rig: Rig): Promise<void> {
    await this.#step(model, rig);
  }

  toString(): string {
    return this.#label;
  }
}

const changes: fc.Arbitrary<{ label: string; what: Change }> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .integer({ min: 1, max: 12 })
      .map((n) => ({ label: `append(${n})`, what: change.append(n) })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 5 }))
      .map(([back, n]) => ({ label: `replace(${back}, ${n})`, what: change.replace(back, n) })),
  },
  {
    weight: 2,
    arbitrary: fc.integer({ min: 0, max: 6 }).map((n) => ({ label: `drop(${n})`, what: change.drop(n) })),
  },
  {
    weight: 5,
    arbitrary: fc.integer({ min: 0, max: 6 }).map((n) => ({ label: `commit(${n})`, what: change.commit(n) })),
  },
  {
    weight: 2,
    arbitrary: fc.integer({ min: 1, max: 3 }).map((n) => ({ label: `others(${n})`, what: change.others(n) })),
  },
  { weight: 2, arbitrary: fc.constant({ label: "snapshot", what: change.snapshot() }) },
  { weight: 1, arbitrary: fc.constant({ label: "compact", what: change.compact() }) },
  { weight: 1, arbitrary: fc.constant({ label: "sync", what: change.sync() }) },
);

const commands = [
  changes.map(({ label, what }) => new Command(label, perform(what))),
  changes.map(({ label, what }) => new Command(label, perform(what))),
  changes.map(({ label, what }) => new Command(label, perform(what))),
  fc
    .tuple(changes, fc.boolean(), fc.integer({ min: 1, max: 45 }), fc.integer({ min: 0, max: 30 }))
    .map(
      ([{ label, what }, power, after, again]) =>
        new Command(
          `${power ? "crash" : "kill"}(${label}, ${after}, ${again})`,
          crashIn(what, power, after, again),
        ),
    ),
  fc.constant(new Command("reopen", reopen)),
  fc.constant(new Command("check", check)),
];

const setups = fc.record({
  seed: fc.nat(),
  sync: fc.constantFrom<SyncMode>("batch", "batch", "writeThrough", "none", "interval"),
  compaction: fc.constantFrom(...COMPACTION_MODES),
  cacheMetadata: fc.boolean(),
  builder: fc.constantFrom<SnapshotBuilder["kind"]>("inline", "incremental"),
  recordsPerSegment: fc.integer({ min: 4, max: 30 }),
  maxLogBytes: fc.constantFrom(65_536, 10_000_000),
});

async function runSchedule(
  seed: number,
  setup: Setup,
  schedule: Iterable<fc.AsyncCommand<Model, Rig>>,
): Promise<void> {
  const rig = new Rig(seed, setup);
  await rig.open();
  const model: Model = { now: EMPTY, trail: [EMPTY], acknowledged: 0, nextId: 1 };
  await fc.asyncModelRun(() => ({ model, real: rig }), schedule);
  await check(model, rig);
  await rig.world.run(rig.main.close());
}

describe("the journal against its model", function () {
  this.timeout(300_000);

  it(`keeps every acknowledged record and invents none, in ${RUNS} random schedules with crashes`, async () => {
    const property = fc.asyncProperty(
      setups,
      fc.commands(commands, { maxCommands: 30, size: "max" }),
      async (drawn, schedule) => {
        const { compaction, cacheMetadata, recordsPerSegment, maxLogBytes } = drawn;
        const options = {
          compaction,
          cacheMetadata,
          recordsPerSegment,
          maxLogBytes,
          preallocateBytes: 8_192,
          bufferBytes: 4_096,
        };
        await runSchedule(drawn.seed, { sync: drawn.sync, builder: drawn.builder, options }, schedule);
      },
    );
    await fc.assert(property, {
      numRuns: RUNS,
      seed: SEED,
    });
  });

  it("would notice a journal that loses an acknowledged record", async () => {
    const rig = new Rig(1, { sync: "none", builder: "inline", options: {} });
    await rig.open();
    const model: Model = { now: EMPTY, trail: [EMPTY], acknowledged: 0, nextId: 1 };
    await perform(change.append(5))(model, rig);
    settle(model, model.now);
    let noticed: unknown = null;
    try {
      // Sync mode "none" does lose what the model has just been told is durable.
      for (let tries = 0; tries < 20; tries++) {
        await crashIn(change.sync(), true, 1, 0)(model, rig);
      }
    } catch (thrown) {
      noticed = thrown;
    }
    expect(String(noticed)).to.contain("no allowed state");
    expect(codeOf(noticed)).to.equal(undefined);
  });
});
