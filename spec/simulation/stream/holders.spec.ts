import { expect } from "chai";
import { majorityOf } from "../../../lib/stream/configuration.ts";
import { chained } from "../../../lib/stream/entry.ts";
import { Log } from "../../../lib/stream/log.ts";
import { Holders } from "./holders.ts";
import { epochKey } from "./world.ts";

const EPOCH = { counter: 3, owner: "0123456789abcdef" };
const KEY = epochKey(EPOCH);
const THREE = majorityOf(["a/1", "b/1", "c/1"]);

function logOf(length: number): Log {
  const entries = Array.from({ length }, (_, index) => ({
    seq: index + 1,
    epoch: EPOCH,
    kind: 0,
    payload: new Uint8Array(0),
  }));
  return Log.empty().append(chained(Log.empty().last.chain, entries));
}

describe("who holds an entry", () => {
  it("is told by epoch and place, members only", () => {
    const holders = new Holders();
    holders.hold("a/1", 2, EPOCH);
    holders.hold("d/1", 2, EPOCH);
    expect(holders.heldBy(2, KEY, THREE)).to.equal(1);
    expect(holders.heldBy(1, KEY, THREE)).to.equal(0);
    expect(holders.heldBy(2, epochKey({ ...EPOCH, counter: 4 }), THREE)).to.equal(0);
  });

  it("is lost by those that come back with less, or never, and by no others", () => {
    const holders = new Holders();
    for (const replica of THREE.members) {
      for (const seq of [1, 2, 3]) {
        holders.hold(replica, seq, EPOCH);
      }
    }
    holders.returned("a/1", logOf(3), logOf(2));
    holders.returned("b/1", logOf(3), null);
    const kept = [1, 2, 3].map((seq) => holders.keptBy(seq, KEY, THREE));
    expect(kept).to.deep.equal([2, 2, 1]);
    expect(holders.heldBy(3, KEY, THREE)).to.equal(3);
  });
});
