import { expect } from "chai";
import fc from "fast-check";
import { exitError, OpenCall, OpenCalls } from "../../lib/actor/from.ts";
import { SupercastError } from "../../lib/base/errors.ts";

/** A call that notes what it was settled with. */
class Noted extends OpenCall {
  readonly outcomes: unknown[] = [];

  protected describeTarget(): string {
    return "nobody";
  }

  protected deliverReply(value: unknown): void {
    this.outcomes.push(value);
  }

  protected deliverError(error: SupercastError): void {
    this.outcomes.push(error.code);
  }
}

describe("open calls", () => {
  it("are settled once, by whatever comes first", () => {
    const call = new Noted(undefined);
    call.settle(1);
    call.settle(2);
    call.fail(new SupercastError("noproc", "x"));
    call.expire();
    expect(call.outcomes).to.deep.equal([1]);
    const late = new Noted(undefined);
    late.expire();
    late.reply({}, 1);
    expect(late.outcomes).to.deep.equal(["timeout"]);
  });

  it("hang on their process only while they are open, whatever the order of answers", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 30 }), (answers) => {
        const list = new OpenCalls();
        const calls = Array.from({ length: 21 }, () => new Noted(undefined));
        for (const call of calls) {
          list.add(call);
        }
        for (const answer of answers) {
          calls[answer]?.settle("answer");
        }
        let failed = 0;
        list.failAll(() => {
          failed += 1;
          return new SupercastError("exit", "x");
        });
        expect(failed).to.equal(21 - new Set(answers).size);
        calls.forEach((call, index) => {
          expect(call.outcomes).to.deep.equal([answers.includes(index) ? "answer" : "exit"]);
        });
      }),
    );
  });

  it("fail with the callee's reason, or with noproc and noconnection as their own codes", () => {
    expect(exitError("x", "noproc").code).to.equal("noproc");
    expect(exitError("x", "noconnection").code).to.equal("noconnection");
    expect(exitError("x", "killed")).to.include({ code: "exit" });
    expect(exitError("x", "killed").details).to.deep.equal({ reason: "killed" });
  });
});
