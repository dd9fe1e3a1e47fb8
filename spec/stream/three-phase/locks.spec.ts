import { expect } from "chai";
import type { StreamDefinition } from "../../../lib/stream/definition.ts";
import type { FaultPoint } from "../../../lib/stream/replica-options.ts";
import { streamActorName } from "../../../lib/stream/requests.ts";
import { withTransactions } from "../../../lib/stream/three-phase/definition.ts";
import { outcomeOf } from "../../support/sim-cluster.ts";
import { type CounterOperation, counters, STREAM, StreamRig } from "../stream-rig.ts";

const NODES = ["a", "b", "c"];
const inner: StreamDefinition<unknown, unknown> = counters;
const definition = withTransactions(inner);

async function withRig(
  options: ConstructorParameters<typeof StreamRig>[2],
  body: (rig: StreamRig, writer: string) => Promise<void>,
): Promise<void> {
  const rig = new StreamRig(5, NODES, { definition, ...options });
  await rig.begin();
  await body(rig, await rig.writer());
  await rig.end();
}

const put = (key: string, value: unknown): CounterOperation => ({ op: "put", key, value });
const add = (key: string, n: number): CounterOperation => ({ op: "add", key, n });
const prepare = (txnId: string, operation: CounterOperation): object => ({
  transaction: "prepare",
  txnId,
  operation,
});
const preCommit = (txnId: string): object => ({ transaction: "preCommit", txnId });
const decide = (txnId: string, outcome: "commit" | "abort"): object => ({
  transaction: "decide",
  txnId,
  outcome,
});

/** What each of `promises` has become so far. */
function watch(promises: readonly Promise<unknown>[]): unknown[] {
  const seen: unknown[] = promises.map(() => "waits");
  for (const [index, promise] of promises.entries()) {
    promise.then(
      (done) => {
        seen[index] = done;
      },
      (error: unknown) => {
        seen[index] = error;
      },
    );
  }
  return seen;
}

describe("a request that meets a locked key", () => {
  it("waits for the decision and goes on from it, in order; other keys are not held up", async () => {
    await withRig({}, async (rig, writer) => {
      const [other = ""] = rig.others(writer);
      const client = rig.client(writer);
      const far = rig.client(other);
      await rig.run(client.request(add("n", 1)));
      await rig.run(far.request(add("m", 1)));
      await rig.run(client.request(prepare("t", add("n", 10))));
      const waiting = [client.request(add("n", 100)), far.request(add("n", 1_000))];
      await rig.cluster.advance(50);
      const third = client.request(add("n", 10_000));
      const seen = watch([...waiting, third]);
      expect((await rig.run(client.request(add("m", 1)))).value).to.equal(2);
      await rig.cluster.advance(500);
      expect(seen).to.deep.equal(["waits", "waits", "waits"]);
      await rig.run(client.request(preCommit("t")));
      const decided = client.request(decide("t", "commit"));
      const last = client.request(add("n", 100_000)); // in one turn with the decision, after those that wait
      await rig.run(decided);
      const values = (await rig.run(Promise.all([...waiting, third, last]))).map(({ value }) => value);
      expect([values[0], values[1]].map(Number).sort((left, right) => left - right)[1]).to.equal(1_111);
      expect(values.slice(2)).to.deep.equal([11_111, 111_111]);
      expect(await rig.run(client.read({ key: "n" }))).to.equal(111_111);
    });
  });

  it("is told locked at the end of its wait: nothing has happened, and nothing will", async () => {
    await withRig({}, async (rig, writer) => {
      const client = rig.client(writer);
      await rig.run(client.request(prepare("t", put("n", 1))));
      const before = rig.home(writer).replica.log.lastSeq;
      for (const timeoutMs of [300, 1_500, 4_000]) {
        expect(await rig.run(outcomeOf(client.request(add("n", 1), { timeoutMs })))).to.equal("locked");
      }
      await rig.cluster.advance(5_000);
      expect(rig.home(writer).replica.log.lastSeq, "nothing was appended").to.equal(before);
      await rig.run(client.request(decide("t", "abort")));
      expect(await rig.run(client.read({ key: "n" }))).to.equal(null);
    });
  });

  it("is refused for a wait that is none", async () => {
    await withRig({}, async (rig, writer) => {
      const { node } = rig.cluster.get(writer);
      for (const lockWaitMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
        const asked = node.call(
          { name: streamActorName(STREAM), node: writer },
          {
            ...{ type: "request", clientId: "w", requestSeq: 1, doneBelow: 0 },
            ...{ operation: put("n", 2), lockWaitMs },
          },
        );
        expect(await rig.run(outcomeOf(asked)), String(lockWaitMs)).to.equal("invalid_message");
      }
    });
  });

  it("is not carried out when its caller has gone", async () => {
    await withRig({}, async (rig, writer) => {
      const client = rig.client(writer);
      await rig.run(client.request(prepare("t", put("n", 1))));
      const { node } = rig.cluster.get(writer);
      const hasty = node.call(
        { name: streamActorName(STREAM), node: writer },
        { type: "request", clientId: "hasty", requestSeq: 1, doneBelow: 0, operation: put("n", 2) },
        { timeoutMs: 100 },
      );
      expect(await rig.run(outcomeOf(hasty))).to.equal("timeout");
      await rig.run(client.request(decide("t", "abort")));
      await rig.cluster.advance(3_000);
      expect(await rig.run(client.read({ key: "n" }))).to.equal(null);
    });
  });

  it("is refused with overload when too many wait, before any effect", async () => {
    await withRig({ settings: { parkedRequests: 2 } }, async (rig, writer) => {
      const client = rig.client(writer);
      await rig.run(client.request(prepare("t", put("n", 0))));
      const waiting = [client.request(add("n", 1)), client.request(add("n", 1))];
      await rig.cluster.advance(50);
      const third = rig.cluster
        .get(writer)
        .node.call(
          { name: streamActorName(STREAM), node: writer },
          { type: "request", clientId: "third", requestSeq: 1, doneBelow: 0, operation: add("n", 1) },
        );
      expect(await rig.run(third)).to.deep.equal({ status: "overload" });
      await rig.run(client.request(decide("t", "abort")));
      const values = (await rig.run(Promise.all(waiting))).map(({ value }) => value);
      expect(values).to.deep.equal([1, 2]);
    });
  });

  it("meets the lock at the next writer, too, and takes effect once", async () => {
    await withRig({}, async (rig, writer) => {
      const [other = ""] = rig.others(writer);
      const client = rig.client(other, 20_000);
      await rig.run(client.request(add("n", 1)));
      await rig.run(client.request(prepare("t", add("n", 10))));
      const waiting = client.request(add("n", 100));
      const [seen] = [watch([waiting])];
      await rig.cluster.advance(300);
      rig.kill(writer);
      await rig.writer();
      await rig.cluster.advance(2_000);
      expect(seen).to.deep.equal(["waits"]);
      await rig.run(client.request(preCommit("t")));
      await rig.run(client.request(decide("t", "commit")));
      expect((await rig.run(waiting)).value).to.equal(111);
      await rig.cluster.until(() => rig.agree());
    });
  });

  it("is asked of the next writer at once when the epoch ends", async () => {
    await withRig({}, async (rig, writer) => {
      const [other = ""] = rig.others(writer);
      const client = rig.client(writer);
      await rig.run(client.request(prepare("t", put("n", 1))));
      const { node } = rig.cluster.get(writer);
      const target = { name: streamActorName(STREAM), node: writer };
      const parked = node.call(
        target,
        { type: "request", clientId: "p", requestSeq: 1, doneBelow: 0, operation: put("n", 2) },
        { timeoutMs: 10_000 },
      );
      const [seen] = [watch([parked])];
      await rig.cluster.advance(100);
      expect(seen).to.deep.equal(["waits"]);
      const to = rig.home(other).replica.self;
      await rig.run(node.call(target, { type: "handOver", to }, { timeoutMs: 10_000 }));
      expect(await rig.run(parked)).to.have.property("status", "redirect");
    });
  });

  it("fails with the exit reason when the actor crashes, and is carried out once by its client", async () => {
    let crashAt: FaultPoint | null = null;
    const faultPoint = (point: FaultPoint): void => {
      if (point === crashAt) {
        crashAt = null;
        throw new Error(`crash at ${point}`);
      }
    };
    await withRig({ faultPoint }, async (rig, writer) => {
      const client = rig.client(writer, 20_000);
      await rig.run(client.request(prepare("t", put("n", 5))));
      const waiting = client.request(add("n", 1));
      const { node } = rig.cluster.get(writer);
      const direct = node.call(
        { name: streamActorName(STREAM), node: writer },
        { type: "request", clientId: "d", requestSeq: 1, doneBelow: 0, operation: add("m", 1) },
        { timeoutMs: 10_000 },
      );
      await rig.run(direct);
      const parked = outcomeOf(
        node.call(
          { name: streamActorName(STREAM), node: writer },
          { type: "request", clientId: "d", requestSeq: 2, doneBelow: 0, operation: put("n", 7) },
          { timeoutMs: 10_000 },
        ),
      );
      await rig.cluster.advance(50);
      crashAt = "stepped";
      expect(await rig.run(parked)).to.equal("exit");
      await rig.run(client.request(decide("t", "abort")));
      expect((await rig.run(waiting)).value).to.equal(1);
      expect(await rig.run(client.read({ key: "n" }))).to.equal(1);
      await rig.cluster.until(() => rig.agree());
    });
  });

  it("goes on in order also where the key's release is only in flight, and sees what was committed", async () => {
    await withRig({ mode: "async" }, async (rig, writer) => {
      const client = rig.client(writer);
      await rig.run(client.request(put("n", 1)));
      const asked = [
        prepare("t", add("n", 1)),
        add("n", 10), // waits for t
        prepare("u", add("n", 100)), // waits behind it
        preCommit("t"),
        decide("t", "commit"),
        add("n", 1_000), // waits for u
        preCommit("u"),
        decide("u", "commit"),
      ].map((operation) => client.request(operation, { mode: "strong" }));
      const answers = (await rig.run(Promise.allSettled(asked))).map((each) =>
        each.status === "fulfilled" ? each.value.value : each.reason.code,
      );
      expect(answers.slice(0, 2)).to.deep.equal([{ state: "prepared", value: 2 }, 12]);
      expect(answers[2]).to.deep.equal({ state: "prepared", value: 112 });
      expect(answers[5]).to.equal(1_112);
      expect(await rig.run(client.read({ key: "n" }))).to.equal(1_112);
    });
  });
});
