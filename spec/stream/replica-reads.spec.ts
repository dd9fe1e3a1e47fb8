import { expect } from "chai";
import type { CallMessage } from "../../lib/actor/protocol.ts";
import type { ReadAnswer, RequestAnswer, StreamProtocol } from "../../lib/stream/requests.ts";
import { streamActorName } from "../../lib/stream/requests.ts";
import { outcomeOf } from "../support/sim-cluster.ts";
import { STREAM, StreamRig } from "./stream-rig.ts";

const NODES = ["a", "b", "c"];

async function withRig(
  options: ConstructorParameters<typeof StreamRig>[2],
  body: (rig: StreamRig, writer: string) => Promise<void>,
): Promise<void> {
  const rig = new StreamRig(3, NODES, options);
  await rig.begin();
  await body(rig, await rig.writer());
  for (const name of rig.others("")) {
    rig.cluster.resume(name);
  }
  await rig.end();
}

function ask(rig: StreamRig, node: string, message: CallMessage<StreamProtocol>): Promise<unknown> {
  const target = { name: streamActorName(STREAM), node };
  return rig.cluster.get(node).node.call(target, message, { timeoutMs: 20_000 });
}

describe("reads of a stream", () => {
  it("wait for the position they want, and are unavailable when it does not come", async () => {
    await withRig({ settings: { readTimeoutMs: 500 } }, async (rig, writer) => {
      const [follower = ""] = rig.others(writer);
      const { seq } = await rig.run(rig.client(writer).request({ op: "put", key: "k", value: 1 }));
      const read = { type: "read", query: { key: "k" }, mode: "local" } as const;
      const early = ask(rig, follower, { ...read, minSeq: seq + 1 });
      await rig.cluster.advance(50);
      await rig.run(rig.client(writer).request({ op: "put", key: "k", value: 2 }));
      const answer: unknown = await rig.run(early);
      expect(answer).to.deep.equal({ status: "ok", value: 2, seq: seq + 1 } satisfies ReadAnswer);
      const never: unknown = await rig.run(ask(rig, follower, { ...read, minSeq: seq + 100 }));
      expect(never).to.deep.equal({ status: "unavailable" } satisfies ReadAnswer);
    });
  });

  it("by quorum are refused without a majority, never answered from what is at hand", async () => {
    await withRig({}, async (rig, writer) => {
      await rig.run(rig.client(writer).request({ op: "put", key: "k", value: 1 }));
      for (const other of rig.others(writer)) {
        rig.cluster.pause(other);
      }
      const client = rig.client(writer, 3_000);
      expect(await rig.run(outcomeOf(client.read({ key: "k" }, { node: writer })))).to.equal(
        "quorum_not_reached",
      );
      expect(await rig.run(client.read({ key: "k" }, { mode: "local", node: writer }))).to.equal(1);
    });
  });

  it("of the primary ask nobody while a lease holds, and a majority when it does not", async () => {
    const settings = { leaseMs: 800, clockDrift: 0.1 };
    await withRig({ settings }, async (rig, writer) => {
      await rig.run(rig.client(writer).request({ op: "put", key: "k", value: 1 }));
      await rig.cluster.advance(300);
      const read = { type: "read", query: { key: "k" }, mode: "primary" } as const;
      const before = rig.cluster.clock.now();
      expect(await rig.run(ask(rig, writer, read))).to.have.property("value", 1);
      expect(rig.cluster.clock.now() - before, "at once").to.be.at.most(1);
      for (const other of rig.others(writer)) {
        rig.cluster.pause(other);
      }
      await rig.cluster.advance(900);
      expect(await rig.run(ask(rig, writer, read))).not.to.have.property("status", "ok");
    });
  });

  it("of the primary under a lease show nothing that may yet be lost, in no mode", async () => {
    const settings = { leaseMs: 800, clockDrift: 0.1, readTimeoutMs: 500 };
    await withRig({ mode: "async", settings }, async (rig, writer) => {
      const client = rig.client(writer, 1_000);
      await rig.run(client.request({ op: "put", key: "k", value: 1 }));
      await rig.cluster.advance(300);
      for (const other of rig.others(writer)) {
        rig.cluster.pause(other);
      }
      expect(await rig.run(outcomeOf(client.request({ op: "put", key: "k", value: 5 })))).to.equal("ok");
      const read = { type: "read", query: { key: "k" }, mode: "primary" } as const;
      expect(await rig.run(ask(rig, writer, read))).to.deep.equal({ status: "unavailable" });
    });
  });

  it("of an async writer see what it has answered before it is committed, those of a strong one do not", async () => {
    for (const [mode, expected] of [
      ["async", 5],
      ["strong", null],
    ] as const) {
      await withRig({ mode }, async (rig, writer) => {
        const client = rig.client(writer, 1_000);
        await rig.run(client.request({ op: "put", key: "other", value: 1 }));
        for (const other of rig.others(writer)) {
          rig.cluster.pause(other);
        }
        const put = outcomeOf(client.request({ op: "put", key: "k", value: 5 }));
        await rig.cluster.advance(20);
        const read = ask(rig, writer, { type: "read", query: { key: "k" }, mode: "local" } as const);
        expect(await rig.run(read), mode).to.have.property("value", expected);
        expect(await rig.run(put)).to.equal(mode === "async" ? "ok" : "unknown_outcome");
      });
    }
  });
});

describe("requests beyond what a writer may have in flight", () => {
  it("are refused before any effect", async () => {
    const settings = { pendingMax: 3, batchRequests: 1 };
    await withRig({ mode: "async", settings }, async (rig, writer) => {
      await rig.run(rig.client(writer).request({ op: "put", key: "k", value: 0 }));
      for (const other of rig.others(writer)) {
        rig.cluster.pause(other);
      }
      const requests = Array.from({ length: 5 }, (_, index) => ({
        type: "request" as const,
        clientId: "many",
        requestSeq: index + 1,
        doneBelow: 1,
        operation: { op: "add", key: "n", n: 1 },
      }));
      const answers = await rig.run(Promise.all(requests.map((request) => ask(rig, writer, request))));
      const statuses = answers.map((answer) => (hasStatus(answer) ? answer.status : ""));
      expect(statuses).to.deep.equal([
        "ok",
        "ok",
        "ok",
        "overload",
        "overload",
      ] satisfies RequestAnswer["status"][]);
      const read = ask(rig, writer, { type: "read", query: { key: "n" }, mode: "local" } as const);
      expect(await rig.run(read)).to.have.property("value", 3);
    });
  });

  it("with wrong fields are refused by name", async () => {
    await withRig({}, async (rig, writer) => {
      const request = { type: "request" as const, clientId: "c", requestSeq: 1, doneBelow: 0, operation: {} };
      for (const wrong of [{ clientId: "" }, { requestSeq: 0 }, { doneBelow: 2 }]) {
        const outcome = await rig.run(outcomeOf(ask(rig, writer, { ...request, ...wrong })));
        expect(outcome, JSON.stringify(wrong)).to.equal("invalid_message");
      }
      const refused = { ...request, operation: { op: "add", key: "n", n: "one" } };
      expect(await rig.run(outcomeOf(ask(rig, writer, refused)))).to.equal("invalid_message");
    });
  });
});

function hasStatus(answer: unknown): answer is { readonly status: string } {
  return (
    typeof answer === "object" && answer !== null && "status" in answer && typeof answer.status === "string"
  );
}
