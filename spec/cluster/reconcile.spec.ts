import { expect } from "chai";
import { type Random, seededRandom } from "../../lib/base/random.ts";
import { type ReconcileView, reconcile, rootMembers } from "../../lib/cluster/reconcile.ts";
import { majorityOf } from "../../lib/stream/configuration.ts";
import { nodeOf, type ReplicaId } from "../../lib/stream/replica-id.ts";

interface Given {
  readonly members: readonly string[];
  readonly self?: string;
  readonly learners?: readonly string[];
  readonly copying?: readonly string[];
  readonly wanted: readonly string[];
  readonly down?: readonly string[];
  readonly behind?: readonly string[];
}

const NODES = ["a", "b", "c", "d", "e", "f"];

function viewOf(given: Given): ReconcileView {
  const { members, self = members[0] ?? "", learners = [], copying = [], wanted, down = [] } = given;
  return {
    configuration: { members },
    self,
    learners: [
      ...learners.map((replica) => ({ replica, caughtUp: true })),
      ...copying.map((replica) => ({ replica, caughtUp: false })),
    ],
    wanted,
    up: new Set(NODES.filter((node) => !down.includes(node))),
    ...(given.behind === undefined ? {} : { behind: new Set(given.behind) }),
  };
}

describe("reconciling a stream's members", () => {
  const CASES: readonly (readonly [string, Given, unknown])[] = [
    ["does nothing when all is as wanted", { members: ["a/1", "b/1", "c/1"], wanted: ["a", "b", "c"] }, null],
    ["does nothing while nobody knows what is wanted", { members: ["a/1", "b/1"], wanted: [] }, null],
    [
      "adds a wanted node whose learner has caught up, in order of preference",
      { members: ["b/1"], learners: ["a/1"], wanted: ["a", "b"] },
      { reconfigure: ["a/1", "b/1"] },
    ],
    ["waits for a learner that copies", { members: ["a/1"], copying: ["b/1"], wanted: ["a", "b"] }, null],
    [
      "does not take in a learner whose node is down",
      { members: ["a/1"], learners: ["b/1"], wanted: ["a", "b"], down: ["b"] },
      null,
    ],
    [
      "swaps a node's younger replica in for its older one",
      { members: ["a/1", "b/1", "c/1"], learners: ["b/2"], wanted: ["a", "b", "c"] },
      { reconfigure: ["a/1", "b/2", "c/1"] },
    ],
    [
      "counts the copies of one process beyond nine",
      { members: ["a/1", "b/1-9", "c/1"], learners: ["b/1-10"], wanted: ["a", "b", "c"] },
      { reconfigure: ["a/1", "b/1-10", "c/1"] },
    ],
    [
      "never takes an older replica of a member's node",
      { members: ["a/1", "b/2", "c/1"], learners: ["b/1"], wanted: ["a", "b", "c"] },
      null,
    ],
    [
      "swaps a wanted node in for one that is not, a dead one first",
      { members: ["a/1", "d/1", "e/1"], learners: ["b/1"], wanted: ["a", "b", "c"], down: ["d"] },
      { reconfigure: ["a/1", "b/1", "e/1"] },
    ],
    [
      "keeps what is not wanted while something wanted is missing",
      { members: ["a/1", "b/1", "d/1"], copying: ["c/1"], wanted: ["a", "b", "c"] },
      null,
    ],
    [
      "lets what is not wanted go when all that is wanted is in",
      { members: ["a/1", "b/1", "c/1", "d/1"], wanted: ["a", "b", "c"] },
      { reconfigure: ["a/1", "b/1", "c/1"] },
    ],
    [
      "lets them go together: one that is left may be dead without anybody knowing",
      { members: ["a/1", "d/1", "e/1"], wanted: ["a"] },
      { reconfigure: ["a/1"] },
    ],
    [
      "lets a dead one go early when the quorum gets smaller by it",
      { members: ["a/1", "b/1", "c/1", "e/1"], wanted: ["a", "b", "d"], down: ["e"] },
      { reconfigure: ["a/1", "b/1", "c/1"] },
    ],
    [
      "keeps a dead one of three: two need each other just as much",
      { members: ["a/1", "b/1", "e/1"], wanted: ["a", "b", "d"], down: ["e"] },
      null,
    ],
    [
      "does not add what would have no live quorum",
      { members: ["a/1", "b/1"], learners: ["b/2"], wanted: ["a", "b"], down: ["b"] },
      null,
    ],
    [
      "hands over to the preferred node",
      { members: ["a/1", "b/1"], self: "b/1", wanted: ["a", "b"] },
      { handOver: "a/1" },
    ],
    [
      "hands over to no node that is down",
      { members: ["a/1", "b/1", "c/1"], self: "b/1", wanted: ["a", "b", "c"], down: ["a"] },
      null,
    ],
    [
      "hands over to no member that lacks much",
      { members: ["a/1", "b/1"], self: "b/1", wanted: ["a", "b"], behind: ["a/1"] },
      null,
    ],
    [
      "hands over to no replica that its node has already replaced",
      { members: ["a/1", "b/1", "c/1"], self: "b/1", copying: ["a/2"], wanted: ["a", "b", "c"] },
      null,
    ],
    [
      "keeps a writer that is not wanted until all that is wanted is in",
      { members: ["a/1", "b/1", "d/1"], self: "d/1", wanted: ["a", "b", "c"] },
      null,
    ],
    [
      "lets a writer that is not wanted hand over, to the first that can",
      { members: ["a/1", "b/1", "c/1", "d/1"], self: "d/1", wanted: ["a", "b", "c"], down: ["a"] },
      { handOver: "b/1" },
    ],
    [
      "then lets it go",
      { members: ["a/1", "b/1", "c/1", "d/1"], self: "b/1", wanted: ["a", "b", "c"], down: ["a"] },
      { reconfigure: ["a/1", "b/1", "c/1"] },
    ],
  ];
  for (const [what, given, step] of CASES) {
    it(what, () => {
      expect(reconcile(viewOf(given))).to.deep.equal(step);
    });
  }
});

/** A stream whose nodes come and go, and whose wishes change. Memory only: a node that restarts has lost its copy. */
class Stream {
  readonly random: Random;
  members: readonly ReplicaId[];
  self: ReplicaId;
  wanted: readonly string[];
  readonly lives = new Map(NODES.map((node) => [node, 1]));
  readonly down = new Set<string>();
  /** Caught up or not; of lives that may be over. */
  learners = new Map<ReplicaId, boolean>();
  steps = 0;

  constructor(seed: number) {
    this.random = seededRandom(`reconcile ${seed}`);
    this.wanted = this.draw();
    this.members = this.draw().map((node) => `${node}/1`);
    this.self = this.members[0] ?? "";
  }

  draw(): readonly string[] {
    const shuffled = NODES.map((node) => ({ node, at: this.random.next() })).sort((x, y) => x.at - y.at);
    return shuffled.slice(0, 1 + this.random.below(5)).map(({ node }) => node);
  }

  isAlive(replica: ReplicaId): boolean {
    const node = nodeOf(replica);
    return !this.down.has(node) && replica === `${node}/${this.lives.get(node)}`;
  }

  get isWritable(): boolean {
    const live = this.members.filter((member) => this.isAlive(member)).length;
    return live >= majorityOf(this.members).writeQuorum;
  }

  get view(): ReconcileView {
    return {
      configuration: { members: this.members },
      self: this.self,
      learners: [...this.learners].map(([replica, caughtUp]) => ({ replica, caughtUp })),
      wanted: this.wanted,
      up: new Set(NODES.filter((node) => !this.down.has(node))),
    };
  }

  /** Something happens, but never the loss of a majority: nothing could be done about that here. */
  disturb(): void {
    const node = NODES[this.random.below(NODES.length)] ?? "a";
    const [lives, wasDown] = [this.lives.get(node) ?? 1, this.down.has(node)];
    switch (this.random.below(5)) {
      case 0:
        this.wanted = this.draw();
        return;
      case 1:
        this.down.add(node);
        break;
      case 2:
        this.down.delete(node);
        break;
      case 3:
        this.lives.set(node, lives + 1);
        break;
      default:
        this.feed(0.5);
    }
    if (!this.isWritable) {
      this.lives.set(node, lives);
      if (wasDown) {
        this.down.add(node);
      } else {
        this.down.delete(node);
      }
    }
    if (!this.isAlive(this.self)) {
      this.self = this.members.find((member) => this.isAlive(member)) ?? "";
    }
  }

  /** Replicas of wanted nodes ask to be fed. */
  feed(share: number): void {
    for (const node of this.wanted) {
      const replica = `${node}/${this.lives.get(node)}`;
      if (!this.members.includes(replica) && !this.down.has(node) && this.random.next() < share) {
        this.learners.set(replica, this.learners.has(replica));
      }
    }
  }

  /** Takes a step and checks it. False when there is none. */
  step(): boolean {
    const view = this.view;
    const step = reconcile(view);
    this.steps += 1;
    if (step === null) {
      return false;
    }
    if ("handOver" in step) {
      expect(this.members).to.include(step.handOver);
      expect(view.up.has(nodeOf(step.handOver))).to.equal(true);
      expect(nodeOf(this.self)).to.not.equal(this.wanted[0]);
      if (this.isAlive(step.handOver)) {
        this.self = step.handOver;
      }
      return true;
    }
    this.checkReconfiguration(step.reconfigure, view);
    if (
      majorityOf(step.reconfigure).writeQuorum <= step.reconfigure.filter((each) => this.isAlive(each)).length
    ) {
      this.members = step.reconfigure;
      this.learners = new Map([...this.learners].filter(([replica]) => !this.members.includes(replica)));
    }
    return true;
  }

  checkReconfiguration(next: readonly ReplicaId[], view: ReconcileView): void {
    expect(next).to.include(this.self);
    expect(new Set(next).size).to.equal(next.length);
    const added = next.filter((each) => !this.members.includes(each));
    const removed = this.members.filter((each) => !next.includes(each));
    expect(added.length + removed.length).to.be.greaterThan(0);
    expect(added.length).to.be.at.most(1);
    expect(removed.length, "one for one").to.be.at.most(added.length === 1 ? 1 : this.members.length - 1);
    for (const each of added) {
      expect(this.learners.get(each), `${each} holds all`).to.equal(true);
      expect(this.wanted).to.include(nodeOf(each));
    }
    for (const each of removed) {
      const isReplaced = added.some((other) => nodeOf(other) === nodeOf(each));
      const isDouble = next.some((other) => nodeOf(other) === nodeOf(each));
      expect(isReplaced || isDouble || !this.wanted.includes(nodeOf(each)), `${each} may go`).to.equal(true);
    }
    const live = next.filter((each) => each === this.self || view.up.has(nodeOf(each))).length;
    expect(live).to.be.at.least(majorityOf(next).writeQuorum);
    const wantedIn = next.filter((each) => this.wanted.includes(nodeOf(each))).length;
    const isDeadLess = removed.every((each) => !view.up.has(nodeOf(each)) || !this.isAlive(each));
    if (next.length < this.members.length && !isDeadLess) {
      expect(wantedIn, "live members go last").to.be.at.least(this.wanted.length);
    }
  }
}

describe("reconciling, on random walks", function () {
  this.timeout(60_000);

  it("takes safe steps only, and comes to what is wanted when nodes are up", () => {
    for (let seed = 1; seed <= 1_500; seed++) {
      const stream = new Stream(seed);
      for (let turn = 0; turn < 40; turn++) {
        stream.disturb();
        stream.step();
      }
      stream.down.clear();
      let quiet = 0;
      let moves = 0;
      while (quiet < 2 && moves < 40) {
        stream.feed(1);
        stream.feed(1);
        quiet = stream.step() ? 0 : quiet + 1;
        moves += 1;
      }
      const text = `seed ${seed}: ${JSON.stringify(stream.view.configuration)} for ${stream.wanted.join()}`;
      expect(moves, text).to.be.at.most(2 * NODES.length + 4);
      const wanted = stream.wanted.map((node) => `${node}/${stream.lives.get(node)}`);
      expect([...stream.members].sort(), text).to.deep.equal([...wanted].sort());
      expect(nodeOf(stream.self), text).to.equal(stream.wanted[0]);
    }
  });
});

describe("the members of the root stream", () => {
  const members = (names: string): { members: { node: string; incarnation: string }[] } => ({
    members: [...names].map((node) => ({ node, incarnation: "1" })),
  });
  const CASES: readonly (readonly [string, string, string, string, string])[] = [
    ["all of a small cluster", "abc", "abc", "abc", "abc"],
    ["a newcomer next to one", "ab", "ab", "a", "ab"],
    ["an odd number of four", "abcd", "abcd", "a", "abc"],
    ["no more than five", "abcdefg", "abcdefg", "g", "gabcd"],
    ["those that are and are up, whoever else there is", "abcdef", "abcdef", "fedcb", "fedcb"],
    ["another in place of one that is down", "abcd", "abd", "abc", "abd"],
    ["one that is down and cannot be replaced", "abc", "ab", "abc", "abc"],
    ["one of two that is down", "ab", "a", "ab", "ab"],
    ["no one who has left", "ab", "abc", "abc", "ab"],
    ["no stranger that is up", "a", "ax", "a", "a"],
    ["one that is down, rather than two alone", "acd", "ad", "abd", "adc"],
    ["four that all live", "abcde", "abcd", "abcd", "abcd"],
  ];
  for (const [what, map, up, present, wanted] of CASES) {
    it(`are ${what}`, () => {
      expect(rootMembers(members(map), new Set([...up]), [...present]).join("")).to.equal(
        [...wanted].join(""),
      );
    });
  }

  it("stay as they are once chosen, whatever the choice was made from", () => {
    const random = seededRandom("root");
    for (let turn = 0; turn < 2_000; turn++) {
      const some = (): string[] => NODES.filter(() => random.next() < 0.6);
      const map = members([...new Set(["a", ...some()])].join(""));
      const [up, present] = [new Set(some()), some()];
      const chosen = rootMembers(map, up, present);
      expect(rootMembers(map, up, chosen)).to.deep.equal(chosen);
      expect(chosen.length).to.be.at.most(5);
    }
  });
});
