/**
 * The machine crashes at every operation of the disk while segments are being removed. What went before
 * them must be durable by then: the states that name the snapshots, the copies of what is still needed.
 */
import { expect } from "chai";
import { SimulatedDisk } from "../../lib/disk/simulated-disk.ts";
import { verifyJournal } from "../../lib/journal/inspect.ts";
import { type OpenOptions, openFolder, openStream } from "../../lib/journal/open.ts";
import type { HardState } from "../../lib/journal/state.ts";
import { bytes, DIR, ListMachine, SMALL, texts, World } from "./support.ts";

const SEEDS = 4;
const OPERATIONS_MAX = 400;
const HARD_STATE: HardState = {
  promise: { counter: 7, owner: "00000000000000ab" },
  activated: { counter: 6, owner: "00000000000000ab" },
  successors: [],
  incarnation: "feed",
};

/** What was acknowledged to the two streams of a folder. */
interface Acknowledged {
  readonly active: string[];
  readonly idle: string[];
}

type Work = (world: World, acknowledged: Acknowledged, arm: () => void) => Promise<void>;

function openBoth(world: World, options: OpenOptions, idle: ListMachine | null) {
  const ports = { disk: world.disk.mount(), clock: world.clock, random: world.random.fork("salt") };
  const open = async () => {
    const folder = await openFolder(DIR, { ...ports, ...SMALL, compaction: "background", ...options });
    const machine = new ListMachine();
    const streams = {
      active: await openStream(folder, "active", machine),
      idle: await openStream(folder, "idle", idle),
    };
    return { folder, machine, ...streams };
  };
  return world.run(open());
}

/** A disk whose operations take their time, each another, so that what is not awaited comes late. */
function slowWorld(seed: string): World {
  const world = new World(seed);
  world.disk = new SimulatedDisk(world.random.fork("slow"), { clock: world.clock, latencyMsMax: 8 });
  return world;
}

/** Lets `work` go on until operation `cut` after it has armed the crash; false when it was done before. */
async function crashAt(world: World, cut: number, acknowledged: Acknowledged, work: Work): Promise<boolean> {
  let ended = false;
  let crashed = false;
  let problem: unknown = null;
  const arm = (): void => {
    let left = cut;
    world.disk.onOperation = () => {
      left -= 1;
      if (left === 0) {
        world.disk.onOperation = null;
        crashed = true;
        world.disk.crash();
      }
    };
  };
  void work(world, acknowledged, arm)
    .catch((thrown: unknown) => {
      problem = thrown;
    })
    .finally(() => {
      ended = true;
    });
  for (let turns = 0; turns < 20_000 && !ended && !crashed; turns++) {
    await world.clock.advance(5);
  }
  world.disk.onOperation = null;
  if (problem !== null) {
    throw problem;
  }
  expect(ended || crashed, "the work goes on without end").to.equal(true);
  return crashed;
}

async function checkRemains(world: World, acknowledged: Acknowledged): Promise<void> {
  const machine = new ListMachine();
  const { folder, active, idle, machine: found } = await openBoth(world, {}, machine);
  expect(active.hardState).to.deep.equal(HARD_STATE);
  expect(idle.hardState).to.deep.equal(HARD_STATE);
  expect(found.list.slice(0, acknowledged.active.length)).to.deep.equal(acknowledged.active);
  const kept = [...machine.list, ...(await texts(world, idle, Math.max(idle.firstSeq, idle.appliedSeq + 1)))];
  expect(kept).to.deep.equal(acknowledged.idle);
  await world.run(folder.close());
  expect((await world.run(verifyJournal(DIR, world.disk.mount()))).verdict).not.to.equal("damaged");
}

async function crashEverywhere(work: Work): Promise<number> {
  let crashes = 0;
  for (let seed = 0; seed < SEEDS; seed++) {
    // Every operation with half of the seeds, odd ones and even ones by turns.
    let cut = 1 + (seed % 2);
    for (; cut < OPERATIONS_MAX; cut += 2) {
      const world = slowWorld(`removal-${seed}-${cut}`);
      const acknowledged: Acknowledged = { active: [], idle: [] };
      const crashed = await crashAt(world, cut, acknowledged, work);
      if (!crashed) {
        break;
      }
      crashes += 1;
      await checkRemains(world, acknowledged);
    }
    expect(cut).to.be.lessThan(OPERATIONS_MAX);
  }
  return crashes;
}

/** Opens both streams, gives each a hard state, and the idle one three entries, two of them committed. */
async function begin(
  world: World,
  acknowledged: Acknowledged,
  options: OpenOptions,
  idleMachine: ListMachine | null,
) {
  const opened = await openBoth(world, options, idleMachine);
  await opened.active.setHardState(HARD_STATE);
  await opened.idle.setHardState(HARD_STATE);
  await opened.idle.append(["one", "two", "three"].map(bytes));
  // An entry that is not committed would pin its segment for ever, were it not copied.
  await opened.idle.commit(idleMachine === null ? 2 : 3);
  acknowledged.idle.push("one", "two", "three");
  const appendActive = async (): Promise<void> => {
    const first = opened.active.lastSeq + 1;
    const entries = Array.from({ length: 25 }, (_, index) => `${first + index}`);
    await opened.active.appendAndCommit(entries.map(bytes));
    acknowledged.active.push(...entries);
  };
  return { ...opened, appendActive };
}

describe("a crash of the machine while segments are removed", function () {
  this.timeout(120_000);

  it("by compaction leaves every stream the state it has acknowledged", async () => {
    const crashes = await crashEverywhere(async (world, acknowledged, arm) => {
      const { active, idle, folder, appendActive } = await begin(world, acknowledged, {}, new ListMachine());
      await appendActive();
      await appendActive();
      arm();
      await idle.compact();
      await active.compact();
      expect(folder.segmentsRemoved).to.be.greaterThan(1);
      await folder.close();
    });
    expect(crashes).to.be.greaterThan(SEEDS * 20);
  });

  for (const [name, machine] of [
    ["snapshotting", () => new ListMachine()],
    ["copying forward", () => null],
  ] as const) {
    it(`to make room by ${name} the stream that pins them leaves it too`, async () => {
      const crashes = await crashEverywhere(async (world, acknowledged, arm) => {
        const opened = await begin(world, acknowledged, { maxLogBytes: 65_536 }, machine());
        await opened.appendActive();
        await opened.appendActive();
        arm();
        for (let round = 0; round < 20 && opened.folder.segmentsRemoved === 0; round++) {
          await opened.appendActive();
        }
        await opened.folder.close();
        expect(opened.folder.segmentsRemoved).to.be.greaterThan(0);
      });
      expect(crashes).to.be.greaterThan(SEEDS * 20);
    });
  }
});
