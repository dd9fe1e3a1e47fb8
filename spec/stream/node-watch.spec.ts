import { expect } from "chai";
import { majorityOf } from "../../lib/stream/configuration.ts";
import { NodeWatch } from "../../lib/stream/node-watch.ts";
import { checkStreamSettings, coreSettings } from "../../lib/stream/settings.ts";
import { createReplica } from "../../lib/stream/step.ts";

const settings = coreSettings(checkStreamSettings(), "memory", "strong");
const genesis = majorityOf(["a/1", "b/1", "c/1"]);
const state = createReplica("a/1", settings, { genesis });

describe("news of nodes", () => {
  it("take the replicas on a node along, and bring them back with the same process only", () => {
    const watch = new NodeWatch();
    const down = { type: "nodeDown", node: "b", incarnation: "p1" } as const;
    expect(watch.events(down, state)).to.deep.equal([{ type: "replicaDown", replica: "b/1" }]);
    expect(watch.events({ ...down, type: "nodeUp" }, state)).to.deep.equal([
      { type: "replicaUp", replica: "b/1" },
    ]);
    watch.events(down, state);
    expect(watch.events({ ...down, type: "nodeUp", incarnation: "p2" }, state)).to.deep.equal([]);
    expect(
      watch.events({ ...down, type: "nodeUp" }, state),
      "the older process counts no more",
    ).to.deep.equal([]);
  });

  it("say nothing about nodes without a replica, nor about the own one", () => {
    const watch = new NodeWatch();
    expect(watch.events({ type: "nodeDown", node: "z", incarnation: "p" }, state)).to.deep.equal([]);
    expect(watch.events({ type: "nodeDown", node: "a", incarnation: "p" }, state)).to.deep.equal([]);
  });
});
