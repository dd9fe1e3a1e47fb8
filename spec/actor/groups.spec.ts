import { expect } from "chai";
import fc from "fast-check";
import { Actor } from "../../lib/actor/actor.ts";
import type { GroupEvent, GroupSnapshot } from "../../lib/actor/group-table.ts";
import { Groups } from "../../lib/actor/groups.ts";
import type { Pid } from "../../lib/actor/pid.ts";
import type { Process } from "../../lib/actor/process.ts";
import { codeThrown, Rig } from "./rig.ts";

class Member extends Actor {
  init(): undefined {
    return undefined;
  }
}

function membersOf(groups: Groups): Record<string, readonly Pid[]> {
  return Object.fromEntries(groups.which().map((group) => [group, [...groups.members(group)].sort()]));
}

describe("Groups", () => {
  let rig: Rig;
  let groups: Groups;
  let events: GroupEvent[];
  let one: Process;
  let two: Process;

  beforeEach(async () => {
    rig = new Rig();
    groups = new Groups(rig.system);
    events = [];
    groups.subscribe((event) => events.push(event));
    one = (await rig.start(Member, undefined)).process;
    two = (await rig.start(Member, undefined)).process;
  });

  afterEach(() => {
    rig.system.close();
  });

  it("otp 83: a group is there while it has members", () => {
    expect(groups.which()).to.deep.equal([]);
    expect(groups.members("workers")).to.deep.equal([]);
    groups.join("workers", one.pid);
    groups.join("workers", two.pid);
    expect(groups.which()).to.deep.equal(["workers"]);
    expect(groups.members("workers")).to.deep.equal([one.pid, two.pid]);
    expect(groups.leave("workers", [one.pid, two.pid])).to.equal(true);
    expect(groups.which()).to.deep.equal([]);
  });

  it("otp 83: joining twice counts twice and takes two leaves", () => {
    groups.join("workers", one.pid);
    groups.join("workers", one.pid);
    expect(groups.members("workers")).to.deep.equal([one.pid, one.pid]);
    expect(groups.leave("workers", one.pid)).to.equal(true);
    expect(groups.members("workers")).to.deep.equal([one.pid]);
    expect(groups.leave("workers", one.pid)).to.equal(true);
    expect(groups.leave("workers", one.pid)).to.equal(false);
    expect(groups.members("workers")).to.deep.equal([]);
  });

  it("otp 83: only living processes of this node may join, all or none", () => {
    two.finish("killed");
    expect(codeThrown(() => groups.join("workers", "b/i1/1"))).to.equal("noproc");
    expect(codeThrown(() => groups.join("workers", [one.pid, two.pid]))).to.equal("noproc");
    expect(groups.which()).to.deep.equal([]);
    expect(events).to.deep.equal([]);
  });

  it("otp 83: a dead member leaves all its groups before its DOWN is seen", () => {
    groups.join("workers", [one.pid, one.pid, two.pid]);
    groups.join("idle", one.pid);
    const seen: unknown[] = [];
    rig.system.monitor({ deliverDown: () => seen.push(membersOf(groups)) }, one.pid);
    events.length = 0;
    one.finish("killed");
    expect(seen).to.deep.equal([{ workers: [two.pid] }]);
    expect(events).to.deep.equal([
      { type: "leave", group: "workers", pids: [one.pid, one.pid] },
      { type: "leave", group: "idle", pids: [one.pid] },
    ]);
  });

  it("otp 83: a member that left and joined again still leaves once when it ends", () => {
    groups.join("workers", one.pid);
    groups.leave("workers", one.pid);
    groups.join("workers", one.pid);
    events.length = 0;
    one.finish("shutdown");
    expect(events).to.deep.equal([{ type: "leave", group: "workers", pids: [one.pid] }]);
  });

  it("otp 84: subscribers get joins and leaves, of one group or of all", () => {
    const ofIdle: GroupEvent[] = [];
    const stop = groups.subscribe((event) => ofIdle.push(event), "idle");
    groups.join("workers", one.pid);
    groups.join("idle", [one.pid, two.pid]);
    stop();
    groups.leave("idle", two.pid);
    expect(ofIdle).to.deep.equal([{ type: "join", group: "idle", pids: [one.pid, two.pid] }]);
    expect(events.map(({ type, group }) => `${type} ${group}`)).to.deep.equal([
      "join workers",
      "join idle",
      "leave idle",
    ]);
  });

  it("otp 83: members and local members are separate reads", () => {
    groups.join("workers", one.pid);
    groups.applyRemote("b", "i7", { type: "snapshot", groups: [["workers", ["b/i7/1"]]] });
    expect(groups.members("workers")).to.deep.equal([one.pid, "b/i7/1"]);
    expect(groups.localMembers("workers")).to.deep.equal([one.pid]);
    expect(groups.localSnapshot()).to.deep.equal([["workers", [one.pid]]]);
  });

  it("otp 84: a lost node's members leave, and its next snapshot brings them back", () => {
    const snapshot: GroupSnapshot = [
      ["workers", ["b/i7/1", "b/i7/1", "b/i7/2"]],
      ["idle", ["b/i7/2"]],
    ];
    groups.applyRemote("b", "i7", { type: "snapshot", groups: snapshot });
    groups.applyRemote("b", "i8", { type: "snapshot", groups: [["workers", ["b/i8/1"]]] });
    events.length = 0;
    groups.dropNode("b", "i7");
    expect(membersOf(groups)).to.deep.equal({ workers: ["b/i8/1"] });
    expect(events).to.deep.equal([
      { type: "leave", group: "workers", pids: ["b/i7/1", "b/i7/1", "b/i7/2"] },
      { type: "leave", group: "idle", pids: ["b/i7/2"] },
    ]);
    groups.applyRemote("b", "i7", { type: "snapshot", groups: snapshot });
    expect(groups.members("idle")).to.deep.equal(["b/i7/2"]);
  });

  it("otp 84: a repeated snapshot announces the difference only", () => {
    const snapshot = (pids: readonly Pid[]) => ({ type: "snapshot", groups: [["workers", pids]] }) as const;
    groups.applyRemote("b", "i7", snapshot(["b/i7/1", "b/i7/1", "b/i7/2"]));
    events.length = 0;
    groups.applyRemote("b", "i7", snapshot(["b/i7/1", "b/i7/3"]));
    expect(events).to.deep.equal([
      { type: "leave", group: "workers", pids: ["b/i7/1", "b/i7/2"] },
      { type: "join", group: "workers", pids: ["b/i7/3"] },
    ]);
  });

  it("otp 84: a single change needs a snapshot before it", () => {
    const join = { type: "join", group: "workers", pids: ["b/i7/1"] } as const;
    expect(groups.applyRemote("b", "i7", join)).to.equal(false);
    expect(groups.which()).to.deep.equal([]);
    groups.applyRemote("b", "i7", { type: "snapshot", groups: [] });
    expect(groups.applyRemote("b", "i7", join)).to.equal(true);
    expect(groups.members("workers")).to.deep.equal(["b/i7/1"]);
    groups.dropNode("b", "i7");
    expect(groups.applyRemote("b", "i7", join)).to.equal(false);
  });

  it("otp 84: membership is not transitive: a node speaks for its own processes only", () => {
    const foreign = { type: "snapshot", groups: [["workers", ["b/i7/1", "c/i1/1"]]] } as const;
    expect(codeThrown(() => groups.applyRemote("b", "i7", foreign))).to.equal("invalid_message");
    expect(groups.which()).to.deep.equal([]);
    groups.applyRemote("b", "i7", { type: "snapshot", groups: [["workers", ["b/i7/1"]]] });
    expect(groups.localSnapshot()).to.deep.equal([]);
  });

  it("otp 84: the node floor hears of local changes only", () => {
    const told: unknown[] = [];
    groups.attachSync({
      onLocalJoin: (group, pids) => told.push(["join", group, pids]),
      onLocalLeave: (group, pids) => told.push(["leave", group, pids]),
    });
    groups.join("workers", one.pid);
    groups.applyRemote("b", "i7", { type: "snapshot", groups: [["workers", ["b/i7/1"]]] });
    groups.dropNode("b", "i7");
    one.finish("killed");
    groups.attachSync(null);
    groups.join("workers", two.pid);
    expect(told).to.deep.equal([
      ["join", "workers", [one.pid]],
      ["leave", "workers", [one.pid]],
    ]);
  });

  it("otp 84: a new scope begins without members", () => {
    groups.join("workers", one.pid);
    expect(new Groups(rig.system).which()).to.deep.equal([]);
  });

  it("otp 84: a snapshot and the changes after it make another node's view the same", () => {
    const step = fc.record({
      type: fc.constantFrom<"join" | "leave">("join", "leave"),
      group: fc.constantFrom("g", "h", "__proto__"),
      members: fc.array(fc.nat(2), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step), fc.nat(20), (steps, connectedAfter) => {
        const local = new Groups(rig.system);
        const remote = new Groups(new Rig("z").system);
        const counted: string[] = [];
        remote.subscribe(({ type, group, pids }) =>
          counted.push(...pids.map((pid) => `${type} ${group} ${pid}`)),
        );
        const pids = [one.pid, two.pid, one.pid];
        const apply = (type: "join" | "leave", group: string, changed: readonly Pid[]): unknown =>
          remote.applyRemote("a", "i1", { type, group, pids: changed });
        for (const [index, { type, group, members }] of steps.entries()) {
          if (index === connectedAfter) {
            local.attachSync({
              onLocalJoin: (name, changed) => apply("join", name, changed),
              onLocalLeave: (name, changed) => apply("leave", name, changed),
            });
            remote.applyRemote("a", "i1", { type: "snapshot", groups: local.localSnapshot() });
          }
          local[type](
            group,
            members.map((member) => pids[member] ?? one.pid),
          );
        }
        if (steps.length > connectedAfter) {
          expect(membersOf(remote)).to.deep.equal(membersOf(local));
          const joins = counted.filter((line) => line.startsWith("join")).length;
          const total = local.which().reduce((sum, group) => sum + local.members(group).length, 0);
          expect(joins - (counted.length - joins)).to.equal(total);
        }
      }),
      { numRuns: 200 },
    );
  });
});
