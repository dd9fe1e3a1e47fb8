import { expect } from "chai";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { RequestMemory } from "../../lib/node/request-memory.ts";
import type { ForeignAnswer } from "../../lib/wire/foreign.ts";

describe("the memory of foreign requests", () => {
  let clock: VirtualClock;
  let memory: RequestMemory;
  let answers: ForeignAnswer[];
  const note = (answer: ForeignAnswer): number => answers.push(answer);

  beforeEach(() => {
    clock = new VirtualClock();
    answers = [];
    memory = new RequestMemory({
      clock,
      limits: { requestIds: 3, requestIdMs: 1_000, requestIdBytes: 100 },
      bytesOf: (answer) => ("ok" in answer ? Number(answer.ok) : 1),
    });
  });

  it("answers a repeat as the first, before and after that has come", () => {
    const settle = memory.begin("k", note);
    expect(memory.begin("k", note)).to.equal(undefined);
    expect(answers).to.deep.equal([]);
    settle?.({ ok: 1 });
    expect(memory.begin("k", note)).to.equal(undefined);
    expect(answers).to.deep.equal([{ ok: 1 }, { ok: 1 }, { ok: 1 }]);
  });

  it("remembers errors of things that may have happened, and not refusals", () => {
    const error = (code: "timeout" | "mailbox_full"): ForeignAnswer => ({ error: { code, message: code } });
    memory.begin("a", note)?.(error("timeout"));
    memory.begin("b", note)?.(error("mailbox_full"));
    expect(memory.begin("a", note)).to.equal(undefined);
    expect(memory.begin("b", note)).to.be.a("function");
  });

  it("forgets after its time", async () => {
    memory.begin("k", note)?.({ ok: 1 });
    await clock.advance(999);
    expect(memory.begin("k", note)).to.equal(undefined);
    await clock.advance(1);
    expect(memory.begin("k", note)).to.be.a("function");
    expect(memory.size).to.equal(1);
  });

  it("does not mistake a later request of the same id for a forgotten one", async () => {
    const late = memory.begin("k", note);
    await clock.advance(1_000);
    const second = memory.begin("k", note);
    late?.({ error: { code: "overload", message: "late" } });
    expect(memory.begin("k", note)).to.equal(undefined);
    second?.({ ok: 2 });
    expect(answers.map((answer) => ("ok" in answer ? answer.ok : "late"))).to.deep.equal(["late", 2, 2]);
  });

  it("is bounded in requests, in bytes, and in those who wait", async () => {
    const settles = ["a", "b", "c"].map((key) => memory.begin(key, note));
    expect(() => memory.begin("d", note)).to.throw(/3 requests/);
    for (let n = 0; n < 3; n++) {
      memory.begin("a", note);
    }
    expect(() => memory.begin("a", note)).to.throw(/3 repeats wait/);
    settles[0]?.({ ok: 100 });
    expect(answers.length).to.equal(4);
    await clock.advance(1_000);
    memory.begin("e", note)?.({ ok: 100 });
    expect(() => memory.begin("f", note)).to.throw(/100 bytes/);
    await clock.advance(1_000);
    expect(memory.begin("f", note)).to.be.a("function");
  });
});
