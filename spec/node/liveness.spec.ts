import { expect } from "chai";
import fc from "fast-check";
import { DEFAULT_LIMITS } from "../../lib/base/limits.ts";
import { Liveness, type LivenessEffect, type LivenessEvent } from "../../lib/node/liveness.ts";

const OLD_CONNECTION = 60_000;

/** A detector on a clock of its own that ticks and hears "b" as a spec says. */
class Watch {
  readonly liveness = new Liveness(DEFAULT_LIMITS);
  now = 0;
  readonly effects: LivenessEffect[] = [];
  /** When the own connection began; undefined while it is away. */
  connectedAt: number | undefined = -OLD_CONNECTION;
  onAsk: () => void = () => undefined;

  step(event: LivenessEvent): void {
    for (const effect of this.liveness.step(event, this.now)) {
      this.effects.push(effect);
      if (effect.type === "ask") {
        this.onAsk();
      }
    }
  }

  hear(node = "b", incarnation = "1"): void {
    this.step({ type: "heard", node, incarnation });
  }

  deaf(): void {
    this.step({ type: "noResponders", node: "b", incarnation: "1" });
  }

  /** Ticks every `heartbeatMs` for so long; `alive` peers are heard before each tick. */
  pass(ms: number, alive: readonly string[] = []): void {
    const end = this.now + ms;
    while (this.now + DEFAULT_LIMITS.heartbeatMs <= end) {
      this.now += DEFAULT_LIMITS.heartbeatMs;
      for (const node of alive) {
        this.hear(node);
      }
      this.tick();
    }
    this.now = end;
  }

  tick(): void {
    const connectedForMs = this.connectedAt === undefined ? undefined : this.now - this.connectedAt;
    this.step({ type: "tick", connectedForMs });
  }

  get told(): string[] {
    return this.effects.map((effect) =>
      "reason" in effect ? `${effect.type} ${effect.reason}` : effect.type,
    );
  }

  get status(): string | undefined {
    return this.liveness.get("b")?.status;
  }
}

describe("liveness", () => {
  let watch: Watch;

  beforeEach(() => {
    watch = new Watch();
    watch.pass(1_000);
    watch.hear();
    watch.effects.length = 0;
  });

  it("says nothing of a node that beats", () => {
    watch.pass(10_000, ["b"]);
    expect(watch.told).to.deep.equal([]);
  });

  it("suspects before it takes down, and asks every probe interval", () => {
    watch.pass(1_900);
    expect(watch.told[0]).to.equal("suspect");
    expect(watch.told.filter((each) => each === "ask").length).to.be.within(16, 18);
    expect(watch.status).to.equal("suspect");
    watch.pass(100);
    expect(watch.told.at(-1)).to.equal("down silent");
  });

  it("forgets its suspicion at any sign of life", () => {
    watch.pass(1_500);
    watch.hear();
    expect(watch.status).to.equal("up");
    watch.pass(300, ["b"]);
    expect(watch.told.filter((each) => each.startsWith("down"))).to.deep.equal([]);
  });

  it("takes a killed node down after two answers of no responders: within seven heartbeats", () => {
    watch.onAsk = () => watch.deaf();
    watch.pass(700);
    expect(watch.told).to.deep.equal(["suspect", "ask", "ask", "down no_responders"]);
  });

  it("does not believe one such answer, nor two to one question", () => {
    watch.pass(300);
    watch.deaf();
    watch.deaf();
    expect(watch.status).to.equal("suspect");
  });

  it("does not believe such answers on a connection younger than reconnectGraceMs", () => {
    watch.connectedAt = watch.now - 1_000;
    watch.onAsk = () => watch.deaf();
    watch.pass(1_900);
    expect(watch.status).to.equal("suspect");
    watch.pass(200);
    expect(watch.told.at(-1)).to.equal("down silent");
  });

  it("begins anew with such answers after a sign of life", () => {
    watch.pass(300);
    watch.deaf();
    watch.hear();
    watch.pass(400);
    watch.deaf();
    expect(watch.status).to.equal("suspect");
  });

  it("ignores answers about another incarnation or about a node that is not suspect", () => {
    watch.deaf();
    watch.pass(100, ["b"]);
    watch.deaf();
    watch.pass(300);
    watch.step({ type: "noResponders", node: "b", incarnation: "0" });
    expect(watch.status).to.equal("suspect");
  });

  it("suspects nobody because its own loop was late", () => {
    for (const lateMs of [500, 3_000, 60_000]) {
      watch.now += lateMs;
      watch.tick();
      expect(watch.told).to.deep.equal([]);
      watch.pass(100);
      expect(watch.told).to.deep.equal([]);
      watch.hear();
    }
  });

  it("gives no more time than it was late: a node killed then is found as soon", () => {
    watch.hear();
    watch.now += 5_000;
    watch.hear(); // handled before the late tick
    watch.tick();
    watch.onAsk = () => watch.deaf();
    watch.pass(700);
    expect(watch.told.at(-1)).to.equal("down no_responders");
  });

  it("takes nobody down while its own connection is away for reconnectGraceMs, nor right after", () => {
    watch.hear("c");
    watch.effects.length = 0;
    watch.connectedAt = undefined;
    watch.pass(3_000);
    expect(watch.told).to.deep.equal([]);
    watch.connectedAt = watch.now;
    watch.onAsk = () => watch.deaf();
    watch.pass(1_800);
    expect(watch.told.filter((each) => each.startsWith("down"))).to.deep.equal([]);
    watch.hear();
    watch.hear("c");
    watch.pass(1_000, ["b", "c"]);
    expect(watch.told.filter((each) => each.startsWith("down"))).to.deep.equal([]);
  });

  it("takes everybody down when its own connection stays away", () => {
    watch.connectedAt = undefined;
    watch.pass(5_000 + 2_200);
    expect(watch.told.at(-1)).to.equal("down silent");
  });

  it("takes down at once who says goodbye, and believes no later word of it", () => {
    watch.step({ type: "goodbye", node: "b", incarnation: "1" });
    watch.hear();
    watch.step({ type: "goodbye", node: "b", incarnation: "1" });
    expect(watch.told).to.deep.equal(["down left"]);
    watch.hear("b", "2");
    expect(watch.told).to.deep.equal(["down left", "up"]);
  });

  it("lets the same incarnation come back from silence", () => {
    watch.pass(2_500);
    watch.hear();
    expect(watch.told.slice(-2)).to.deep.equal(["down silent", "up"]);
  });

  it("takes a repeated sign of life for what the event means, and leaves to it what means more", () => {
    const events = fc.array(
      fc.record({
        type: fc.constantFrom("heard", "heard", "goodbye", "tick"),
        node: fc.constantFrom("b", "c"),
        incarnation: fc.constantFrom("1", "2"),
        afterMs: fc.nat({ max: 900 }),
      }),
    );
    fc.assert(
      fc.property(events, (steps) => {
        const plain = new Liveness(DEFAULT_LIMITS);
        const quick = new Liveness(DEFAULT_LIMITS);
        let now = 0;
        for (const { type, node, incarnation, afterMs } of steps) {
          now += afterMs;
          const event: LivenessEvent =
            type === "tick" ? { type, connectedForMs: OLD_CONNECTION } : { type, node, incarnation };
          const done = type === "heard" && quick.heardAgain(node, incarnation, now);
          expect(done ? [] : quick.step(event, now)).to.deep.equal(plain.step(event, now));
          expect([...quick.peers()]).to.deep.equal([...plain.peers()]);
        }
      }),
    );
  });

  it("takes a newer incarnation for the end of the older, and late words of the older for nothing", () => {
    watch.hear("b", "2");
    watch.hear("b", "1");
    watch.step({ type: "goodbye", node: "b", incarnation: "1" });
    expect(watch.told).to.deep.equal(["down replaced", "up"]);
    expect(watch.liveness.get("b")?.incarnation).to.equal("2");
  });

  it("forgets who has been down for long, so that what it remembers is bounded", () => {
    watch.pass(70_000);
    expect(watch.told.at(-1)).to.equal("forgotten");
    expect([...watch.liveness.peers()]).to.deep.equal([]);
  });

  it("tells up and down in turn, and forgets only who is down, whatever comes", () => {
    const event = fc.oneof(
      fc.record({
        type: fc.constantFrom("heard" as const, "goodbye" as const, "noResponders" as const),
        node: fc.constantFrom("b", "c"),
        incarnation: fc.constantFrom("1", "2", "3"),
      }),
      fc.record({
        type: fc.constant("tick" as const),
        connectedForMs: fc.option(fc.nat(20_000), { nil: undefined }),
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.nat(1_500)), { maxLength: 80 }), (events) => {
        const liveness = new Liveness(DEFAULT_LIMITS);
        const up = new Map<string, string>();
        let now = 0;
        for (const [each, ms] of events) {
          now += ms;
          for (const effect of liveness.step(each, now)) {
            if (effect.type === "up") {
              expect(up.has(effect.node)).to.equal(false);
              up.set(effect.node, effect.incarnation);
            } else if (effect.type === "forgotten") {
              expect(up.has(effect.node)).to.equal(false);
            } else {
              expect(up.get(effect.node)).to.equal(effect.incarnation);
              if (effect.type === "down") {
                up.delete(effect.node);
              }
            }
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
