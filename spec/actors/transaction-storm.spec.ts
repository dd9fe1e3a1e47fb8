import { expect } from "chai";
import type { Random } from "../../lib/base/random.ts";
import { add, TransactionRig } from "./transaction-rig.ts";

const ACCOUNTS = ["p", "q", "r"];
const TRANSACTIONS = 24;
const START = 100;

interface Asked {
  readonly mark: string;
  readonly from: string;
  readonly to: string;
  outcome: string;
}

function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[Math.floor(random.next() * items.length)];
  if (item === undefined) {
    throw new Error("there is something to pick");
  }
  return item;
}

/** One fault that heals: a node stands still, a node is cut off, the writer's role is lost, an actor crashes. */
async function disturb(rig: TransactionRig, random: Random): Promise<void> {
  const { cluster } = rig.streams;
  const name = pick(random, rig.names);
  const others = rig.others(name);
  const ms = 200 + random.next() * 3_500;
  switch (pick(random, ["pause", "partition", "actor", "calm"])) {
    case "pause":
      cluster.pause(name);
      await cluster.advance(ms);
      cluster.resume(name);
      break;
    case "partition":
      cluster.hub.partition(name, others);
      await cluster.advance(ms);
      cluster.hub.heal(name, others);
      break;
    case "actor":
      cluster.get(name).node.system.whereis("three_phase_commit")?.finish("killed");
      break;
    default:
      await cluster.advance(ms);
  }
}

describe("transactions under faults", () => {
  for (const [seed, durable] of [
    [101, false],
    [102, false],
    [103, true],
    [104, false],
    [105, true],
    [106, false],
  ] as const) {
    it(`are all or nothing, once, and what is told of them is true: seed ${seed}${durable ? ", on disk" : ""}`, async () => {
      const rig = new TransactionRig(seed, { durable });
      await rig.begin();
      const { cluster } = rig.streams;
      const random = cluster.random.fork("storm");
      const first = await rig.streams.writer();
      const given = ACCOUNTS.map((account) => add(account, START));
      await rig.streams.run(rig.commit(first, given));
      const asked: Asked[] = [];
      const work: Promise<unknown>[] = [];
      for (let count = 0; count < TRANSACTIONS; count++) {
        const from = pick(random, ACCOUNTS);
        const to = pick(
          random,
          ACCOUNTS.filter((each) => each !== from),
        );
        const each: Asked = { mark: `mark${count}`, from, to, outcome: "open" };
        asked.push(each);
        const ops = [add(from, -1), add(to, 1), add(each.mark, 1)];
        work.push(
          rig.commit(pick(random, rig.names), ops).then(
            ({ outcome }) => {
              each.outcome = outcome;
            },
            (error: { readonly code?: string }) => {
              each.outcome = error.code ?? String(error);
            },
          ),
        );
        await cluster.advance(random.next() * 400);
        if (count % 4 === 1) {
          await disturb(rig, random);
        }
      }
      await rig.streams.run(Promise.all(work));
      await cluster.advance(20_000);
      const writer = await rig.streams.writer();
      expect(await rig.undecided(writer), "all are decided").to.deep.equal([]);
      const expected = new Map(ACCOUNTS.map((account) => [account, START]));
      for (const { mark, from, to, outcome } of asked) {
        const marked = (await rig.get(writer, mark)) ?? 0;
        expect(marked, `${mark} ${outcome}`).to.be.oneOf([0, 1]);
        if (outcome === "committed") {
          expect(marked, `${mark} was told committed`).to.equal(1);
        } else if (!["unknown_outcome", "exit", "nodedown", "timeout"].includes(outcome)) {
          expect(marked, `${mark} was told ${outcome}`).to.equal(0);
        }
        expected.set(from, (expected.get(from) ?? 0) - Number(marked));
        expected.set(to, (expected.get(to) ?? 0) + Number(marked));
      }
      for (const account of ACCOUNTS) {
        expect(await rig.get(writer, account), account).to.equal(expected.get(account));
      }
      const told = asked.filter(({ outcome }) => outcome === "committed").length;
      expect(told, "some went through").to.be.above(0);
      await rig.settled();
      await rig.streams.end();
    });
  }

  it("survive in a copy that began with a snapshot", async () => {
    const rig = new TransactionRig(31, { settings: { keptEntries: 4 } });
    await rig.begin();
    const writer = await rig.streams.writer();
    const [gone, other] = rig.others(writer);
    const held = { txnId: "t", partition: 0 } as const;
    await rig.ask(other, { type: "handlePrepare", ...held, ops: [add("n", 5)] });
    await rig.ask(other, { type: "handlePreCommit", ...held });
    rig.kill(gone);
    for (let count = 0; count < 30; count++) {
      await rig.streams.run(rig.add(other, `k${count}`, 1));
    }
    await rig.restart(gone);
    const { cluster } = rig.streams;
    await cluster.until(
      () => rig.streams.home(writer).status.learners.some(({ caughtUp }) => caughtUp),
      5_000,
    );
    const home = rig.streams.home(gone);
    expect(home.replica.log.base.seq, "it began with a snapshot").to.be.above(0);
    const query = { transaction: "get", txnId: "t" };
    expect(home.replicated.query(query, false)).to.include({ state: "preCommitted" });
    expect(home.replicated.query({ key: "n" }, false)).to.equal(null);
    await rig.reconfigure(writer, [writer, other, gone]);
    await cluster.advance(15_000);
    expect(await rig.get(gone, "n"), "decided by recovery").to.equal(5);
    await rig.settled();
    await rig.streams.end();
  });
});
