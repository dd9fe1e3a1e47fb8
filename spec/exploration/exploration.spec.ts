/**
 * The pure replicas in every interleaving of a small world. The counts are those of the product's step function
 * as it is: another count means that replicas say or do something else than before. See whether they should,
 * and write down the new one.
 */
import { expect } from "chai";
import { step } from "../../lib/stream/step.ts";
import { type Bounds, Expansion } from "./expansion.ts";
import { type Exploration, type ExploreOptions, Explorer } from "./explore.ts";
import { Frontier } from "./frontier.ts";
import { acceptsOldAppends, adoptsOwnLog } from "./planted.ts";
import { HashTable } from "./table.ts";
import { Things } from "./things.ts";
import { Canon, World } from "./world.ts";

const SMALLEST: ExploreOptions = {
  epochs: 1,
  claims: 1,
  writes: 0,
  crashes: 0,
  questions: false,
  states: 100_000,
  step,
};

function explore(options: Partial<ExploreOptions>): Exploration {
  return new Explorer({ ...SMALLEST, ...options }).run();
}

/** What went wrong, with the way there. */
function storyOf({ violation }: Exploration): string {
  return violation === null ? "" : `${violation.what}\n${violation.trace.join("\n")}`;
}

function expectSound(found: Exploration): void {
  expect(storyOf(found)).to.equal("");
  expect(found.exhausted, "exhausted").to.equal(true);
  expect(found.surprises, "messages wrongly taken for idle").to.equal(0);
}

describe("every interleaving of three replicas", () => {
  it("keeps the invariants when two claim the same epoch", () => {
    const found = explore({ claims: 2 });
    expectSound(found);
    expect(found.states).to.equal(10_474);
    expect(found.openings).to.be.greaterThan(500);
    expect(found.commits).to.be.greaterThan(5_000);
  });

  it("keeps them when one dies and another may take its place", () => {
    const found = explore({ crashes: 1 });
    expectSound(found);
    expect(found.states).to.equal(1_533);
    expect(found.crashesTaken).to.be.greaterThan(1_000);
    expect(found.reconfigurations).to.be.greaterThan(0);
  });

  it("keeps them when members are asked before a claim", () => {
    const found = explore({ questions: true });
    expectSound(found);
    expect(found.states).to.equal(1_695);
  });

  it("stops at the bound of states and says so", () => {
    const found = explore({ epochs: 2, claims: 2, states: 2_000 });
    expect(found.violation).to.equal(null);
    expect(found.states).to.equal(2_000);
    expect(found.exhausted).to.equal(false);
    expect(found.waiting).to.be.greaterThan(0);
  });
});

/** How many worlds there are when nothing is folded, and how many of them are the same but for names. */
function countUnfolded(bounds: Bounds): { readonly named: number; readonly folded: number } {
  const things = new Things();
  const expansion = new Expansion(things, step, bounds);
  const canon = new Canon(things);
  const [named, folded] = [new HashTable(200_000), new HashTable(200_000)];
  const [world, into] = [new World(), new World()];
  const waiting = new Frontier();
  const meet = (next: World): void => {
    canon.choose(next, into);
    folded.add(canon.high, canon.low);
    canon.keep(next, into);
    if (named.add(canon.high, canon.low)) {
      waiting.push(named.count, into.words.subarray(0, into.length));
    }
  };
  meet(expansion.root());
  for (let next = waiting.shift(); next !== null; next = waiting.shift()) {
    world.set(next.words);
    expansion.eachAsNamed(world, meet);
  }
  return { named: named.count, folded: folded.count };
}

describe("an exploration", () => {
  it("finds with names folded what it finds without", () => {
    const twoClaims = { ...SMALLEST, claims: 2 };
    const { named, folded } = countUnfolded(twoClaims);
    expect(folded).to.equal(explore(twoClaims).states);
    expect(named).to.be.greaterThan(3 * folded);
    const oneDeath = { ...SMALLEST, crashes: 1 };
    expect(countUnfolded(oneDeath).folded).to.equal(explore(oneDeath).states);
  }).timeout(30_000);

  it("finds a replica that takes appends of an epoch older than its promise", () => {
    const { violation } = explore({ claims: 2, step: acceptsOldAppends });
    expect(violation?.what).to.match(/a committed entry is never replaced/);
    expect(violation?.trace).to.have.length(9);
    expect(violation?.trace[5]).to.match(/^6\. b gets append 1a 1\.\.1 from a -> follower promise 1c/);
  });

  it("finds a replica that goes on with its own log instead of the best one", () => {
    const { violation } = explore({ epochs: 2, claims: 2, step: adoptsOwnLog });
    expect(violation?.what).to.match(/a committed entry is never replaced/);
    expect(violation?.trace.at(-1)).to.match(/append 2b/);
  });
});
