/** Source and receiver of a transfer, one message at a time. */
import { expect } from "chai";
import type { ReplicatedState } from "../../lib/stream/replicated-state.ts";
import type { SnapshotChunk, SnapshotMessage, SourceMessage } from "../../lib/stream/snapshot-messages.ts";
import type { ReceiverEffect, SnapshotReceiver } from "../../lib/stream/snapshot-receiver.ts";
import { SnapshotSource } from "../../lib/stream/snapshot-source.ts";
import type { TransferLimits } from "../../lib/stream/state-limits.ts";
import { request } from "./state-support.ts";
import { filled, newReceiver, SMALL, SOURCE } from "./transfer-support.ts";

function chunksOf(source: SnapshotSource): SnapshotChunk[] {
  const chunks: SnapshotChunk[] = [];
  for (let chunk = source.next(); chunk !== null; chunk = source.next()) {
    chunks.push(chunk);
  }
  return chunks;
}

function sentBy(effects: readonly ReceiverEffect[]): SnapshotMessage[] {
  return effects.flatMap((effect) => (effect.type === "send" ? [effect.message] : []));
}

function typesOf(effects: readonly ReceiverEffect[]): string[] {
  return effects.map((effect) => (effect.type === "send" ? effect.message.type : effect.type));
}

/** Carries everything to and fro until the source has nothing more; the snapshots that came out. */
function run(source: SnapshotSource, receiver: SnapshotReceiver, from: string = SOURCE): ReplicatedState[] {
  const received: ReplicatedState[] = [];
  for (let chunk = source.next(); chunk !== null; chunk = source.next()) {
    for (const effect of receiver.receive(from, chunk)) {
      if (effect.type === "received") {
        received.push(effect.state);
      } else if (effect.type === "send") {
        source.receive(effect.message);
      }
    }
  }
  return received;
}

describe("a transfer", () => {
  it("brings the state over, and both sides know", () => {
    const { state } = filled(20);
    const source = new SnapshotSource(state, 1, SMALL);
    const [copy] = run(source, newReceiver());
    expect(copy?.stateHash()).to.equal(state.stateHash());
    expect(copy?.position).to.deep.equal(state.position);
    expect(source.outcome).to.deep.equal({ kind: "sent", base: state.position });
  });

  it("has at most a window of chunks on its way, and goes on as they are acknowledged", () => {
    const source = new SnapshotSource(filled(20).state, 1, SMALL);
    expect(chunksOf(source).map(({ index }) => index)).to.deep.equal([0, 1, 2]);
    source.receive({ type: "snapshotAck", transfer: 1, next: 2 });
    expect(chunksOf(source).map(({ index }) => index)).to.deep.equal([3, 4]);
  });

  it("sends what is not acknowledged again, and only when it is stuck", () => {
    const source = new SnapshotSource(filled(20).state, 1, SMALL);
    const chunks = chunksOf(source);
    expect(source.tick()).to.deep.equal([]);
    expect(source.tick()).to.deep.equal(chunks);
    source.receive({ type: "snapshotAck", transfer: 1, next: 1 });
    expect(source.tick()).to.deep.equal([]);
    expect(source.tick()).to.deep.equal(chunks.slice(1));
  });

  it("is given up by the source after silence, on refusal, when too much is committed, and by order", () => {
    const silent = new SnapshotSource(filled(20).state, 1, SMALL);
    chunksOf(silent);
    const told: SourceMessage[] = [];
    for (let tick = 0; tick < SMALL.silentTicks; tick++) {
      told.push(...silent.tick());
    }
    expect(told.at(-1)).to.include({ type: "snapshotCancel", transfer: 1 });
    expect(silent.outcome).to.include({ kind: "failed" });

    const refused = new SnapshotSource(filled(2).state, 1, SMALL);
    refused.receive({ type: "snapshotRefuse", transfer: 1, reason: "busy" });
    expect(refused.outcome).to.deep.equal({ kind: "failed", reason: "the receiver refuses: busy" });
    expect([refused.next(), refused.tick()]).to.deep.equal([null, []]);

    const writer = filled(2);
    const crowded = new SnapshotSource(writer.state, 1, { ...SMALL, trailingBytes: 100 });
    writer.write(request("x", 3, { do: "put", key: "k", value: "v".repeat(100) }));
    expect(crowded.tick()).to.have.length(1);
    expect(crowded.outcome).to.include({ kind: "failed" });

    const ended = new SnapshotSource(writer.state, 1, SMALL);
    expect(ended.cancel("no longer")).to.deep.equal({
      type: "snapshotCancel",
      transfer: 1,
      reason: "no longer",
    });
    expect(ended.cancel("no longer")).to.equal(null);
  });

  it("does not wait for a word while nothing is on its way", () => {
    const source = new SnapshotSource(filled(20).state, 1, SMALL);
    for (let tick = 0; tick < 3 * SMALL.silentTicks; tick++) {
      expect(source.tick()).to.deep.equal([]);
    }
    expect(chunksOf(source)).to.have.length(3);
    expect(source.tick()).to.deep.equal([]);
  });

  it("believes no word that is not of its receiver", () => {
    const { state } = filled(2);
    const source = new SnapshotSource(state, 7, SMALL);
    chunksOf(source);
    const foreign: unknown[] = [
      null,
      "snapshotDone",
      { type: "snapshotDone", transfer: 6, seq: state.appliedSeq },
      { type: "snapshotDone", transfer: 7, seq: state.appliedSeq },
      { type: "snapshotAck", transfer: 7, next: 99 },
      { type: "snapshotAck", transfer: 7, next: -1 },
      { type: "snapshotRefuse", transfer: 7 },
    ];
    for (const message of foreign) {
      source.receive(message);
    }
    expect([source.outcome.kind, source.next()]).to.deep.equal(["sending", null]);
  });

  it("is not done before its end has been sent", () => {
    const { state } = filled(2);
    const source = new SnapshotSource(state, 1, SMALL);
    const done = { type: "snapshotDone", transfer: 1, seq: state.appliedSeq };
    const outcomes: string[] = [];
    for (let chunk = source.next(); chunk !== null; chunk = source.next()) {
      source.receive({ type: "snapshotAck", transfer: 1, next: chunk.index });
      source.receive(done);
      outcomes.push(`${chunk.kind} ${source.outcome.kind}`);
    }
    expect(outcomes).to.deep.equal([
      "begin sending",
      "records sending",
      "records sending",
      "clients sending",
      "end sent",
    ]);
  });
});

describe("the receiver of a transfer", () => {
  it("takes no chunk of which any byte is damaged, nor one under another number", () => {
    const [, chunk] = chunksOf(new SnapshotSource(filled(4).state, 1, { ...SMALL, windowChunks: 9 }));
    if (chunk === undefined) {
      throw new Error("there is a chunk");
    }
    const receiver = newReceiver();
    for (let at = 0; at < chunk.body.length; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        const body = new Uint8Array(chunk.body);
        body[at] = (body[at] ?? 0) ^ flip;
        expect(receiver.receive(SOURCE, { ...chunk, body }), `byte ${at}`).to.deep.equal([]);
      }
      expect(receiver.receive(SOURCE, { ...chunk, body: chunk.body.subarray(0, at) })).to.deep.equal([]);
    }
    const others: Partial<SnapshotChunk>[] = [
      { index: 0 },
      { transfer: 2 },
      { kind: "clients" },
      { crc: chunk.crc ^ 1 },
    ];
    for (const other of others) {
      expect(receiver.receive(SOURCE, { ...chunk, ...other })).to.deep.equal([]);
    }
    expect(receiver.from).to.equal(null);
    expect(typesOf(receiver.receive(SOURCE, chunk))).to.deep.equal(["snapshotAck"]);
  });

  it("keeps early chunks within the window, and stages none twice", () => {
    const source = new SnapshotSource(filled(20).state, 1, { ...SMALL, windowChunks: 6 });
    const [first, ...later] = chunksOf(source);
    const receiver = newReceiver();
    for (const chunk of later) {
      expect(sentBy(receiver.receive(SOURCE, chunk))).to.deep.equal([
        { type: "snapshotAck", transfer: 1, next: 0 },
      ]);
    }
    for (let round = 0; round < 2; round++) {
      expect(sentBy(receiver.receive(SOURCE, first))).to.deep.equal([
        { type: "snapshotAck", transfer: 1, next: 3 },
      ]);
    }
  });

  it("answers what comes for an ended transfer as before, and does not begin it again", () => {
    const { state } = filled(3);
    const source = new SnapshotSource(state, 4, { ...SMALL, windowChunks: 99 });
    const chunks = chunksOf(source);
    const receiver = newReceiver();
    const effects = chunks.flatMap((chunk) => receiver.receive(SOURCE, chunk));
    expect(effects.filter(({ type }) => type === "received")).to.have.length(1);
    for (const chunk of chunks) {
      expect(sentBy(receiver.receive(SOURCE, chunk))).to.deep.equal([
        { type: "snapshotDone", transfer: 4, seq: state.appliedSeq },
      ]);
    }
    const older = chunksOf(new SnapshotSource(state, 3, SMALL));
    expect(older.flatMap((chunk) => receiver.receive(SOURCE, chunk))).to.deep.equal([]);
    expect(receiver.from).to.equal(null);
  });

  it("takes one at a time, and a newer one of the same source instead of an older", () => {
    const { state } = filled(20);
    const receiver = newReceiver();
    const [first] = chunksOf(new SnapshotSource(state, 1, SMALL));
    receiver.receive(SOURCE, first);
    const other = new SnapshotSource(state, 1, SMALL);
    expect(run(other, receiver, "b/1")).to.deep.equal([]);
    expect(other.outcome.kind).to.equal("failed");
    expect(receiver.from).to.equal(SOURCE);
    const newer = new SnapshotSource(state, 2, SMALL);
    expect(run(newer, receiver)).to.have.length(1);
    expect(newer.outcome.kind).to.equal("sent");
  });

  it("gives up after silence, when told to, and when the source does", () => {
    const [first] = chunksOf(new SnapshotSource(filled(20).state, 1, SMALL));
    const silent = newReceiver();
    silent.receive(SOURCE, first);
    const ticks = Array.from({ length: SMALL.silentTicks }, () => typesOf(silent.tick()));
    expect(ticks.flat()).to.deep.equal(["snapshotRefuse", "failed"]);
    expect(ticks.at(-1)).to.have.length(2);
    expect([silent.tick(), silent.cancel("again")]).to.deep.equal([[], []]);

    const told = newReceiver();
    told.receive(SOURCE, first);
    expect(told.receive("b/1", { type: "snapshotCancel", transfer: 1, reason: "r" })).to.deep.equal([]);
    expect(typesOf(told.receive(SOURCE, { type: "snapshotCancel", transfer: 1, reason: "r" }))).to.deep.equal(
      ["snapshotRefuse", "failed"],
    );
    expect(told.from).to.equal(null);
  });

  it("refuses a chunk that is too large, and a snapshot that is", () => {
    const bounds: readonly Partial<TransferLimits>[] = [{ chunkBytesMax: 20 }, { stagedBytes: 200 }];
    for (const bound of bounds) {
      const source = new SnapshotSource(filled(30).state, 1, SMALL);
      expect(run(source, newReceiver({ ...SMALL, ...bound }))).to.deep.equal([]);
      expect(source.outcome).to.include({ kind: "failed" });
    }
  });

  it("drops what is no message of a source", () => {
    const receiver = newReceiver();
    const foreign: unknown[] = [
      undefined,
      7,
      {},
      { type: "snapshotChunk", transfer: 1 },
      { type: "snapshotAck" },
    ];
    for (const message of foreign) {
      expect(receiver.receive(SOURCE, message)).to.deep.equal([]);
    }
    expect(receiver.from).to.equal(null);
  });
});
