import { expect } from "chai";
import { type BootstrapRecord, lineageOf } from "../../lib/cluster/bootstrap-messages.ts";
import { majorityOf } from "../../lib/stream/configuration.ts";
import { describe as describeKept, type Host, World, type WorldOptions } from "./bootstrap-world.ts";

const SEEDS = 20;
const STEPS = 260;
const CALM_TICKS = 24;

interface Rates {
  readonly loss: number;
  readonly repeat: number;
  readonly crash: number;
  readonly crashInside: number;
}

function walk(seed: number, options: WorldOptions, { loss, repeat, crash, crashInside }: Rates): World {
  const world = new World(`bootstrap ${options.nodes.length} ${options.durability} ${seed}`, options);
  const { random } = world;
  world.crashInside = crashInside;
  for (let step = 0; step < STEPS; step++) {
    const host = world.hosts[random.below(world.hosts.length)];
    if (host === undefined) {
      continue;
    }
    const draw = random.next();
    if (host.state === null) {
      if (draw < 0.4) {
        world.boot(host);
      }
    } else if (draw < crash) {
      world.crash(host, random.next() < 0.7);
    } else if (draw < 0.3) {
      world.step(host, { type: "tick" });
    } else {
      world.deliver(loss, repeat);
    }
    if (random.next() < 0.05) {
      world.settle();
    }
  }
  return world;
}

/** Whether too many first replicas of a lineage are gone for anybody to go on with it. */
function isLost(world: World, { lineage, genesis, members }: BootstrapRecord): boolean {
  const gone = members.filter(
    (member) =>
      genesis.includes(`${member.node}/${member.incarnation}`) &&
      world.isGone(member.node, member.incarnation, lineage),
  );
  return genesis.length - gone.length < majorityOf(genesis).writeQuorum;
}

/** Of who joined it too. */
function recordHeld(world: World, { state }: Host): BootstrapRecord | null {
  if (state === null || state.kept.phase === "empty") {
    return null;
  }
  return state.kept.phase === "prepared"
    ? state.kept.record
    : (world.begun.get(lineageOf(state.kept) ?? "") ?? null);
}

/** What ends well: all run one lineage. What ends lawfully: somebody holds a lineage that is lost. */
function verdict(world: World): "running" | "lost" | "stuck" {
  const kept = world.hosts.map(({ state }) => (state === null ? "down" : describeKept(state.kept)));
  if (kept.every((each) => each.startsWith("running") && each === kept[0])) {
    return "running";
  }
  const isLostSomewhere = world.hosts.some((host) => {
    const record = recordHeld(world, host);
    return record !== null && isLost(world, record);
  });
  return isLostSomewhere ? "lost" : "stuck";
}

function checkHalts(world: World): void {
  for (const host of world.hosts) {
    const record = recordHeld(world, host);
    if (host.state?.kept.phase === "prepared" && record !== null) {
      const shouldHalt = isLost(world, record);
      const text = `${host.node} is ${describeKept(host.state.kept)}, halted: ${host.state.halted}`;
      expect(host.state.halted !== null, `${text}\n${world.log.join("\n")}`).to.equal(shouldHalt);
    }
  }
}

const FAULTS: readonly (readonly [string, Rates])[] = [
  ["messages are lost, late and repeated", { loss: 0.3, repeat: 0.3, crash: 0, crashInside: 0 }],
  ["nodes also crash now and then", { loss: 0.1, repeat: 0.3, crash: 0.02, crashInside: 0.002 }],
  ["nodes crash a lot", { loss: 0.1, repeat: 0.4, crash: 0.06, crashInside: 0.02 }],
];

describe("bootstrap, on random walks", function () {
  this.timeout(60_000);
  for (const durability of ["memory", "disk"] as const) {
    for (const count of [2, 3, 4, 7]) {
      for (const [what, rates] of FAULTS) {
        it(`begins one cluster of ${count} on ${durability} while ${what}`, () => {
          const nodes = ["a", "b", "c", "d", "e", "f", "g"].slice(0, count);
          let running = 0;
          for (let seed = 1; seed <= SEEDS; seed++) {
            const world = walk(seed, { nodes, expected: () => ({ peers: nodes }), durability }, rates);
            world.calm(CALM_TICKS);
            const told = `seed ${seed}\n${world.log.join("\n")}`;
            expect(world.violations, told).to.deep.equal([]);
            expect(world.refusals, told).to.deep.equal([]);
            expect(verdict(world), told).to.not.equal("stuck");
            checkHalts(world);
            running += verdict(world) === "running" ? 1 : 0;
          }
          expect(running).to.be.at.least(rates.crash === 0 ? SEEDS : SEEDS / 2);
        });
      }
    }
  }

  for (const [what, rates] of FAULTS) {
    it(`begins one cluster of three among five that count to three while ${what}`, () => {
      const nodes = ["a", "b", "c", "d", "e"];
      let running = 0;
      for (let seed = 1; seed <= SEEDS; seed++) {
        const world = walk(seed, { nodes, expected: () => ({ count: 3 }), durability: "memory" }, rates);
        world.calm(CALM_TICKS);
        const told = `seed ${seed}\n${world.log.join("\n")}`;
        expect(world.violations, told).to.deep.equal([]);
        running += verdict(world) === "running" ? 1 : 0;
      }
      expect(running).to.be.at.least(rates.crash === 0 ? SEEDS : SEEDS / 2);
    });
  }
});
