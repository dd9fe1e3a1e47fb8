import { expect } from "chai";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { Beat } from "../../lib/stream/beat.ts";

describe("the beat of a process", () => {
  it("reaches all who listen in one turn, until they stop; then it rests", async () => {
    const clock = new VirtualClock();
    const beat = new Beat(clock, 100);
    const heard: string[] = [];
    const stopOne = beat.add(() => heard.push(`one ${clock.now()}`));
    await clock.advance(50);
    const stopTwo = beat.add(() => heard.push(`two ${clock.now()}`));
    await clock.advance(150);
    expect(heard).to.deep.equal(["one 100", "two 100", "one 200", "two 200"]);
    stopOne();
    await clock.advance(100);
    expect(heard.at(-1)).to.equal("two 300");
    stopTwo();
    await clock.advance(500);
    expect(heard).to.have.length(5);
    beat.add(() => heard.push(`three ${clock.now()}`));
    await clock.advance(100);
    expect(heard.at(-1)).to.equal("three 900");
  });
});
