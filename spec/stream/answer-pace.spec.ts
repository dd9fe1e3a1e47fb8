import { expect } from "chai";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { AnswerPace } from "../../lib/stream/answer-pace.ts";

describe("the pace of early answers", () => {
  it("lets a burst go at once, and the rest in the rounds of the loop that follow, in order", async () => {
    const clock = new VirtualClock();
    const rounds: number[] = [0];
    const pace = new AnswerPace(clock, 3);
    const seen: number[] = [];
    for (let count = 0; count < 8; count++) {
      pace.send(() => seen.push(count));
    }
    expect(seen).to.deep.equal([0, 1, 2]);
    clock.immediate(() => rounds.push(seen.length));
    await clock.settle();
    expect(rounds, "three more in the next round").to.deep.equal([0, 6]);
    expect(seen).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it("does not let a caller that awaits each answer keep the network out", async () => {
    const clock = new VirtualClock();
    const pace = new AnswerPace(clock, 10);
    let answers = 0;
    let atFirstRound = 0;
    const loop = async (): Promise<void> => {
      while (answers < 1_000) {
        await new Promise<void>((resolve) => pace.send(resolve));
        answers += 1;
      }
    };
    const done = loop();
    clock.immediate(() => {
      atFirstRound = answers;
    });
    await clock.run(done);
    expect(atFirstRound).to.be.at.most(10);
  });
});
