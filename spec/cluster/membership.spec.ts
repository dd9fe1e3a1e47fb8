import { expect } from "chai";
import fc from "fast-check";
import {
  liveNodes,
  type Membership,
  type MembershipEvent,
  newMembership,
  stepMembership,
  wantedNodes,
} from "../../lib/cluster/membership.ts";

function stateAfter(...events: MembershipEvent[]): Membership {
  return events.reduce(stepMembership, newMembership("a"));
}

const up = (node: string, incarnation = "1"): MembershipEvent => ({ type: "nodeUp", node, incarnation });
const down = (node: string): MembershipEvent => ({ type: "nodeDown", node });
const declared = (nodes: readonly string[] | "all"): MembershipEvent => ({ type: "declared", nodes });

describe("membership", () => {
  it("is always live to itself", () => {
    expect(liveNodes(stateAfter())).to.deep.equal(["a"]);
    expect(wantedNodes(stateAfter(declared(["b"])))).to.deep.equal(["a", "b"]);
  });

  it("takes for live who is declared and up, in either order, sorted", () => {
    expect(liveNodes(stateAfter(declared(["c", "b"]), up("c"), up("b"), up("z")))).to.deep.equal([
      "a",
      "b",
      "c",
    ]);
    expect(liveNodes(stateAfter(up("c"), up("b"), declared(["b"])))).to.deep.equal(["a", "b"]);
  });

  it("takes for live everybody who is up when all are declared", () => {
    const state = stateAfter(declared("all"), up("z"), up("y"), down("z"));
    expect(liveNodes(state)).to.deep.equal(["a", "y"]);
    expect(wantedNodes(state)).to.deep.equal(["a", "y"]);
  });

  it("drops who goes down and has it back when it comes up", () => {
    const state = stateAfter(declared(["b"]), up("b"), down("b"));
    expect(liveNodes(state)).to.deep.equal(["a"]);
    expect(wantedNodes(state)).to.deep.equal(["a", "b"]);
    expect(liveNodes(stepMembership(state, up("b")))).to.deep.equal(["a", "b"]);
  });

  it("adds by hand who is not declared", () => {
    expect(liveNodes(stateAfter(up("x"), { type: "added", node: "x" }))).to.deep.equal(["a", "x"]);
  });

  it("keeps out who was taken out by hand, also when the same incarnation comes back", () => {
    const state = stateAfter(declared(["b"]), up("b"), { type: "removed", node: "b" }, down("b"), up("b"));
    expect(liveNodes(state)).to.deep.equal(["a"]);
    expect(wantedNodes(state)).to.deep.equal(["a"]);
    expect(liveNodes(stepMembership(state, { type: "added", node: "b" }))).to.deep.equal(["a", "b"]);
  });

  it("believes the cluster map about who was taken out by hand, but not against a younger incarnation", () => {
    const left = (...nodes: string[]): MembershipEvent => ({
      type: "agreed",
      left: nodes.map((node) => ({ node, incarnation: "1" })),
    });
    const before = [declared(["b", "c"]), up("b"), up("c", "2")];
    expect(liveNodes(stateAfter(...before, left("b", "c")))).to.deep.equal(["a", "c"]);
    expect(liveNodes(stateAfter(...before, left("b"), left()))).to.deep.equal(["a", "b", "c"]);
    expect(liveNodes(stateAfter(...before, left("b"), up("b", "2")))).to.deep.equal(["a", "b", "c"]);
    expect(liveNodes(stateAfter(...before, { type: "added", node: "b" }, left("b")))).to.deep.equal([
      "a",
      "c",
    ]);
  });

  it("lets a new incarnation of it in", () => {
    const removed: MembershipEvent = { type: "removed", node: "b" };
    expect(liveNodes(stateAfter(declared(["b"]), up("b"), removed, down("b"), up("b", "2")))).to.deep.equal([
      "a",
      "b",
    ]);
    expect(liveNodes(stateAfter(declared(["b"]), removed, up("b", "2")))).to.deep.equal(["a", "b"]);
  });

  it("changes no state that somebody holds, and never loses itself", () => {
    const node = fc.constantFrom("a", "b", "c");
    const event: fc.Arbitrary<MembershipEvent> = fc.oneof(
      fc.record({
        type: fc.constant("declared" as const),
        nodes: fc.oneof(fc.array(node), fc.constant("all" as const)),
      }),
      fc.record({
        type: fc.constant("nodeUp" as const),
        node: fc.constantFrom("b", "c"),
        incarnation: fc.constantFrom("1", "2"),
      }),
      fc.record({
        type: fc.constantFrom("nodeDown" as const, "added" as const),
        node: fc.constantFrom("b", "c"),
      }),
      fc.record({ type: fc.constant("removed" as const), node: fc.constantFrom("b", "c") }),
    );
    fc.assert(
      fc.property(fc.array(event), (events) => {
        let state = newMembership("a");
        for (const each of events) {
          const before = structuredClone(state);
          const next = stepMembership(state, each);
          expect(state).to.deep.equal(before);
          state = next;
          expect(liveNodes(state)).to.include("a");
          expect(liveNodes(state)).to.deep.equal([...new Set(liveNodes(state))].sort());
        }
      }),
    );
  });
});
