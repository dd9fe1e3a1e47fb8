import { expect } from "chai";
import { lacksIn, type ReplicaView, StreamView } from "../../scripts/chaos/stream-view.ts";

const MEMBERS = ["a/1", "b/1", "c/1"];

function replica(self: string, more: Partial<ReplicaView> = {}): ReplicaView {
  return {
    self,
    role: self === "a/1" ? "open" : "follower",
    activated: { configuration: { members: MEMBERS } },
    lastSeq: 10,
    commitSeq: 10,
    ...more,
  };
}

const WHOLE = MEMBERS.map((self) => replica(self));
const WANTED = { stream: "partition-0", copies: 3 };

describe("What a stream lacks to full strength", () => {
  it("is nothing with one open writer and all members there and caught up", () => {
    expect(lacksIn(WANTED, WHOLE, WHOLE)).to.equal(undefined);
  });

  it("is a writer, when there is none, when there are two, and when it changes", () => {
    const none = WHOLE.map((each) => ({ ...each, role: "follower" }));
    expect(lacksIn(WANTED, none, none)).to.match(/no open writer/);
    const two = WHOLE.map((each) => ({ ...each, role: "open" }));
    expect(lacksIn(WANTED, two, two)).to.match(/a\/1, b\/1, c\/1/);
    const other = WHOLE.map((each) => ({ ...each, role: each.self === "b/1" ? "open" : "follower" }));
    expect(lacksIn(WANTED, WHOLE, other)).to.match(/not for long/);
  });

  it("is a member, when there are too few or one of them does not answer", () => {
    const few = [replica("a/1", { activated: { configuration: { members: ["a/1", "b/1"] } } })];
    expect(lacksIn(WANTED, few, few)).to.match(/2 of 3 members/);
    const gone = WHOLE.slice(0, 2);
    expect(lacksIn(WANTED, gone, gone)).to.match(/its member c\/1 is not there/);
    const another = [...gone, replica("c/2")];
    expect(lacksIn(WANTED, another, another)).to.match(/its member c\/1 is not there/);
  });

  it("is what a member does not hold of that which was committed a moment ago", () => {
    const behind = [...WHOLE.slice(0, 2), replica("c/1", { lastSeq: 9 })];
    expect(lacksIn(WANTED, behind, behind)).to.match(/c\/1 holds 9 of 10/);
  });
});

describe("The view of a cluster's streams", () => {
  it("asks every node for the status of each stream's replica, and does without those that are silent", async () => {
    const asked = new Set<string>();
    const view = new StreamView(
      {
        call: (node, actor, message) => {
          asked.add(`${node} ${actor} ${String(message["type"])}`);
          return Promise.resolve(
            node === "c"
              ? { status: "silence", why: "timeout" }
              : { status: "ok", value: { ...replica(`${node}/1`), more: "than is needed" } },
          );
        },
        close: () => Promise.resolve(),
      },
      ["a", "b", "c"],
      [WANTED, { stream: "root", copies: 3 }],
    );
    expect(await view.answers("a")).to.equal(true);
    expect(await view.answers("c")).to.equal(false);
    expect(await view.writers()).to.deep.equal(["a"]);
    expect(await view.lacks()).to.match(/its member c\/1 is not there/);
    expect(asked).to.include.all.keys("a stream-partition-0 status", "c stream-root status");
  });
});
