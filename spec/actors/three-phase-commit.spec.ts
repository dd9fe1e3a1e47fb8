import { expect } from "chai";
import type { ThreePhaseCommitProtocol } from "../../actors/three-phase-commit.ts";
import type { CallMessage } from "../../lib/actor/protocol.ts";
import { streamActorName } from "../../lib/stream/requests.ts";
import { STREAM } from "../stream/stream-rig.ts";
import { outcomeOf } from "../support/sim-cluster.ts";
import { add, TransactionRig } from "./transaction-rig.ts";

async function withRig(
  seed: number,
  body: (rig: TransactionRig, writer: string) => Promise<void>,
  options: { readonly durable?: boolean } = {},
): Promise<void> {
  const rig = new TransactionRig(seed, options);
  await rig.begin();
  const writer = await rig.streams.writer();
  await rig.streams.run(rig.commit(writer, [add("from", 100), add("to", 0)]));
  await body(rig, writer);
  await rig.streams.end();
}

const MOVE = [add("from", -10), add("to", 10)];

/** Either both sides of the move have happened, or none; and nothing is locked any more. */
async function moved(rig: TransactionRig, on: string): Promise<number> {
  const to = Number(await rig.get(on, "to"));
  expect(await rig.get(on, "from")).to.equal(100 - to);
  expect([0, 10]).to.include(to);
  expect(await rig.undecided(on)).to.deep.equal([]);
  expect(await rig.streams.run(rig.add(on, "from", 0)), "the key is free").to.deep.equal([100 - to]);
  return to;
}

describe("ThreePhaseCommit", () => {
  it("commits when every member holds each phase, and tells what the operations answer", async () => {
    await withRig(1, async (rig, writer) => {
      const [other] = rig.others(writer);
      const phases: string[] = [];
      rig.afterPhase = (_, transaction) => phases.push(transaction);
      const outcome = await rig.streams.run(rig.commit(other, MOVE, writer));
      expect(outcome).to.deep.include({ outcome: "committed", value: [90, 10] });
      expect(phases).to.deep.equal(["prepare", "preCommit", "decide"]);
      for (const home of rig.streams.homes.values()) {
        expect(home.replica.durableSeq).to.be.at.least(outcome.outcome === "committed" ? outcome.seq : 0);
      }
      expect(await moved(rig, other)).to.equal(10);
      expect(await rig.ask(other, { type: "stats" })).to.deep.include({ committed: 1, inHand: 0 });
    });
  });

  it("refuses what the stream refuses, and a partition that there is not; nothing is left of it", async () => {
    await withRig(2, async (rig, writer) => {
      const { node } = rig.streams.cluster.get(writer);
      const call = (message: CallMessage<ThreePhaseCommitProtocol>): Promise<unknown> =>
        node.call({ name: "three_phase_commit" }, message, { timeoutMs: 20_000 });
      const bad = {
        type: "commit" as const,
        partition: 0,
        ops: [add("from", 1), { op: "add", key: "to", n: "x" }],
      };
      expect(await rig.streams.run(outcomeOf(call(bad)))).to.equal("invalid_message");
      const nowhere = { type: "commit" as const, partition: 7, ops: MOVE };
      expect(await rig.streams.run(outcomeOf(call(nowhere)))).to.equal("invalid_message");
      expect(await moved(rig, writer)).to.equal(0);
    });
  });

  it("waits for a transaction that holds a key, and says locked when that lasts", async () => {
    await withRig(3, async (rig, writer) => {
      const [other] = rig.others(writer);
      const held = { type: "handlePrepare", txnId: "t", partition: 0, ops: [add("to", 1)] } as const;
      expect(await rig.ask(other, held)).to.deep.equal({ state: "prepared", value: [1] });
      expect(await rig.streams.run(outcomeOf(rig.commit(writer, MOVE)))).to.equal("locked");
      const waiting = rig.commit(writer, MOVE);
      await rig.streams.cluster.advance(500);
      await rig.ask(other, { type: "handleAbort", txnId: "t", partition: 0 });
      expect(await rig.streams.run(waiting)).to.have.property("outcome", "committed");
      expect(await moved(rig, writer)).to.equal(10);
    });
  });

  it("is refused to strangers in the messages between nodes", async () => {
    await withRig(4, async (rig, writer) => {
      const foreign = rig.streams.cluster.hub.connect("foreign");
      const ask = async (actor: string, body: object): Promise<unknown> => {
        const subject = `supercast.default.call.${writer}.${actor}`;
        const payload = Buffer.from(JSON.stringify(body));
        const answer = await rig.streams.run(foreign.request(subject, payload, { timeoutMs: 20_000 }));
        return JSON.parse(Buffer.from(answer.payload).toString());
      };
      for (const type of ["handlePrepare", "handlePreCommit", "handleCommit", "handleAbort"]) {
        const answer = await ask("three_phase_commit", { type, txnId: "t", partition: 0, ops: [1] });
        expect(answer, type).to.have.nested.property("error.code", "forbidden");
      }
      for (const type of ["register", "markPreCommitted", "remove"]) {
        expect(await ask("txn_registry", { type, txnId: "t" }), type).to.have.nested.property(
          "error.code",
          "forbidden",
        );
      }
      const done = await ask("three_phase_commit", { type: "commit", partition: 0, ops: MOVE });
      expect(done).to.have.nested.property("ok.outcome", "committed");
      expect(await ask("txn_registry", { type: "count" })).to.have.property("ok", 0);
    });
  });

  for (const [phase, expected] of [
    ["prepare", 0],
    ["preCommit", 10],
    ["decide", 10],
  ] as const) {
    it(`P6: a coordinator that dies after ${phase} leaves nothing undecided, in the same epoch`, async () => {
      await withRig(5, async (rig, writer) => {
        const [coordinator, third] = rig.others(writer);
        rig.afterPhase = (node, transaction) => {
          if (node === coordinator && transaction === phase) {
            rig.kill(coordinator);
          }
        };
        const epoch = rig.streams.home(writer).status.epoch;
        const asked = outcomeOf(rig.commit(coordinator, MOVE, third));
        expect(await rig.streams.run(asked)).to.equal("nodedown");
        if (phase !== "decide") {
          await rig.streams.cluster.advance(8_000);
          expect(await rig.undecided(writer), "it might be alive").to.have.length(1);
        }
        await rig.streams.cluster.advance(8_000);
        expect(await moved(rig, writer)).to.equal(expected);
        expect(rig.streams.home(writer).status.epoch).to.deep.equal(epoch);
        await rig.settled();
      });
    });

    it(`P3: a coordinator that dies with the writer after ${phase} is decided by the next one, by the log`, async () => {
      await withRig(6, async (rig, writer) => {
        const [second, third] = rig.others(writer);
        rig.afterPhase = (node, transaction) => {
          if (node === writer && transaction === phase) {
            rig.kill(writer);
          }
        };
        expect(await rig.streams.run(outcomeOf(rig.commit(writer, MOVE, third)))).to.equal("nodedown");
        await rig.streams.writer();
        await rig.streams.cluster.advance(3_000);
        expect(await moved(rig, second)).to.equal(expected);
        await rig.settled();
      });
    });

    it(`keeps all or nothing when the writer dies after ${phase}, and the coordinator says what is true`, async () => {
      await withRig(7, async (rig, writer) => {
        const [coordinator, third] = rig.others(writer);
        let killed = false;
        rig.afterPhase = (node, transaction) => {
          if (!killed && node === coordinator && transaction === phase) {
            killed = true;
            rig.kill(writer);
          }
        };
        const outcome = await rig.streams.run(
          rig.commit(coordinator, MOVE).then(
            (done) => done.outcome,
            (error: { readonly code?: string }) => error.code,
          ),
        );
        await rig.streams.cluster.advance(15_000);
        const to = await moved(rig, third);
        expect(to).to.equal(expected);
        const told = { prepare: ["aborted"], preCommit: ["unknown_outcome"], decide: ["committed"] }[phase];
        expect(told).to.include(outcome);
        await rig.settled();
      });
    });
  }

  it("P1: orders transactions from different nodes on the same keys; all copies end alike", async () => {
    await withRig(8, async (rig) => {
      const asked = Array.from({ length: 12 }, (_, index) =>
        rig.commit(rig.names[index % 3] ?? "a", [add("from", -1), add("to", 1)]),
      );
      const outcomes = await rig.streams.run(Promise.all(asked));
      expect(outcomes.map(({ outcome }) => outcome)).to.deep.equal(asked.map(() => "committed"));
      const values = outcomes.map((each) => (each.outcome === "committed" ? String(each.value) : ""));
      expect(new Set(values).size, "each saw the one before it").to.equal(12);
      expect([await rig.get("a", "from"), await rig.get("a", "to")]).to.deep.equal([88, 12]);
      await rig.settled();
    });
  });

  it("P2: a silent member stalls a transaction and nothing else; without it the next one goes on", async () => {
    await withRig(9, async (rig, writer) => {
      const [slow, other] = rig.others(writer);
      rig.streams.cluster.pause(slow);
      const began = rig.streams.cluster.clock.now();
      const asked = rig.commit(writer, MOVE);
      await rig.streams.run(rig.add(other, "elsewhere", 1));
      expect(rig.streams.cluster.clock.now() - began).to.be.below(500);
      const outcome = await rig.streams.run(asked);
      expect(outcome.outcome, "every member has to vote").to.equal("aborted");
      expect(rig.streams.cluster.clock.now() - began).to.be.within(2_500, 6_500);
      expect(await moved(rig, writer)).to.equal(0);
      rig.streams.cluster.resume(slow);
      await rig.streams.cluster.advance(2_000);
      const now = await rig.streams.writer();
      const [first, second] = rig.others(now);
      rig.kill(first);
      await rig.reconfigure(now, [now, second]);
      expect(await rig.streams.run(rig.commit(now, MOVE))).to.have.property("outcome", "committed");
      expect(await moved(rig, now)).to.equal(10);
    });
  });

  it("P4: two sides of a partition never decide differently", async () => {
    for (const phase of ["prepare", "preCommit"] as const) {
      await withRig(10, async (rig, writer) => {
        const [second, third] = rig.others(writer);
        rig.afterPhase = (node, transaction) => {
          if (node === writer && transaction === phase) {
            rig.streams.cluster.hub.partition(writer, [second, third]);
          }
        };
        const asked = outcomeOf(rig.commit(writer, MOVE));
        await rig.streams.cluster.until(
          () => [second, third].some((name) => rig.streams.home(name).replica.role === "open"),
          30_000,
        );
        await rig.streams.cluster.advance(3_000);
        const expected = phase === "prepare" ? 0 : 10;
        expect(await moved(rig, second)).to.equal(expected);
        expect(await rig.streams.run(asked), "the coordinator cannot tell").to.equal("unknown_outcome");
        rig.streams.cluster.hub.heal(writer, [second, third]);
        await rig.streams.cluster.advance(5_000);
        expect(await moved(rig, writer), "the other side").to.equal(expected);
        await rig.settled();
      });
    }
  });

  it("P5: after the power of all machines is lost, what was pre-committed is committed", async () => {
    for (const phase of ["prepare", "preCommit"] as const) {
      await withRig(
        11,
        async (rig, writer) => {
          let reached = false;
          rig.afterPhase = (_, transaction) => {
            if (transaction === phase && !reached) {
              reached = true;
              for (const name of rig.names) {
                rig.kill(name);
              }
            }
          };
          rig.commit(writer, MOVE).catch(() => undefined);
          await rig.streams.cluster.until(() => reached);
          for (const name of rig.names) {
            await rig.restart(name);
          }
          await rig.streams.writer();
          await rig.streams.cluster.advance(3_000);
          expect(await moved(rig, "a")).to.equal(phase === "prepare" ? 0 : 10);
          await rig.settled();
        },
        { durable: true },
      );
    }
  });

  it("P7: a member that falls silent in the commit phase undoes nothing: the outcome is unknown, then committed", async () => {
    await withRig(12, async (rig, writer) => {
      const [slow, other] = rig.others(writer);
      rig.afterPhase = (_, transaction) => {
        if (transaction === "preCommit") {
          rig.streams.cluster.pause(slow);
        }
      };
      expect(await rig.streams.run(outcomeOf(rig.commit(writer, MOVE)))).to.equal("unknown_outcome");
      expect(await moved(rig, other)).to.equal(10);
      rig.streams.cluster.resume(slow);
      await rig.settled();
    });
  });

  it("P8: a late commit or pre-commit after an abort applies nothing, and one for an unknown is an error", async () => {
    await withRig(13, async (rig, writer) => {
      const named = { txnId: "t", partition: 0 } as const;
      const late = async (type: "handlePreCommit" | "handleCommit"): Promise<string> =>
        await outcomeOf(rig.ask(writer, { type, ...named }));
      expect(await late("handlePreCommit")).to.equal("invalid_message");
      expect(await late("handleCommit")).to.equal("invalid_message");
      await rig.ask(writer, { type: "handlePrepare", ...named, ops: MOVE });
      expect(await late("handleCommit"), "not pre-committed").to.equal("invalid_message");
      expect(await rig.ask(writer, { type: "handleAbort", ...named })).to.deep.equal({ state: "aborted" });
      for (const type of ["handlePreCommit", "handleCommit"] as const) {
        expect(await rig.ask(writer, { type, ...named })).to.deep.equal({ state: "aborted" });
      }
      expect(await moved(rig, writer)).to.equal(0);
    });
  });

  it("P9: says aborted when it is aborted, and nothing of it is there", async () => {
    await withRig(14, async (rig, writer) => {
      const [other] = rig.others(writer);
      rig.afterPhase = (node, transaction) => {
        if (node === other && transaction === "prepare") {
          rig.afterPhase = () => undefined;
          const { node: here } = rig.streams.cluster.get(writer);
          here
            .call({ name: "txn_registry" }, { type: "listAll" })
            .then((all) =>
              here.call(
                { name: "three_phase_commit" },
                { type: "handleAbort", txnId: firstOf(all), partition: 0 },
              ),
            )
            .catch(() => undefined);
        }
      };
      const paused = rig.others(writer).find((name) => name !== other) ?? "";
      const asked = rig.commit(other, MOVE);
      rig.streams.cluster.pause(paused);
      const outcome = await rig.streams.run(asked);
      expect(outcome).to.have.property("outcome", "aborted");
      expect(outcome).to.have.property("reason").that.is.a("string");
      expect(await moved(rig, writer)).to.equal(0);
      rig.streams.cluster.resume(paused);
      await rig.settled();
    });
  });

  it("P10: read-modify-write is part of the transaction: no update is lost among transactions and others", async () => {
    await withRig(15, async (rig) => {
      const asked: Promise<unknown>[] = [];
      for (let count = 0; count < 10; count++) {
        asked.push(rig.commit(rig.names[count % 3] ?? "a", [add("n", 1), add("n", 1)]));
        asked.push(rig.add(rig.names[(count + 1) % 3] ?? "a", "n", 1));
      }
      await rig.streams.run(Promise.all(asked));
      expect(await rig.get("a", "n")).to.equal(30);
      await rig.settled();
    });
  });

  it("goes on where its actors crash: the log decides, and the registry shows it", async () => {
    await withRig(16, async (rig, writer) => {
      const [other] = rig.others(writer);
      await rig.ask(other, { type: "handlePrepare", txnId: "t", partition: 0, ops: MOVE });
      await rig.streams.cluster.advance(500); // until all have applied it
      for (const name of rig.names) {
        expect(await rig.registry(name, { type: "get", txnId: "t" }), name).to.deep.include({
          txnId: "t",
          state: "prepared",
          partition: 0,
          coordinatedHere: false,
        });
      }
      for (const actor of ["txn_registry", "three_phase_commit"]) {
        rig.streams.cluster.get(writer).node.system.whereis(actor)?.finish("killed");
      }
      await rig.streams.cluster.advance(100);
      expect(await rig.registry(writer, { type: "count" })).to.equal(1);
      await rig.streams.cluster.advance(15_000);
      expect(await moved(rig, writer)).to.equal(0);
      expect(await rig.registry(writer, { type: "listAll" })).to.deep.equal([]);
      expect(await rig.registry(writer, { type: "get", txnId: "t" })).to.include({ state: "aborted" });
    });
  });

  it("recovers by hand only what no living coordinator can be at", async () => {
    await withRig(17, async (rig, writer) => {
      const [other] = rig.others(writer);
      await rig.ask(other, { type: "handlePrepare", txnId: "t", partition: 0, ops: MOVE });
      expect(await rig.ask(writer, { type: "recover" })).to.deep.equal({ decided: [] });
      const { node } = rig.streams.cluster.get(writer);
      const to = rig.streams.home(other).replica.self;
      const target = { name: streamActorName(STREAM), node: writer };
      await rig.streams.run(node.call(target, { type: "handOver", to }, { timeoutMs: 20_000 }));
      await rig.streams.cluster.until(() => rig.streams.home(other).replica.role === "open");
      await rig.ask(other, { type: "recover" });
      expect(await moved(rig, other)).to.equal(0);
      expect(await rig.ask(other, { type: "stats" })).to.include({ recovered: 1 });
    });
  });
});

function firstOf(all: unknown): string {
  const [first]: unknown[] = Array.isArray(all) ? all : [];
  return typeof first === "object" && first !== null && "txnId" in first ? String(first.txnId) : "";
}
