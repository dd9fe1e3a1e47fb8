import { expect } from "chai";
import type { Epoch } from "../../lib/journal/epoch.ts";
import { Batches, type Caller, laterMode } from "../../lib/stream/batches.ts";
import { type RequestAnswer, streamActorName } from "../../lib/stream/requests.ts";
import { outcomeOf } from "../support/sim-cluster.ts";
import { STREAM, StreamRig } from "./stream-rig.ts";

const NODES = ["a", "b", "c"];
const REDIRECT: RequestAnswer = { status: "redirect", primary: null };

function epoch(counter: number): Epoch {
  return { counter, owner: "00000000000000aa" };
}

describe("callers in mode all", () => {
  class Rig {
    readonly batches = new Batches(100, () => undefined);
    readonly answers: RequestAnswer[] = [];
    readonly caller: Caller = { mode: "all", answer: (answer) => this.answers.push(answer) };

    add(seq: number, counter: number, nowMs = 0): void {
      const request = { clientId: "c", requestSeq: seq, value: `v${seq}` };
      this.batches.add(seq, epoch(counter), [request]);
      this.batches.join(seq, request, this.caller, nowMs);
    }

    get seqs(): unknown[] {
      return this.answers.map((answer) => (answer.status === "ok" ? answer.seq : answer.status));
    }
  }

  it("are answered when their entry is committed and held by all, in whichever order that comes", () => {
    const rig = new Rig();
    rig.add(2, 1);
    rig.add(3, 1);
    rig.batches.held(3);
    rig.batches.heldByAll(3);
    expect(rig.answers, "not committed").to.deep.equal([]);
    rig.batches.committed({ seq: 2, epoch: epoch(1) }, REDIRECT);
    rig.batches.committed({ seq: 3, epoch: epoch(1) }, REDIRECT);
    expect(rig.answers, "nobody has said that all hold it").to.deep.equal([]);
    rig.batches.heldByAll(2);
    expect(rig.answers).to.deep.equal([{ status: "ok", value: "v2", seq: 2, epoch: epoch(1) }]);
    rig.batches.heldByAll(3);
    expect(rig.seqs).to.deep.equal([2, 3]);
    expect(rig.batches.waiting).to.equal(0);
    expect(rig.batches.awaitsAll).to.equal(false);
  });

  it("are told unknown when time runs out, once, and leave nothing behind", () => {
    const rig = new Rig();
    rig.add(2, 1);
    rig.batches.committed({ seq: 2, epoch: epoch(1) }, REDIRECT);
    rig.batches.tick(100);
    expect(rig.seqs).to.deep.equal(["unknown"]);
    expect(rig.batches.awaitsAll).to.equal(false);
    rig.batches.heldByAll(9);
    expect(rig.seqs).to.deep.equal(["unknown"]);
  });

  it("go on waiting beyond the epoch in which their entry was committed", () => {
    const rig = new Rig();
    rig.add(2, 1);
    rig.batches.committed({ seq: 2, epoch: epoch(1) }, REDIRECT);
    rig.batches.epochChanged();
    rig.batches.heldByAll(0);
    expect(rig.answers).to.deep.equal([]);
    rig.batches.heldByAll(4);
    expect(rig.seqs).to.deep.equal([2]);
  });

  it("learn that their entry was superseded", () => {
    const rig = new Rig();
    rig.add(2, 1);
    rig.batches.epochChanged();
    rig.batches.committed({ seq: 2, epoch: epoch(2) }, REDIRECT);
    rig.batches.heldByAll(2);
    expect(rig.answers).to.deep.equal([REDIRECT]);
  });

  it("who repeat a request of an older entry are answered no earlier than those before them", () => {
    const rig = new Rig();
    rig.add(5, 1);
    rig.batches.committed({ seq: 5, epoch: epoch(1) }, REDIRECT);
    rig.batches.waitForAll(3, epoch(1), { clientId: "c", requestSeq: 3, value: "old" }, rig.caller, 0);
    rig.batches.heldByAll(4);
    expect(rig.answers).to.deep.equal([]);
    rig.batches.heldByAll(5);
    expect(rig.seqs).to.deep.equal([5, 3]);
  });

  it("are forgotten with the actor, and told unknown when the replica is another one", () => {
    const gone = new Rig();
    gone.add(2, 1);
    gone.batches.committed({ seq: 2, epoch: epoch(1) }, REDIRECT);
    gone.batches.forgetCallers();
    gone.batches.heldByAll(2);
    expect(gone.answers).to.deep.equal([]);
    const broken = new Rig();
    broken.add(2, 1);
    broken.batches.committed({ seq: 2, epoch: epoch(1) }, REDIRECT);
    broken.batches.abandon();
    broken.batches.heldByAll(2);
    expect(broken.seqs).to.deep.equal(["unknown"]);
  });

  it("ask for the latest answer there is", () => {
    expect(laterMode("strong", "all")).to.equal("all");
    expect(laterMode("async", "all")).to.equal("all");
  });
});

for (const durable of [false, true]) {
  describe(`requests in mode all, ${durable ? "on disk" : "in memory"}`, () => {
    async function withRig(seed: number, body: (rig: StreamRig) => Promise<void>): Promise<void> {
      const rig = new StreamRig(seed, NODES, { durable });
      await rig.begin();
      await body(rig);
      await rig.end();
    }

    it("are answered when every member durably holds the entry", async () => {
      await withRig(11, async (rig) => {
        const writer = await rig.writer();
        const client = rig.client(writer);
        for (let n = 0; n < 20; n++) {
          const { seq } = await rig.run(client.request({ op: "add", key: "n", n: 1 }, { mode: "all" }));
          for (const home of rig.homes.values()) {
            expect(home.replica.durableSeq, home.replica.self).to.be.at.least(seq);
          }
        }
        expect(await rig.run(client.read({ key: "n" }))).to.equal(20);
      });
    });

    it("are unknown while one member is silent, although they are committed, and others are not held up", async () => {
      await withRig(12, async (rig) => {
        const writer = await rig.writer();
        const client = rig.client(writer, 2_500);
        await rig.run(client.request({ op: "add", key: "n", n: 1 }, { mode: "all" }));
        const [slow = ""] = rig.others(writer);
        rig.cluster.pause(slow);
        const all = outcomeOf(client.request({ op: "add", key: "n", n: 1 }, { mode: "all" }));
        expect((await rig.run(client.request({ op: "add", key: "m", n: 1 }))).value).to.equal(1);
        expect(await rig.run(all)).to.equal("unknown_outcome");
        expect(await rig.run(client.read({ key: "n" }))).to.equal(2);
        rig.cluster.resume(slow);
        expect(
          (await rig.run(client.request({ op: "add", key: "n", n: 1 }, { mode: "all" }))).value,
        ).to.equal(3);
      });
    });

    it("are let through by the configuration that removes the silent member, and take effect once", async () => {
      await withRig(13, async (rig) => {
        const writer = await rig.writer();
        const client = rig.client(writer, 20_000);
        await rig.run(client.request({ op: "add", key: "n", n: 1 }, { mode: "all" }));
        const [slow = "", other = ""] = rig.others(writer);
        rig.kill(slow);
        let done = false;
        const all = client.request({ op: "add", key: "n", n: 1 }, { mode: "all" }).then((answer) => {
          done = true;
          return answer;
        });
        await rig.cluster.advance(1_000);
        expect(done).to.equal(false);
        const members = [writer, other].map((name) => rig.home(name).replica.self);
        const { node } = rig.cluster.get(writer);
        const order = node.call(
          { name: streamActorName(STREAM), node: writer },
          { type: "reconfigure", members },
          { timeoutMs: 20_000 },
        );
        expect(await rig.run(order)).to.have.property("status", "ok");
        expect((await rig.run(all)).value).to.equal(2);
        expect(await rig.run(client.read({ key: "n" }))).to.equal(2);
      });
    });

    it("that are repeated at the next writer wait there for every member, too", async () => {
      await withRig(14, async (rig) => {
        const first = await rig.writer();
        const [second = "", third = ""] = rig.others(first);
        const client = rig.client(second, 20_000);
        await rig.run(client.request({ op: "add", key: "n", n: 1 }, { mode: "all" }));
        rig.cluster.pause(third);
        let done = false;
        const all = client.request({ op: "add", key: "n", n: 1 }, { mode: "all" }).then((answer) => {
          done = true;
          return answer;
        });
        await rig.cluster.advance(200);
        rig.kill(first);
        rig.cluster.resume(third);
        await rig.cluster.until(
          () => [second, third].some((name) => rig.home(name).replica.role === "open"),
          20_000,
        );
        await rig.cluster.advance(3_000);
        expect(done, "a member is dead").to.equal(false);
        const writer = await rig.writer();
        const members = [second, third].map((name) => rig.home(name).replica.self);
        const { node } = rig.cluster.get(writer);
        const order = node.call(
          { name: streamActorName(STREAM), node: writer },
          { type: "reconfigure", members },
          { timeoutMs: 20_000 },
        );
        expect(await rig.run(order)).to.have.property("status", "ok");
        expect((await rig.run(all)).value).to.equal(2);
        expect(await rig.run(client.read({ key: "n" }))).to.equal(2);
      });
    });
  });
}
