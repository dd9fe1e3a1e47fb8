import { expect } from "chai";
import { OP, writeHeader } from "../../lib/node/envelope.ts";
import { decodeHeartbeat } from "../../lib/node/heartbeat.ts";
import { BatchWriter } from "../../lib/wire/batch.ts";
import { outcomeOf } from "../support/sim-cluster.ts";
import { type BareNode, FloorRig } from "./floor-rig.ts";

describe("the node floor", () => {
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

  /** Puts bytes on a's in-bound subject as somebody at the hub could. */
  async function inject(bytes: Uint8Array, subject = rig.subjects.inbound("a", "ia")): Promise<void> {
    b.transport.publish(subject, bytes);
    await rig.clock.settle();
  }

  function batch(sender: string, number: number, count: number, items: readonly unknown[]): Buffer {
    const from = Buffer.from(sender, "latin1");
    const writer = new BatchWriter(100_000, 14 + from.length);
    for (const item of items) {
      writer.add(item);
    }
    const bytes = writer.take();
    writeHeader(bytes, from, number, count);
    return bytes;
  }

  it("counts what makes no sense, drops it, and goes on", async () => {
    const process = a.start("w");
    const sound = [OP.cast, "w", { type: "note", from: "x", n: 1 }];
    const before = a.floor.stats.invalid;
    const bad: readonly unknown[] = [
      7,
      [],
      ["op"],
      [99, 1, 2],
      [OP.cast, { deep: 1 }, {}],
      [OP.cast, "w", 5],
      [OP.call, "id", "w", {}],
      [OP.call, 1, null, {}],
      [OP.stop, 1, "w", "because"],
      [OP.stop, -1, "w", "normal"],
      [OP.reply, "x", 1],
      [OP.error, 1, { code: "no such code", message: "" }],
      [OP.monitor, 1, {}],
      [OP.down, 1, "unreasonable"],
      [OP.link, 1, "two"],
      [OP.unlink, 1, 2],
      [OP.unlinkAck, 1, 2, "three"],
      [OP.linkExit, 1, 2, 3],
      [OP.exit, 1, 2, null],
      [OP.groups, { type: "join", group: 5, pids: [] }],
      [OP.groups, { type: "snapshot", groups: [["g", ["b/ib/1", "c/ic/1"]]] }],
    ];
    await inject(batch("x/ix", 1, 0, [sound, ...bad, sound]));
    expect(a.floor.stats.invalid - before).to.equal(bad.length);
    expect(process.behaviour.state).to.deep.equal(["note x 1", "note x 1"]);
    expect(a.system.drops.invalid_message).to.equal(bad.length);
  });

  describe("a batch with more casts than a mailbox holds", () => {
    const notes = Array.from({ length: 500 }, (_, n) => [OP.cast, "w", { type: "note", from: "b", n }]);

    beforeEach(async () => {
      rig.close();
      rig = new FloorRig({ mailboxMessages: 50 });
      a = rig.node("a", { groups: false });
      b = rig.node("b", { groups: false });
      await rig.clock.advance(300);
    });

    it("is handled whole and in order: input is taken no faster than it is handled", async () => {
      const handled: number[] = [];
      a.start("w", { onNote: (_from, n) => handled.push(n) });
      await inject(batch("x/ix", 1, 0, notes));
      expect(handled).to.deep.equal(notes.map((_, n) => n));
      expect(a.system.drops.mailbox_full).to.equal(0);
    });

    it("leaves the others their turns meanwhile", async () => {
      const order: string[] = [];
      a.start("other", { onNote: () => order.push("other") });
      a.start("w", {
        onNote: (_from, n) => {
          order.push("w");
          if (n === 0) {
            a.system.cast({ name: "other" }, { type: "note", from: "w", n });
          }
        },
      });
      await inject(batch("x/ix", 1, 0, notes));
      expect(order.indexOf("other")).to.be.lessThan(60);
    });

    it("overflows where no turn helps, and what is dropped is counted", async () => {
      const process = a.start("w");
      process.suspend();
      await inject(batch("x/ix", 1, 0, notes));
      expect(process.mailboxLength).to.equal(50);
      expect(a.system.drops.mailbox_full).to.equal(450);
    });

    it("refuses a call that finds no room", async () => {
      a.start("w").suspend();
      const answer = outcomeOf(b.system.call({ name: "w", node: "a" }, { type: "seen" }));
      for (let n = 0; n < 60; n++) {
        b.system.cast({ name: "w", node: "a" }, { type: "note", from: "b", n });
      }
      const late = outcomeOf(b.system.call({ name: "w", node: "a" }, { type: "seen" }));
      expect(await rig.clock.run(late)).to.equal("mailbox_full");
      expect(await rig.clock.run(answer)).to.equal("timeout");
    });

    it("is lost from where a handler breaks the connection, and that is counted", async () => {
      const handled: number[] = [];
      a.start("w", {
        onNote: (_from, n) => {
          handled.push(n);
          if (n === 10) {
            rig.hub.cut("a/ia");
            a.system.cast({ name: "w", node: "x" }, { type: "note", from: "a", n });
          }
        },
      });
      await inject(batch("x/ix", 1, 0, notes));
      expect(handled).to.deep.equal(notes.slice(0, 51).map((_, n) => n));
      expect(a.system.drops.noconnection).to.equal(450);
    });
  });

  it("tells its senders apart, however they alternate", async () => {
    const handled: string[] = [];
    a.start("w", { onNote: (from, n) => handled.push(`${from} ${n}`) });
    for (let n = 0; n < 3; n++) {
      for (const sender of ["z/iz", "x/ix", "x/ix", "yy/ix"]) {
        const count = sender === "x/ix" ? handled.filter((each) => each.startsWith(sender)).length : n;
        await inject(batch(sender, 1, count, [[OP.cast, "w", { type: "note", from: sender, n: count }]]));
      }
    }
    expect(handled.filter((each) => each.startsWith("x/ix"))).to.have.length(6);
    expect(handled.filter((each) => each.startsWith("z/iz"))).to.deep.equal(["z/iz 0", "z/iz 1", "z/iz 2"]);
    expect(a.floor.stats.connectionBreaks + a.floor.stats.invalid + a.floor.stats.stale).to.equal(0);
  });

  it("sends what is bound for one peer in one turn as one batch", async () => {
    const process = b.start("w");
    const batchesFor = async (casts: number): Promise<number> => {
      const before = a.floor.stats.batchesOut;
      for (let n = 0; n < casts; n++) {
        a.system.cast(process.pid, { type: "note", from: "a", n });
      }
      await rig.clock.settle();
      return a.floor.stats.batchesOut - before;
    };
    expect(await batchesFor(1)).to.equal(1);
    expect(await batchesFor(200)).to.equal(1);
    expect(process.behaviour.state).to.have.length(201);
  });

  it("loses only the item that cannot be read", async () => {
    const process = a.start("w");
    const item = [OP.cast, "w", { type: "note", from: "x", n: 1 }];
    const bytes = batch("x/ix", 1, 0, [item, item, item]);
    const second = bytes.indexOf(Buffer.from("note"), bytes.indexOf(Buffer.from("note")) + 1);
    bytes.fill(0xc1, second - 6, second + 4);
    await inject(bytes);
    expect(process.behaviour.state).to.have.length(2);
    expect(a.floor.stats.invalid).to.equal(1);
  });

  it("takes any bytes on its subjects without harm", async () => {
    for (const bytes of [
      new Uint8Array(0),
      new Uint8Array([1]),
      new Uint8Array(14),
      Buffer.from("no batch at all"),
      batch("no slash", 1, 0, []),
      batch("a/ia", 1, 0, [[OP.cast, "w", {}]]),
      batch("UPPER/CASE", 1, 0, []),
      batch("/x", 1, 0, []),
    ]) {
      await inject(bytes);
      await inject(bytes, rig.subjects.heartbeat("zz"));
      await inject(bytes, rig.subjects.probe("a", "ia"));
    }
    expect(a.floor.liveNodes().map(({ node }) => node)).to.deep.equal(["b"]);
    const call = a.system.call({ name: "nobody", node: "b" }, { type: "x" });
    expect(await rig.clock.run(outcomeOf(call))).to.equal("noproc");
  });

  it("answers who it is and whether it lives", async () => {
    const options = { timeoutMs: 100 };
    const who = await rig.clock.run(b.transport.request(rig.subjects.who("a"), new Uint8Array(0), options));
    expect(Buffer.from(who.payload).toString()).to.equal("ia");
    const probe = b.transport.request(rig.subjects.probe("a", "gone"), new Uint8Array(0), options);
    expect(await rig.clock.run(outcomeOf(probe))).to.equal("noproc");
  });

  it("tells in its heartbeats what it has sent under which number", async () => {
    const beats: unknown[] = [];
    b.transport.subscribe(rig.subjects.heartbeat("a"), (message) =>
      beats.push(decodeHeartbeat(message.payload)),
    );
    const process = b.start("w");
    a.system.cast(process.pid, { type: "note", from: "a", n: 1 });
    await rig.clock.advance(100);
    expect(beats.at(-1)).to.deep.equal({
      kind: "beat",
      node: "a",
      incarnation: "ia",
      connections: [{ node: "b", incarnation: "ib", number: 1, sent: 2 }], // the groups, the cast
    });
  });

  it("refuses more open calls than its bound, at once", async () => {
    const c = rig.node("c", { limits: { openCalls: 10 } });
    b.start("w");
    await rig.clock.advance(300);
    const calls = Array.from({ length: 12 }, () =>
      outcomeOf(c.system.call({ name: "w", node: "b" }, { type: "never" }, { timeoutMs: 1_000 })),
    );
    const outcomes = await rig.clock.run(Promise.all(calls));
    expect(outcomes.filter((each) => each === "overload").length).to.equal(2);
    expect(outcomes.filter((each) => each === "timeout").length).to.equal(10);
    const again = c.system.call({ name: "w", node: "b" }, { type: "echo", value: 1 });
    expect(await rig.clock.run(again)).to.equal(1);
  });

  it("breaks a connection once and keeps nothing of it: no call, no monitor, no link", async () => {
    const away = b.start("away", { trap: true });
    const home = a.start("home", { trap: true });
    const downs: unknown[] = [];
    a.system.monitor({ deliverDown: (down) => downs.push(down.reason) }, away.pid);
    a.system.signals.link(home, away.pid);
    const call = outcomeOf(a.system.call(away.pid, { type: "never" }));
    await rig.clock.advance(10);
    expect(away.ties.watchedBy.size).to.equal(1);
    expect(away.ties.links.size).to.equal(1);
    await inject(batch("b/ib", 1, 99, []));
    await rig.clock.advance(10);
    expect(await call).to.equal("noconnection");
    expect(downs).to.deep.equal(["noconnection"]);
    expect(home.ties.links.size + away.ties.links.size + away.ties.watchedBy.size).to.equal(0);
    expect(a.floor.stats.connectionBreaks).to.equal(1);
    expect(b.floor.stats.connectionBreaks).to.equal(1);
    expect(away.behaviour.state).to.deep.equal(["exit noconnection"]);
  });

  it("keeps no peer that is gone for good", async () => {
    for (let n = 0; n < 20; n++) {
      const guest = rig.node(`guest${n}`);
      await rig.clock.advance(200);
      guest.floor.stop();
    }
    const silent = rig.node("silent");
    await rig.clock.advance(200);
    rig.hub.kill("silent/isilent");
    silent.floor.stop();
    await rig.clock.advance(70_000);
    const beats: number[] = [];
    b.transport.subscribe(rig.subjects.heartbeat("a"), (message) =>
      beats.push(decodeHeartbeat(message.payload).connections.length),
    );
    await rig.clock.advance(200);
    expect(beats.at(-1)).to.equal(1);
  });

  it("does not mistake the counts of a peer that it had forgotten", async () => {
    const c = rig.node("c", { groups: false });
    const d = rig.node("d", { groups: false });
    const target = c.start("w");
    await rig.clock.advance(300);
    for (let n = 0; n < 5; n++) {
      d.system.cast(target.pid, { type: "note", from: "d", n });
      await rig.clock.advance(1);
    }
    rig.hub.partition("c/ic", "d/id", true); // d forgets c, which hears d all the time
    await rig.clock.advance(70_000);
    const before = c.floor.stats.connectionBreaks + d.floor.stats.connectionBreaks;
    rig.hub.heal("d/id", "c/ic");
    await rig.clock.until(() => d.floor.isUp("c"), 1_000);
    d.system.cast(target.pid, { type: "note", from: "d", n: 5 });
    await rig.clock.advance(10);
    expect(target.behaviour.state).to.have.length(6);
    await rig.clock.advance(500);
    expect(c.floor.stats.connectionBreaks + d.floor.stats.connectionBreaks).to.equal(before);
  });

  it("goes on while a listener throws, and tells the other listeners", async () => {
    const told: string[] = [];
    a.floor.onNodeEvent(() => {
      throw new Error("no good");
    });
    a.floor.onNodeEvent((event) => told.push(event.type));
    const c = rig.node("c");
    await rig.clock.advance(300);
    c.floor.stop();
    await rig.clock.advance(10);
    expect(told).to.deep.equal(["nodeUp", "nodeDown"]);
    expect(a.lines.some((line) => line.message === "a listener threw")).to.equal(true);
  });

  it("may be stopped twice and answers everybody afterwards", async () => {
    const away = b.start("away");
    const home = a.start("home", { trap: true });
    a.floor.stop();
    a.floor.stop();
    const downs: unknown[] = [];
    a.system.monitor({ deliverDown: (down) => downs.push(down.reason) }, away.pid);
    a.system.signals.link(home, away.pid);
    a.system.cast(away.pid, { type: "note" });
    const call = outcomeOf(a.system.call(away.pid, { type: "never" }));
    await rig.clock.advance(10);
    expect(downs).to.deep.equal(["noconnection"]);
    expect(home.behaviour.state).to.deep.equal(["exit noconnection"]);
    expect(await call).to.equal("noconnection");
    expect(b.floor.liveNodes()).to.deep.equal([]);
  });

  it("fails what is sent beyond the bound of unsent bytes with overload, and counts casts", async () => {
    rig.close();
    rig = new FloorRig({ outboundBytes: 400_000, batchBytes: 100_000 });
    const c = rig.node("c");
    const target = rig.node("b").start("w");
    await rig.clock.advance(300);
    rig.hub.pause("c/ic");
    const value = "x".repeat(50_000);
    for (let n = 0; n < 10; n++) {
      c.system.cast(target.pid, { type: "note", from: "c", n, value });
      await rig.clock.settle();
    }
    const call = outcomeOf(c.system.call(target.pid, { type: "echo", value }));
    expect(await rig.clock.run(call)).to.equal("overload");
    expect(c.system.drops.overload).to.be.greaterThan(0);
    rig.hub.resume("c/ic");
    await rig.clock.advance(300);
    expect(await rig.clock.run(c.system.call(target.pid, { type: "echo", value: 1 }))).to.equal(1);
  });
});
