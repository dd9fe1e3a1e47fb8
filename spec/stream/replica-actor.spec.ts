import { expect } from "chai";
import { InvariantError } from "../../lib/base/invariant.ts";
import type { FaultPoint } from "../../lib/stream/replica-options.ts";
import { streamActorName } from "../../lib/stream/requests.ts";
import { outcomeOf } from "../support/sim-cluster.ts";
import { STREAM, StreamRig } from "./stream-rig.ts";

const NODES = ["a", "b", "c"];

async function withRig(
  options: ConstructorParameters<typeof StreamRig>[2],
  body: (rig: StreamRig) => Promise<void>,
  names: readonly string[] = NODES,
): Promise<void> {
  const rig = new StreamRig(1, names, options);
  await rig.begin();
  await body(rig);
  await rig.end();
}

describe("a stream of three replicas", () => {
  for (const mode of ["async", "sync", "strong"] as const) {
    it(`takes writes and answers reads in mode ${mode}`, async () => {
      await withRig({ mode }, async (rig) => {
        const writer = await rig.writer();
        const client = rig.client(writer);
        const done = await rig.run(client.request({ op: "add", key: "n", n: 2 }));
        expect(done.value).to.equal(2);
        const [other = ""] = rig.others(writer);
        const far = rig.client(other);
        expect((await rig.run(far.request({ op: "add", key: "n", n: 3 }))).value).to.equal(5);
        for (const how of ["local", "primary", "quorum"] as const) {
          expect(await rig.run(far.read({ key: "n" }, { mode: how, node: other })), how).to.equal(5);
        }
        await rig.cluster.until(() => rig.agree());
      });
    });
  }

  it("carries many requests of one turn in one entry", async () => {
    await withRig({}, async (rig) => {
      const writer = await rig.writer();
      const client = rig.client(writer);
      await rig.run(client.request({ op: "put", key: "m", value: 1 })); // finds the writer
      const before = rig.home(writer).replica.log.lastSeq;
      const adds = Array.from({ length: 100 }, () => client.request({ op: "add", key: "n", n: 1 }));
      const sums = (await rig.run(Promise.all(adds))).map(({ value }) => value);
      expect(sums).to.deep.equal(Array.from({ length: 100 }, (_, index) => index + 1));
      expect(rig.home(writer).replica.log.lastSeq).to.equal(before + 1);
    });
  });

  it("goes on under another writer when the writer is killed, and nothing acknowledged is lost", async () => {
    await withRig({}, async (rig) => {
      const first = await rig.writer();
      const [other = ""] = rig.others(first);
      const client = rig.client(other);
      await rig.run(client.request({ op: "add", key: "n", n: 1 }));
      rig.kill(first);
      const killedAt = rig.cluster.clock.now();
      expect((await rig.run(client.request({ op: "add", key: "n", n: 1 }))).value).to.equal(2);
      expect(rig.cluster.clock.now() - killedAt).to.be.below(3_000);
      expect(await rig.run(client.read({ key: "n" }))).to.equal(2);
    });
  });

  it("takes a restarted node back as a learner and swaps it in", async () => {
    await withRig({ settings: { keptEntries: 4 } }, async (rig) => {
      const first = await rig.writer();
      const [second = "", third = ""] = rig.others(first);
      const client = rig.client(second);
      for (let count = 0; count < 30; count++) {
        await rig.run(client.request({ op: "put", key: `k${count}`, value: count }));
      }
      rig.kill(first);
      const writer = await rig.writer();
      await rig.run(client.request({ op: "add", key: "n", n: 1 }));
      await rig.cluster.start(first, { peers: [...NODES] });
      const back = await rig.start(first);
      await rig.cluster.until(
        () => rig.home(writer).status.learners.some(({ caughtUp }) => caughtUp),
        20_000,
      );
      expect(back.status.role).to.equal("learner");
      expect(back.replica.log.base.seq, "it began with a snapshot").to.be.above(0);
      const members = [second, third].map((name) => rig.home(name).replica.self);
      const order = await rig.run(
        rig.cluster
          .get(writer)
          .node.call(
            { name: streamActorName(STREAM), node: writer },
            { type: "reconfigure", members: [...members, back.replica.self] },
            { timeoutMs: 20_000 },
          ),
      );
      expect(order).to.have.property("status", "ok");
      await rig.run(client.request({ op: "add", key: "n", n: 1 }));
      await rig.cluster.until(() => rig.agree() && back.status.role !== "learner");
      expect(back.status.members).to.include(back.replica.self);
    });
  });

  it("answers unknown when no majority decides, and takes the request once when one is back", async () => {
    await withRig({ settings: { stepDownTicks: 10 } }, async (rig) => {
      const writer = await rig.writer();
      const client = rig.client(writer);
      await rig.run(client.request({ op: "add", key: "n", n: 1 }));
      for (const name of rig.others(writer)) {
        rig.cluster.pause(name);
      }
      const late = rig.client(writer, 30_000).request({ op: "add", key: "n", n: 10 });
      const hasty = outcomeOf(rig.client(writer, 2_500).request({ op: "add", key: "m", n: 1 }));
      expect(await rig.run(hasty)).to.equal("unknown_outcome");
      for (const name of rig.others(writer)) {
        rig.cluster.resume(name);
      }
      expect((await rig.run(late)).value).to.equal(11);
      await rig.cluster.until(() => rig.agree());
    });
  });

  it("refuses letters and orders of foreign clients", async () => {
    await withRig({}, async (rig) => {
      const writer = await rig.writer();
      const foreign = rig.cluster.hub.connect("foreign");
      const subject = `supercast.default.call.${writer}.${streamActorName(STREAM)}`;
      const ask = async (body: object): Promise<unknown> => {
        const answer = await rig.run(
          foreign.request(subject, Buffer.from(JSON.stringify(body)), { timeoutMs: 1_000 }),
        );
        return JSON.parse(Buffer.from(answer.payload).toString());
      };
      expect(await ask({ type: "status" })).to.have.nested.property("ok.role", "open");
      expect(await ask({ type: "letter", letter: {} })).to.have.nested.property("error.code", "forbidden");
      expect(await ask({ type: "snapshot", parcel: {} })).to.have.nested.property("error.code", "forbidden");
      expect(await ask({ type: "claim" })).to.have.nested.property("error.code", "forbidden");
    });
  });

  it("survives a crash of the actor at each effect, with nothing lost and nothing done twice", async () => {
    const points: readonly FaultPoint[] = [
      "effect:send",
      "effect:commit",
      "effect:heldByQuorum",
      "effect:nudge",
      "stepped",
      "resolved",
      "answer",
    ];
    for (const point of points) {
      let armed = -1;
      let crashes = 0;
      const faultPoint = (at: FaultPoint): void => {
        if (at === point && armed >= 0) {
          armed -= 1;
          if (armed < 0) {
            crashes += 1;
            throw new Error(`crash at ${point}`);
          }
        }
      };
      await withRig({ faultPoint }, async (rig) => {
        const client = rig.client(await rig.writer());
        for (let count = 1; count <= 10; count++) {
          armed = count % 3;
          const { value } = await rig.run(client.request({ op: "add", key: "n", n: 1 }));
          expect(value, point).to.equal(count);
          await rig.cluster.advance(2_000); // within the supervisor's patience
        }
        await rig.cluster.until(() => rig.agree());
        expect(crashes, `crashes at ${point}`).to.be.at.least(3);
      });
    }
  });
});

describe("replicas on disks", () => {
  it("keep everything acknowledged over a power failure of all machines", async () => {
    await withRig({ durable: true }, async (rig) => {
      const client = rig.client(await rig.writer());
      for (let count = 1; count <= 20; count++) {
        await rig.run(client.request({ op: "add", key: "n", n: 1 }));
      }
      const ids = NODES.map((name) => rig.home(name).replica.self);
      for (const name of NODES) {
        rig.kill(name);
      }
      await rig.cluster.startAll(NODES);
      for (const name of NODES) {
        await rig.start(name);
      }
      expect(NODES.map((name) => rig.home(name).replica.self)).to.deep.equal(ids);
      const again = rig.client(await rig.writer());
      expect(await rig.run(again.read({ key: "n" }))).to.equal(20);
      expect((await rig.run(again.request({ op: "add", key: "n", n: 1 }))).value).to.equal(21);
      await rig.cluster.until(() => rig.agree());
    });
  });

  it("compact their logs by snapshots and start from them", async () => {
    await withRig({ durable: true, settings: { keptEntries: 8 } }, async (rig) => {
      const client = rig.client(await rig.writer());
      for (let count = 1; count <= 300; count++) {
        await rig.run(
          client.request({ op: "put", key: `k${count % 50}`, value: `${count} ${"x".repeat(500)}` }),
        );
      }
      const hashes = rig.home("a").status.stateHash;
      await rig.cluster.until(() => rig.agree());
      for (const name of NODES) {
        rig.kill(name);
      }
      await rig.cluster.startAll(NODES);
      for (const name of NODES) {
        const { replica } = await rig.start(name);
        expect(replica.log.base.seq, "where the log begins").to.be.above(64);
      }
      const again = rig.client(await rig.writer());
      expect(await rig.run(again.read({ key: "k0" }))).to.match(/^300 /);
      await rig.cluster.until(() => rig.agree());
      expect(rig.home("a").status.stateHash).to.equal(hashes);
    });
  });

  it("brings a member that was away up to date by a snapshot on its disk", async () => {
    await withRig({ durable: true, settings: { keptEntries: 8 } }, async (rig) => {
      const first = await rig.writer();
      const [away = ""] = rig.others(first);
      const client = rig.client(first);
      await rig.run(client.request({ op: "put", key: "k0", value: 0 }));
      rig.kill(away);
      for (let count = 1; count <= 60; count++) {
        await rig.run(client.request({ op: "put", key: `k${count % 7}`, value: count }));
      }
      const { lines } = await rig.cluster.start(away, { peers: [...NODES] });
      const back = await rig.start(away);
      await rig.cluster.until(() => rig.agree() && back.status.role === "follower", 20_000);
      expect(lines.some(({ message }) => message.includes("has taken a snapshot of"))).to.equal(true);
      await rig.cluster.until(() => back.replica.durableSeq === back.replica.log.lastSeq);
      rig.kill(away);
      await rig.cluster.start(away, { peers: [...NODES] });
      const again = await rig.start(away);
      expect(again.replica.log.base.seq, "the snapshot is on its disk").to.be.above(8);
      await rig.cluster.until(() => rig.agree(), 20_000);
    });
  });

  it("are damaged when their storage fails, and the others go on", async () => {
    await withRig({ durable: true }, async (rig) => {
      const first = await rig.writer();
      const [other = ""] = rig.others(first);
      const client = rig.client(other);
      await rig.run(client.request({ op: "add", key: "n", n: 1 }));
      rig.disk(first).fail({ operation: "sync", code: "io", sticky: true });
      expect((await rig.run(client.request({ op: "add", key: "n", n: 1 }))).value).to.equal(2);
      expect(rig.home(first).status.role).to.equal("damaged");
      rig.kill(first);
    });
  });
});

describe("a replica that breaks a rule", () => {
  /** Throws in the apply of the next entry at this replica, as bad memory would. */
  function breakState(rig: StreamRig, name: string): void {
    const home = rig.home(name);
    const healthy = home.replicated.apply.bind(home.replicated);
    home.replicated.apply = (entry) => {
      home.replicated.apply = healthy;
      throw new InvariantError(`entry ${entry.seq} does not fit`);
    };
  }

  it("becomes another one in memory mode, empty, which is fed again and vouches for nothing", async () => {
    await withRig({}, async (rig) => {
      const writer = await rig.writer();
      const [broken = ""] = rig.others(writer);
      const client = rig.client(writer);
      await rig.run(client.request({ op: "add", key: "n", n: 1 }));
      const before = rig.home(broken).replica.self;
      breakState(rig, broken);
      await rig.run(client.request({ op: "add", key: "n", n: 1 }));
      await rig.cluster.until(() => rig.home(broken).replica.self !== before);
      await rig.cluster.until(() => rig.home(broken).status.role === "learner" && rig.agree(), 20_000);
      expect(rig.home(writer).status.members, "no member until it is made one").to.include(before);
      expect(await rig.run(client.read({ key: "n" }))).to.equal(2);
    });
  });

  it("is damaged in disk mode and keeps out of every quorum", async () => {
    await withRig({ durable: true }, async (rig) => {
      const writer = await rig.writer();
      const client = rig.client(writer);
      await rig.run(client.request({ op: "add", key: "n", n: 1 }));
      breakState(rig, writer);
      const { value } = await rig.run(client.request({ op: "add", key: "n", n: 1 }));
      expect(value).to.equal(2);
      expect(rig.home(writer).status.role).to.equal("damaged");
      expect(await rig.writer()).not.to.equal(writer);
    });
  });
});

describe("clients that have gone", () => {
  it("are forgotten by an entry of the log, at every replica alike", async () => {
    await withRig({ settings: { clientIdleMs: 3_000 } }, async (rig) => {
      const writer = await rig.writer();
      await rig.run(rig.client(writer).request({ op: "add", key: "n", n: 1 }));
      const staying = rig.client(writer);
      for (let second = 0; second < 8; second++) {
        await rig.run(staying.request({ op: "add", key: "n", n: 1 }));
        await rig.cluster.advance(1_000);
      }
      await rig.cluster.until(() => rig.agree());
      expect(NODES.map((name) => rig.home(name).replicated.clients)).to.deep.equal([1, 1, 1]);
    });
  });
});
