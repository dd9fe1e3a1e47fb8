import { expect } from "chai";
import { type Answer, answerOf } from "../../scripts/chaos/foreign.ts";
import { type Caller, WalTarget } from "../../scripts/chaos/wal-target.ts";

const PATIENCE = { attemptMs: 20, deadlineMs: 2_000 };
const HASTE = { attemptMs: 20, deadlineMs: 30 };
const DONE: Answer = { status: "ok", value: { seq: 4, value: { put: 0, deleted: 1 } } };
const SILENCE: Answer = { status: "silence", why: "timeout" };
const OVERLOAD: Answer = { status: "error", code: "overload", message: "full" };

/** Answers as the script says; the last answer is repeated. */
class Scripted implements Caller {
  readonly sent: { node: string; actor: string; message: Readonly<Record<string, unknown>> }[] = [];
  readonly #answers: Answer[];
  closed = false;

  constructor(...answers: Answer[]) {
    this.#answers = answers;
  }

  call(node: string, actor: string, message: Readonly<Record<string, unknown>>): Promise<Answer> {
    this.sent.push({ node, actor, message });
    const [answer = SILENCE] = this.#answers;
    if (this.#answers.length > 1) {
      this.#answers.shift();
    }
    return Promise.resolve(answer);
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

function write(caller: Caller, patience = PATIENCE) {
  const changes = [
    { op: "put", key: "x", value: "1" },
    { op: "delete", key: "y" },
  ] as const;
  return new WalTarget(caller).write("c1:7", 2, changes, patience);
}

describe("The wal actor as the target of a chaos run", () => {
  it("gets writes as commits and reads as quorum reads, at whatever node takes them", async () => {
    const caller = new Scripted(DONE, { status: "ok", value: { seq: 4, value: ["x", "1"] } });
    expect(await write(caller)).to.deep.equal({ status: "ok", value: { deleted: 1 } });
    const read = await new WalTarget(caller).read(2, "x", PATIENCE);
    expect(read).to.deep.equal({ status: "ok", value: "1" });
    expect(caller.sent).to.deep.equal([
      {
        node: "any",
        actor: "wal",
        message: {
          type: "commit",
          requestId: "c1:7",
          partition: 2,
          ops: [
            { op: "put", record: ["x", "1"] },
            { op: "delete", key: "y" },
          ],
          mode: "strong",
        },
      },
      {
        node: "any",
        actor: "wal",
        message: { type: "read", partition: 2, query: { type: "get", key: "x" }, mode: "quorum" },
      },
    ]);
  });

  it("reads null where there is no record", async () => {
    const caller = new Scripted({ status: "ok", value: { seq: 0, value: null } });
    expect(await new WalTarget(caller).read(0, "x", PATIENCE)).to.deep.equal({ status: "ok", value: null });
  });

  it("repeats an unknown outcome under the same requestId until it is known", async () => {
    const timeout: Answer = { status: "error", code: "majority_timeout", message: "no majority yet" };
    const caller = new Scripted(SILENCE, timeout, { status: "nobody" }, DONE);
    expect(await write(caller)).to.include({ status: "ok" });
    expect(caller.sent).to.have.length(4);
    expect(new Set(caller.sent.map(({ message }) => message["requestId"]))).to.deep.equal(new Set(["c1:7"]));
  });

  it("calls an outcome unknown when one attempt may have taken effect, whatever the others said", async () => {
    expect(await write(new Scripted(SILENCE, OVERLOAD), HASTE)).to.include({ status: "unknown" });
  });

  it("calls refused what was refused for certain at every attempt", async () => {
    const outcome = await write(new Scripted(OVERLOAD), HASTE);
    expect(outcome).to.deep.equal({ status: "refused", why: "overload: full" });
    expect(await write(new Scripted({ status: "nobody" }), HASTE)).to.include({ status: "refused" });
  });

  it("does not repeat what no repetition mends", async () => {
    const caller = new Scripted({ status: "error", code: "invalid_message", message: "ops: missing" });
    expect(await write(caller)).to.deep.equal({ status: "refused", why: "invalid_message: ops: missing" });
    expect(caller.sent).to.have.length(1);
  });

  it("ends what is open when it is closed", async () => {
    const caller = new Scripted(SILENCE);
    const target = new WalTarget(caller);
    const reading = target.read(0, "x", { attemptMs: 20, deadlineMs: 60_000 });
    await target.close();
    expect(await reading).to.include({ status: "unknown" });
    expect(caller.closed).to.equal(true);
  });

  it("fails loudly on an answer that is not of the protocol", async () => {
    let problem = "";
    const caller = new Scripted({ status: "ok", value: { seq: 1, value: "x" } });
    await new WalTarget(caller).read(0, "x", PATIENCE).catch((error: unknown) => {
      problem = String(error);
    });
    expect(problem).to.match(/no record of key and value/);
    expect(() => answerOf({ fine: true })).to.throw(/neither/);
    expect(answerOf({ error: { code: "overload", message: "full" } })).to.deep.equal(OVERLOAD);
  });
});
