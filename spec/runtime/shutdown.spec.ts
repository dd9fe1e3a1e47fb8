import { expect } from "chai";
import { Actor } from "../../lib/actor/actor.ts";
import type { Call, CallMessage } from "../../lib/actor/protocol.ts";
import type { Reply } from "../../lib/actor/result.ts";
import { delay } from "../../lib/base/clock.ts";
import { outcomeOf, SimCluster, type SimNode } from "../support/sim-cluster.ts";

type SlowProtocol = { work: Call<{ ms: number }, string> };

/** Works in its handler for as long as it is told; notes how it ended. */
class Slow extends Actor<SlowProtocol, undefined, { readonly ends: string[] }> {
  #ends: string[] = [];

  init({ ends }: { readonly ends: string[] }): undefined {
    this.#ends = ends;
    this.trapExit();
  }

  override async handleCall(message: CallMessage<SlowProtocol>): Promise<Reply> {
    await delay(this.process.system.clock, message.ms);
    return this.reply(message, "done");
  }

  override terminate(): void {
    this.#ends.push("terminated");
  }
}

describe("the end of a node", () => {
  let cluster: SimCluster;
  let a: SimNode;
  let ends: string[];

  beforeEach(async () => {
    cluster = new SimCluster();
    a = await cluster.start("a");
    ends = [];
    await cluster.run(a.node.start(Slow, { ends }, { name: "slow" }));
  });

  it("lets work in hand finish, ends the tree, and reports each phase", async () => {
    const work = outcomeOf(a.node.call({ name: "slow" }, { type: "work", ms: 500 }));
    await cluster.advance(1);
    const report = await cluster.run(a.node.stop());
    expect(await work).to.equal("ok");
    expect(ends).to.deep.equal(["terminated"]);
    expect(report.map(({ phase }) => phase)).to.deep.equal([
      "refuse",
      "drain",
      "tree",
      "goodbye",
      "transport",
      "server",
    ]);
    expect(report.filter(({ problem }) => problem !== undefined)).to.deep.equal([]);
    expect(report.find(({ phase }) => phase === "drain")?.ms).to.be.within(499, 520);
    expect(await a.node.closed).to.equal(undefined);
    expect(a.node.system.processCount).to.equal(0);
  });

  it("does not wait for ever: what does not drain is named and cut off", async () => {
    void outcomeOf(a.node.call({ name: "slow" }, { type: "work", ms: 60_000 }));
    await cluster.advance(1);
    const report = await cluster.run(a.node.stop());
    expect(report.find(({ phase }) => phase === "drain")?.problem).to.match(
      /1 processes still had 0 messages after 5000 ms/,
    );
    expect(a.node.system.processCount).to.equal(0);
  });

  it("is one end, however often it is asked for", async () => {
    const first = a.node.stop();
    expect(a.node.stop()).to.equal(first);
    await cluster.run(first);
    expect(await a.node.stop()).to.equal(await first);
  });

  it("goes on when a phase fails or hangs, and says so", async () => {
    a.transport.close = () => Promise.reject(new Error("no way to close"));
    const report = await cluster.run(a.node.stop());
    expect(report.find(({ phase }) => phase === "transport")?.problem).to.equal("no way to close");
    expect(report.at(-1)?.phase).to.equal("server");
    const b = await cluster.start("b");
    b.transport.close = () => new Promise(() => undefined);
    const hanging = await cluster.run(b.node.stop());
    expect(hanging.find(({ phase }) => phase === "transport")?.problem).to.equal("not over after 10000 ms");
  });

  it("starts no actor any more", async () => {
    await cluster.run(a.node.stop());
    const start = a.node.start(Slow, { ends }, { name: "late" });
    expect(await cluster.run(outcomeOf(start))).to.equal("noproc");
  });

  it("comes by itself when its connection is closed for good", async () => {
    await cluster.run(a.transport.close());
    await cluster.until(() => a.node.system.processCount === 0, 20_000);
    expect(String(await cluster.run(a.node.closed))).to.match(/closed/);
  });

  it("comes by itself when the tree gives up", async () => {
    const root = a.node.system.whereis("root");
    root?.finish("killed");
    expect(String(await cluster.run(a.node.closed))).to.match(/root supervisor ended: killed/);
  });
});
