import { expect } from "chai";
import { GroupTable, type RemoteGroups } from "../../lib/actor/group-table.ts";
import { makePid, type Pid } from "../../lib/actor/pid.ts";
import { snapshotUpdates } from "../../lib/node/group-sync.ts";
import { encode } from "../../lib/wire/codec.ts";
import { type BareNode, FloorRig } from "./floor-rig.ts";

const pid = (serial: number): Pid => makePid("a", "ia", serial);

function membersAfter(updates: readonly RemoteGroups[], group: string): string[] {
  const table = new GroupTable();
  for (const update of updates) {
    expect(table.applyRemote("a/ia/", update)).to.not.equal(undefined);
  }
  return table.members(group).sort();
}

describe("a snapshot of groups", () => {
  it("is one item when it is small", () => {
    const snapshot = [["g", [pid(1), pid(2)]] as const];
    expect(snapshotUpdates(snapshot, 10_000)).to.deep.equal([{ type: "snapshot", groups: snapshot }]);
  });

  it("is cut into items within the bound that add up to the same members", () => {
    const many = Array.from({ length: 1_000 }, (_, serial) => pid(serial));
    const snapshot = [
      ["small", [pid(1)]],
      ["big", [...many, ...many]],
      ["late", [pid(2)]],
    ] as const;
    const updates = snapshotUpdates(snapshot, 2_000);
    for (const update of updates) {
      expect(encode(update).length).to.be.at.most(2_200);
    }
    for (const [group, members] of snapshot) {
      expect(membersAfter(updates, group)).to.deep.equal([...members].sort());
    }
  });

  it("says so when there are no members", () => {
    expect(snapshotUpdates([], 1_000)).to.deep.equal([{ type: "snapshot", groups: [] }]);
  });
});

describe("groups across nodes", () => {
  let rig: FloorRig;
  let a: BareNode;
  let b: BareNode;

  beforeEach(async () => {
    rig = new FloorRig();
    a = rig.node("a");
    b = rig.node("b");
    await rig.clock.advance(300);
  });

  afterEach(() => rig.close());

  it("follow joins, leaves and deaths", async () => {
    const process = a.start("w");
    a.groups.join("g", process.pid);
    a.groups.join("g", process.pid);
    await rig.clock.advance(1);
    expect(b.groups.members("g")).to.deep.equal([process.pid, process.pid]);
    a.groups.leave("g", process.pid);
    await rig.clock.advance(1);
    expect(b.groups.members("g")).to.deep.equal([process.pid]);
    process.finish("killed");
    await rig.clock.advance(1);
    expect(b.groups.which()).to.deep.equal([]);
  });

  it("are told whole to a node that asks, because a change came before the first snapshot", async () => {
    const process = a.start("w");
    a.groups.join("g", process.pid);
    await rig.clock.advance(1);
    b.groups.dropNode("a", "ia");
    a.groups.join("other", process.pid);
    await rig.clock.advance(1);
    expect([...b.groups.which()].sort()).to.deep.equal(["g", "other"]);
  });

  it("agree again after a change was lost", async () => {
    const process = a.start("w");
    rig.hub.setFaults({ dropProbability: 1 }, { from: "a/ia", to: "b/ib" });
    a.groups.join("g", process.pid);
    await rig.clock.settle();
    rig.hub.clearFaults();
    await rig.clock.advance(400);
    expect(b.groups.members("g")).to.deep.equal([process.pid]);
  });
});
