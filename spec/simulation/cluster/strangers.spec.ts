import { expect } from "chai";
import type { Transport } from "../../../lib/transport/transport.ts";
import { agreed, get, put, replicaAt, settled } from "../../support/data.ts";
import { SimCluster } from "../../support/sim-cluster.ts";

const NODES = ["a", "b", "c"];

/** A letter such as replicas send, with an epoch above all that there is. */
function letterFor(self: string, lineage: string): object {
  const epoch = { counter: 99, owner: "ffffffffffffffff" };
  const message = { type: "append", epoch, entries: [], round: 1 };
  return { v: 1, stream: "partition-0", lineage, from: self, to: [self], configuration: "x", message };
}

describe("what nodes say to each other", function () {
  this.timeout(60_000);
  let sim: SimCluster;
  let foreign: Transport;

  before(async () => {
    sim = new SimCluster("strangers");
    await sim.startAll(NODES, { partitions: 1, actorsOnly: false });
    await sim.until(() => agreed(sim), 20_000);
    await settled(sim);
    foreign = sim.hub.connect("foreign");
  });

  after(async () => {
    await sim.run(foreign.close());
    await sim.stopAll();
  });

  async function ask(node: string, actor: string, body: object): Promise<unknown> {
    const payload = Buffer.from(JSON.stringify(body));
    const subject = `supercast.default.call.${node}.${actor}`;
    const answer = await sim.run(foreign.request(subject, payload, { timeoutMs: 10_000 }));
    return JSON.parse(Buffer.from(answer.payload).toString());
  }

  it("is forbidden to a foreign client, and has no effect", async () => {
    await sim.run(put(sim, "a", 0, "k", 1));
    const before = await sim.run(replicaAt(sim, "a", "partition-0"));
    const letter = letterFor(before?.self ?? "", before?.lineage ?? "");
    const { incarnation } = sim.get("b").node;
    const cases: readonly (readonly [string, object])[] = [
      ["wal", { type: "ack", partition: 0, letter }],
      ["wal", { type: "replicateAndAck", partition: 0, letter }],
      ["replicator", { type: "applyOp", partition: 0, letter }],
      ["replicator", { type: "applyOpBatch", partition: 0, letter }],
      ["manager", { type: "joinCluster", node: "x", incarnation }],
      [
        "manager",
        { type: "bootstrap", message: { type: "go", from: { node: "b", incarnation }, lineage: "L" } },
      ],
      ["manager", { type: "byHand", event: "removed", node: "b" }],
      ["manager", { type: "declared", nodes: ["a"] }],
      ["stream-partition-0", { type: "letter", letter }],
      ["stream-partition-0", { type: "snapshot", parcel: letter }],
      ["stream-partition-0", { type: "claim", force: true }],
      ["stream-partition-0", { type: "handOver", to: before?.self }],
      ["stream-partition-0", { type: "reconfigure", members: [before?.self] }],
      ["stream-root", { type: "letter", letter }],
    ];
    for (const [actor, body] of cases) {
      const what = `${actor}: ${JSON.stringify(body).slice(0, 40)}`;
      expect(await ask("a", actor, body), what).to.have.nested.property("error.code", "forbidden");
      foreign.publish(`supercast.default.cast.a.${actor}`, Buffer.from(JSON.stringify(body)));
    }
    await sim.advance(500);
    expect(await sim.run(replicaAt(sim, "a", "partition-0"))).to.deep.equal(before);
    expect(await ask("a", "manager", { type: "liveNodes" })).to.have.deep.property("ok", NODES);
  });

  it("a foreign commit that is repeated under its requestId at another node takes effect once", async () => {
    const commit = { type: "commit", partition: 0, ops: [{ op: "put", record: ["f", 1] }], requestId: "r1" };
    const first = await ask("a", "wal", commit);
    await sim.run(put(sim, "c", 0, "f", 2));
    expect(await ask("b", "wal", commit)).to.have.deep.property("ok", Reflect.get(Object(first), "ok"));
    expect(await sim.run(get(sim, "b", 0, "f"))).to.equal(2);
  });
});
