import { expect } from "chai";
import fc from "fast-check";
import { makePid, serialOf } from "../../lib/actor/pid.ts";
import type { Process } from "../../lib/actor/process.ts";
import { type Item, OP } from "../../lib/node/envelope.ts";
import { PeerTies } from "../../lib/node/peer-ties.ts";
import { BOOM } from "../simulation/actors.ts";
import { type BareNode, FloorRig } from "./floor-rig.ts";

type End = "a" | "b";
type Op = "link" | "unlink";

interface Step {
  readonly waitMs: number;
  readonly end: End;
  readonly op: Op;
}

const step: fc.Arbitrary<Step> = fc.record({
  waitMs: fc.nat(8),
  end: fc.constantFrom<End>("a", "b"),
  op: fc.constantFrom<Op>("link", "unlink"),
});

/** One process on each of two nodes, both trapping exits. */
class Pair {
  readonly rig: FloorRig = new FloorRig();
  readonly nodes: Readonly<Record<End, BareNode>>;
  readonly processes: Readonly<Record<End, Process>>;

  constructor() {
    this.nodes = { a: this.rig.node("a"), b: this.rig.node("b") };
    this.processes = {
      a: this.nodes.a.start("w", { trap: true }),
      b: this.nodes.b.start("w", { trap: true }),
    };
  }

  do(end: End, op: Op): void {
    const other = this.processes[end === "a" ? "b" : "a"];
    this.nodes[end].system.signals[op](this.processes[end], other.pid);
  }

  linked(end: End): boolean {
    const other = this.processes[end === "a" ? "b" : "a"];
    return this.processes[end].existingTies?.links.has(other.pid) === true;
  }

  /** What arrived at that end. */
  seen(end: End): unknown {
    return this.processes[end].behaviour.state;
  }

  async settle(): Promise<void> {
    this.rig.hub.setFaults({});
    await this.rig.clock.advance(2_000);
  }
}

async function withPair(run: (pair: Pair) => Promise<void>): Promise<void> {
  const pair = new Pair();
  try {
    await pair.rig.clock.advance(300);
    await run(pair);
  } finally {
    pair.rig.close();
  }
}

/** What may hold in the end: that which follows from some order of what the two ends did. */
function possibleEnds(steps: readonly Step[]): readonly boolean[] {
  const last = (end: End): Op | undefined => steps.findLast((each) => each.end === end)?.op;
  const finals = [last("a"), last("b")].filter((each) => each !== undefined);
  return finals.length === 0 ? [false] : finals.map((op) => op === "link");
}

describe("links between two nodes, made and ended at both ends at once", function () {
  this.timeout(30_000);

  it("otp 51: a link asked for while the other end's unlink is on its way is no link at either end", () =>
    withPair(async (pair) => {
      pair.do("a", "link");
      await pair.settle();
      pair.rig.hub.setFaults({ delayMs: [20, 20] });
      pair.do("a", "unlink");
      pair.do("b", "unlink");
      pair.do("b", "link");
      await pair.rig.clock.advance(15);
      expect([pair.linked("a"), pair.linked("b")]).to.deep.equal([false, true]);
      await pair.settle();
      expect([pair.linked("a"), pair.linked("b")]).to.deep.equal([false, false]);
      pair.nodes.b.system.signals.exit(pair.processes.b.pid, pair.processes.b.pid, "kill");
      await pair.settle();
      expect(pair.seen("a")).to.deep.equal([]);
    }));

  it("otp 51: a link that both make anew after their unlinks crossed is a link at both ends", () =>
    withPair(async (pair) => {
      pair.do("a", "link");
      await pair.settle();
      pair.rig.hub.setFaults({ delayMs: [20, 20] });
      for (const end of ["a", "b"] as const) {
        pair.do(end, "unlink");
        pair.do(end, "link");
      }
      await pair.settle();
      expect([pair.linked("a"), pair.linked("b")]).to.deep.equal([true, true]);
    }));

  it("otp 55: an exit that crosses an unlink does not arrive, and is not taken for one of a later link", () =>
    withPair(async (pair) => {
      pair.do("a", "link");
      await pair.settle();
      pair.rig.hub.setFaults({ delayMs: [20, 20] });
      pair.processes.b.finish(BOOM);
      pair.do("a", "unlink");
      await pair.settle();
      expect(pair.seen("a")).to.deep.equal([]);
      pair.do("a", "link");
      await pair.settle();
      expect(pair.seen("a")).to.deep.equal(["exit noproc"]);
    }));

  it("keeps no trace of an unlink that was acknowledged, also by a node whose process is gone", () =>
    withPair(async ({ nodes, processes }) => {
      const sent: Item[] = [];
      const ties = new PeerTies(nodes.a.system, {
        pidOf: (serial) => makePid("b", "ib", serial),
        signal: (item) => sent.push(item),
        signalReason: (op, fields, reason) => sent.push([op, ...fields, reason]),
      });
      const { pid } = processes.b;
      const [local, remote] = [serialOf(processes.a.pid), serialOf(pid)];
      for (let round = 0; round < 3; round++) {
        ties.link(local, pid);
        ties.unlink(local, pid);
      }
      expect(sent.slice(-1)).to.deep.equal([[OP.unlink, local, remote, 3]]);
      ties.unlinkAckArrived(remote, local, 1);
      ties.unlinkAckArrived(remote, local, 2);
      expect(ties.size).to.equal(1);
      ties.unlinkAckArrived(remote, local, 3);
      expect(ties.size).to.equal(0);
      ties.unlink(local, pid);
      ties.release();
      expect(ties.size).to.equal(0);
      ties.unlinkArrived(remote, 999_999, 7);
      expect(sent.slice(-1)).to.deep.equal([[OP.unlinkAck, 999_999, remote, 7]]);
    }));

  it("otp 51: both ends agree in the end, on what some order of their steps gives", () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), fc.nat(30), (steps, delayMs) =>
        withPair(async (pair) => {
          pair.rig.hub.setFaults({ delayMs: [0, delayMs] });
          for (const { waitMs, end, op } of steps) {
            await pair.rig.clock.advance(waitMs);
            pair.do(end, op);
          }
          await pair.settle();
          expect(pair.linked("a")).to.equal(pair.linked("b"));
          expect(possibleEnds(steps)).to.include(pair.linked("a"));
          expect([pair.seen("a"), pair.seen("b")]).to.deep.equal([[], []]);
        }),
      ),
      { numRuns: 300 },
    ));

  it("otp 89: both ends agree in the end, whatever the network loses and repeats", () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), fc.nat(2 ** 31), (steps, seed) =>
        withPair(async (pair) => {
          pair.rig.hub.setFaults({
            delayMs: [0, seed % 30],
            dropProbability: (seed % 7) / 20,
            duplicateProbability: (seed % 5) / 10,
          });
          for (const { waitMs, end, op } of steps) {
            await pair.rig.clock.advance(waitMs * 10);
            pair.do(end, op);
          }
          await pair.settle();
          expect(pair.linked("a")).to.equal(pair.linked("b"));
        }),
      ),
      { numRuns: 150 },
    ));
});
