import { expect } from "chai";
import type { TxnRegistryProtocol } from "../../actors/txn-registry.ts";
import { Actor } from "../../lib/actor/actor.ts";
import type { From } from "../../lib/actor/from.ts";
import type { CallMessage } from "../../lib/actor/protocol.ts";
import type { CallResult } from "../../lib/actor/result.ts";
import { add, TransactionRig } from "./transaction-rig.ts";

/** Registers a transaction in its own name. */
class Coordinator extends Actor<TxnRegistryProtocol> {
  init(): undefined {
    return undefined;
  }

  override handleCall(
    message: CallMessage<TxnRegistryProtocol>,
    from: From<TxnRegistryProtocol>,
  ): CallResult {
    this.call({ name: "txn_registry" }, message).then(
      (answer) => from.settle(answer),
      () => from.settle("failed"),
    );
    return this.noReply();
  }
}

describe("TxnRegistry", () => {
  let rig: TransactionRig;

  beforeEach(async () => {
    rig = new TransactionRig(21);
    await rig.begin();
    await rig.streams.writer();
  });

  afterEach(() => rig.streams.end());

  const register = (txnId: string): CallMessage<TxnRegistryProtocol> => ({
    type: "register",
    txnId,
    partition: 0,
    ops: [add("n", 1)],
    replicas: ["a", "b", "c"],
  });

  it("shows what is registered until it is removed, and what the log knows beside it", async () => {
    expect(await rig.registry("a", register("mine"))).to.equal(true);
    expect(await rig.registry("a", { type: "get", txnId: "mine" })).to.deep.equal({
      txnId: "mine",
      partition: 0,
      state: "prepared",
      seq: null,
      coordinatedHere: true,
      replicas: ["a", "b", "c"],
    });
    expect(await rig.registry("a", { type: "markPreCommitted", txnId: "mine" })).to.equal(true);
    expect(await rig.registry("a", { type: "get", txnId: "mine" })).to.include({ state: "preCommitted" });
    expect(await rig.registry("b", { type: "get", txnId: "mine" }), "of this node only").to.equal(null);
    await rig.ask("b", { type: "handlePrepare", txnId: "theirs", partition: 0, ops: [add("m", 1)] });
    await rig.streams.cluster.advance(500);
    expect(await rig.registry("a", { type: "count" })).to.equal(2);
    expect(await rig.registry("b", { type: "count" })).to.equal(1);
    const all = await rig.registry("a", { type: "listAll" });
    expect(all).to.be.an("array").with.nested.property("[0].txnId", "theirs");
    expect(await rig.registry("a", { type: "remove", txnId: "mine" })).to.equal(true);
    expect(await rig.registry("a", { type: "remove", txnId: "mine" })).to.equal(false);
    expect(await rig.registry("a", { type: "markPreCommitted", txnId: "mine" })).to.equal(false);
    expect(await rig.registry("a", { type: "count" })).to.equal(1);
  });

  it("believes the log, not the coordinator, about a transaction that the log knows", async () => {
    await rig.ask("a", { type: "handlePrepare", txnId: "t", partition: 0, ops: [add("m", 1)] });
    await rig.registry("b", register("t"));
    await rig.registry("b", { type: "markPreCommitted", txnId: "t" });
    await rig.streams.cluster.advance(500);
    expect(await rig.registry("b", { type: "get", txnId: "t" })).to.include({
      state: "prepared",
      coordinatedHere: true,
    });
    expect(await rig.registry("b", { type: "count" })).to.equal(1);
  });

  it("forgets what a process has registered when that process ends, and nothing else", async () => {
    const { node } = rig.streams.cluster.get("a");
    const coordinators = ["one", "two"];
    for (const name of coordinators) {
      await rig.streams.run(node.start(Coordinator, undefined, { name }));
      await rig.streams.run(node.call({ name }, register(`of ${name}`)));
    }
    expect(await rig.registry("a", { type: "count" })).to.equal(2);
    node.system.whereis("one")?.finish("killed");
    await rig.streams.cluster.advance(100);
    expect(await rig.registry("a", { type: "get", txnId: "of one" })).to.equal(null);
    expect(await rig.registry("a", { type: "get", txnId: "of two" })).to.include({ coordinatedHere: true });
  });
});
