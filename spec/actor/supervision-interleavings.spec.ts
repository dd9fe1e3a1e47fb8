/** The supervision machine when starts and stops take their time and anything may come in between. */
import { expect } from "chai";
import fc from "fast-check";
import type { CompleteSpec, Restart, Strategy } from "../../lib/actor/child-spec.ts";
import type { Pid } from "../../lib/actor/pid.ts";
import { Supervision } from "../../lib/actor/supervision.ts";
import type { ChildKey, Effect, Event } from "../../lib/actor/supervision-types.ts";
import type { ExitReason } from "../../lib/base/reason.ts";

const BAD: ExitReason = { error: { name: "Bad", message: "bad" } };
const STRATEGIES: readonly Strategy[] = ["one_for_one", "one_for_all", "rest_for_one"];
const RESTARTS: readonly Restart[] = ["permanent", "transient", "temporary"];

function specOf(id: string, restart: Restart): CompleteSpec {
  const start = (): never => {
    throw new Error("the machine starts nobody");
  };
  const rest = {
    type: "worker",
    significant: false,
    modules: [],
    startTimeoutMs: 1,
    shutdown: 5_000,
  } as const;
  return { id, start, restart, ...rest };
}

type Slow = Extract<Effect, { type: "start" | "stop" }>;

/** Keeps starts and stops open until told to complete one. */
class SlowWorld {
  readonly machine: Supervision;
  readonly open: Slow[] = [];
  readonly running: Map<Pid, string> = new Map();
  readonly asked: Set<number> = new Set();
  readonly answered: Set<number> = new Set();
  readonly retries: ChildKey[] = [];
  exit: ExitReason | undefined;
  #serial = 0;

  constructor(strategy: Strategy, dynamic: boolean, children: readonly CompleteSpec[]) {
    const rest = { intensity: 5, periodMs: 1_000, autoShutdown: "never", maxChildren: 8 } as const;
    this.machine = new Supervision({ strategy, dynamic, ...rest });
    this.feed({ type: "init", children });
  }

  feed(event: Event): void {
    for (const effect of this.machine.step(event, 0)) {
      this.#note(effect);
    }
  }

  #note(effect: Effect): void {
    switch (effect.type) {
      case "start": {
        const underWay = this.open.filter(({ type }) => type === "start");
        expect(underWay, "one start at a time").to.have.length(0);
        expect([...this.running.values()], `${effect.spec.id} runs`).not.to.include(effect.spec.id);
        this.open.push(effect);
        break;
      }
      case "stop":
        if (effect.pid === undefined) {
          // What is asked to stop while it starts was given up on.
          this.open.splice(0, this.open.length, ...this.open.filter(({ type }) => type !== "start"));
        }
        this.open.push(effect);
        break;
      case "reply":
        expect(this.answered.has(effect.id), "one answer per request").to.equal(false);
        this.answered.add(effect.id);
        break;
      case "retry":
        this.retries.push(effect.key);
        break;
      case "exit":
        expect(this.exit, "one exit").to.equal(undefined);
        this.exit = effect.reason;
        break;
      case "ready":
      case "report":
        break;
    }
  }

  complete(n: number, fails: boolean): void {
    const [effect] = this.open.splice(n % Math.max(1, this.open.length), 1);
    if (effect?.type === "stop") {
      if (effect.pid !== undefined) {
        this.running.delete(effect.pid);
      }
      this.feed({ type: "stopped", key: effect.key, reason: "shutdown" });
    } else if (effect?.type === "start" && fails) {
      this.feed({ type: "startFailed", key: effect.key, reason: BAD });
    } else if (effect?.type === "start") {
      this.#serial += 1;
      const pid: Pid = `a/i1/${this.#serial}`;
      this.running.set(pid, effect.spec.id);
      this.feed({ type: "started", key: effect.key, pid });
    }
  }

  die(n: number): void {
    const pid = [...this.running.keys()][n % Math.max(1, this.running.size)];
    const stopping = this.open.some((effect) => effect.type === "stop" && effect.pid === pid);
    if (pid !== undefined && !stopping) {
      this.running.delete(pid);
      this.feed({ type: "exited", pid, reason: BAD });
    }
  }

  ask(id: number, n: number): void {
    this.asked.add(id);
    const target = this.machine.flags.dynamic ? ([...this.running.keys()][n % 6] ?? "a/i1/0") : `c${n % 6}`;
    const requests = [
      { type: "terminateChild", child: target },
      { type: "restartChild", id: target },
      { type: "deleteChild", id: target },
      { type: "startChild", spec: specOf(this.machine.flags.dynamic ? `d${id}` : target, "transient") },
      { type: "whichChildren" },
    ] as const;
    const request = requests[n % requests.length];
    if (request !== undefined) {
      this.feed({ type: "request", id, request });
    }
  }

  retry(): void {
    const key = this.retries.shift();
    if (key !== undefined) {
      this.feed({ type: "retry", key });
    }
  }
}

const action = fc.record({
  do: fc.constantFrom("complete", "complete", "complete", "fail", "die", "ask", "retry"),
  n: fc.nat(30),
});

const world = fc.record({
  strategy: fc.constantFrom(...STRATEGIES),
  dynamic: fc.boolean(),
  restarts: fc.array(fc.constantFrom(...RESTARTS), { maxLength: 5 }),
  actions: fc.array(action, { maxLength: 80 }),
  shutdownAt: fc.nat(80),
});

describe("supervision, with starts and stops that take their time", () => {
  it("otp 9, otp 32, otp 44: a shutdown at any moment ends it, with no child left and none started after", () => {
    fc.assert(
      fc.property(world, ({ strategy, dynamic, restarts, actions, shutdownAt }) => {
        const children = dynamic ? [] : restarts.map((restart, n) => specOf(`c${n}`, restart));
        const slow = new SlowWorld(dynamic ? "one_for_one" : strategy, dynamic, children);
        actions.forEach(({ do: what, n }, index) => {
          if (index === shutdownAt) {
            slow.feed({ type: "shutdown", reason: "shutdown" });
          }
          if (what === "complete" || what === "fail") {
            slow.complete(n, what === "fail");
          } else if (what === "die") {
            slow.die(n);
          } else if (what === "ask") {
            slow.ask(index, n);
          } else {
            slow.retry();
          }
        });
        slow.feed({ type: "shutdown", reason: "shutdown" });
        expect(slow.open.filter(({ type }) => type === "start")).to.have.length(0);
        for (let steps = 0; slow.exit === undefined && steps < 100; steps++) {
          slow.complete(0, false);
        }
        expect(slow.exit, "it exits").not.to.equal(undefined);
        expect(slow.running.size).to.equal(0);
      }),
      { numRuns: 1_000 },
    );
  });

  it("every request is answered once, unless the supervisor exits first", () => {
    fc.assert(
      fc.property(world, ({ strategy, dynamic, restarts, actions }) => {
        const children = dynamic ? [] : restarts.map((restart, n) => specOf(`c${n}`, restart));
        const slow = new SlowWorld(dynamic ? "one_for_one" : strategy, dynamic, children);
        actions.forEach(({ do: what, n }, index) => {
          if (what === "ask") {
            slow.ask(index, n);
          } else if (what === "complete" || what === "fail") {
            slow.complete(n, what === "fail");
          }
        });
        for (let steps = 0; slow.open.length > 0 && steps < 1_000; steps++) {
          slow.complete(0, false);
        }
        if (slow.exit === undefined) {
          expect(slow.answered).to.deep.equal(slow.asked);
        }
      }),
      { numRuns: 500 },
    );
  });
});
