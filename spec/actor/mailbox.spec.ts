import { expect } from "chai";
import fc from "fast-check";
import { Mailbox } from "../../lib/actor/mailbox.ts";
import { failing, failureOf, makeStage, never, type Stage, startPuppet } from "../support/actor.ts";

describe("mailbox", () => {
  it("is a queue, whatever is pushed and shifted in which order", () => {
    const operations = fc.array(fc.oneof(fc.constant("shift"), fc.integer()), { maxLength: 6_000 });
    fc.assert(
      fc.property(operations, (all) => {
        const mailbox = new Mailbox<{ n: number }, number>();
        const model: number[] = [];
        for (const operation of all) {
          if (typeof operation === "number") {
            mailbox.push({ n: operation }, operation);
            model.push(operation);
          } else {
            expect(mailbox.firstTag()).to.equal(model[0]);
            expect(mailbox.shift()?.n).to.equal(model.shift());
          }
          expect(mailbox.length).to.equal(model.length);
        }
        while (model.length > 0) {
          expect(mailbox.shift()?.n).to.equal(model.shift());
        }
        expect(mailbox.shift()).to.equal(undefined);
      }),
      { numRuns: 50 },
    );
  });

  it("keeps order over growing far beyond its first size and shrinking back", () => {
    const mailbox = new Mailbox<{ n: number }, "tag">();
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 10_000; n++) {
        mailbox.push({ n }, "tag");
      }
      for (let n = 0; n < 10_000; n++) {
        expect(mailbox.shift()?.n).to.equal(n);
      }
      expect(mailbox.firstTag()).to.equal(undefined);
    }
  });

  describe("its bound", () => {
    let stage: Stage;

    beforeEach(() => {
      stage = makeStage();
    });

    afterEach(() => {
      stage.system.close();
    });

    it("refuses a call with mailbox_full and counts a cast, while signals still come through", async () => {
      const held = await startPuppet(stage.system, { trapExit: true }, { mailbox: 3 });
      const peer = await startPuppet(stage.system);
      held.self.link(peer.process.pid);
      held.self.monitor(peer.process.pid);
      held.process.suspend();
      const open = [1, 2, 3].map(() => failing(held.ref.call({ type: "ask" }, { timeoutMs: 50 })));
      expect((await failureOf(held.ref.call({ type: "ask" }))).code).to.equal("mailbox_full");
      held.ref.cast({ type: "tell", run: () => undefined });
      stage.system.send(held.process.pid, "x");
      expect(stage.system.drops.mailbox_full).to.equal(2);
      peer.process.finish("normal");
      expect(held.process.mailboxLength).to.equal(5);
      await stage.clock.advance(50);
      expect((await Promise.all(open)).map(({ code }) => code)).to.deep.equal(Array(3).fill("timeout"));
      await stage.system.stop(held.process.pid);
      expect(stage.system.drops.ended).to.equal(5);
    });

    it("full of calls, it fails them all with the reason when the process ends", async () => {
      const { ref, process } = await startPuppet(stage.system, {}, { mailbox: 100 });
      ref.cast({ type: "tell", run: () => never() });
      await stage.clock.settle();
      const open = Array.from({ length: 100 }, () => failing(ref.call({ type: "ask" })));
      process.finish("killed");
      for (const failure of await Promise.all(open)) {
        expect(failure.details).to.deep.equal({ reason: "killed" });
      }
    });

    it("is the limit's unless the start says otherwise", async () => {
      const small = makeStage({ mailboxMessages: 2 });
      const { ref, process } = await startPuppet(small.system);
      process.suspend();
      for (let n = 0; n < 5; n++) {
        ref.cast({ type: "tell", run: () => undefined });
      }
      expect(process.mailboxLength).to.equal(2);
      small.system.close();
    });
  });
});
