import { expect } from "chai";
import fc from "fast-check";
import type { CompleteSpec, Restart, Strategy } from "../../lib/actor/child-spec.ts";
import { countRestart, isExpectedEnd, shouldRestart } from "../../lib/actor/child-spec.ts";
import type { Pid } from "../../lib/actor/pid.ts";
import { Supervision } from "../../lib/actor/supervision.ts";
import type { Effect, Event, SupervisionFlags } from "../../lib/actor/supervision-types.ts";
import type { ExitReason } from "../../lib/base/reason.ts";

const BAD: ExitReason = { error: { name: "Bad", message: "bad" } };
const REASONS: readonly ExitReason[] = ["normal", "shutdown", { shutdown: "x" }, "killed", "noproc", BAD];
const CLEAN: readonly ExitReason[] = REASONS.slice(0, 3);
const STRATEGIES: readonly Strategy[] = ["one_for_one", "one_for_all", "rest_for_one"];
const RESTARTS: readonly Restart[] = ["permanent", "transient", "temporary"];

const FLAGS: SupervisionFlags = {
  strategy: "one_for_one",
  intensity: 3,
  periodMs: 1_000,
  autoShutdown: "never",
  dynamic: false,
  maxChildren: Number.POSITIVE_INFINITY,
};

function specOf(id: string, more: Partial<CompleteSpec> = {}): CompleteSpec {
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
  return { id, start, restart: "permanent", ...rest, ...more };
}

/** A supervisor of the mind: performs effects at once and remembers them as short words. */
class Driver {
  readonly machine: Supervision;
  readonly did: string[] = [];
  readonly replies: unknown[] = [];
  /** Ids whose next start fails. */
  readonly failing: Set<string> = new Set();
  readonly pids: Map<string, Pid> = new Map();
  readonly #names = new Map<Pid, string>();
  readonly retries: number[] = [];
  exit: ExitReason | undefined;
  nowMs = 0;
  #serial = 0;

  constructor(flags: Partial<SupervisionFlags>, children: readonly CompleteSpec[]) {
    this.machine = new Supervision({ ...FLAGS, ...flags });
    this.feed({ type: "init", children });
  }

  feed(event: Event): void {
    for (const effect of this.machine.step(event, this.nowMs)) {
      this.#perform(effect);
    }
  }

  die(id: string, reason: ExitReason = BAD): void {
    const pid = this.pids.get(id);
    expect(pid, `${id} runs`).not.to.equal(undefined);
    if (pid !== undefined) {
      this.pids.delete(id);
      this.feed({ type: "exited", pid, reason });
    }
  }

  retry(): void {
    const key = this.retries.shift();
    if (key !== undefined) {
      this.feed({ type: "retry", key });
    }
  }

  take(): string[] {
    return this.did.splice(0);
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "start":
        this.#start(effect.key, effect.spec.id);
        return;
      case "stop": {
        const id = effect.pid === undefined ? "?" : (this.#names.get(effect.pid) ?? "?");
        this.did.push(`-${id}`);
        this.pids.delete(id);
        this.feed({ type: "stopped", key: effect.key, reason: "shutdown" });
        return;
      }
      case "retry":
        this.retries.push(effect.key);
        return;
      case "reply":
        this.replies.push(effect.value);
        return;
      case "exit":
        this.exit = effect.reason;
        return;
      case "ready":
      case "report":
        return;
    }
  }

  #start(key: number, id: string): void {
    if (this.failing.delete(id)) {
      this.did.push(`!${id}`);
      this.feed({ type: "startFailed", key, reason: BAD });
      return;
    }
    expect(this.pids.has(id), `${id} is started while it runs`).to.equal(false);
    this.#serial += 1;
    const pid: Pid = `a/i1/${this.#serial}`;
    this.pids.set(id, pid);
    this.#names.set(pid, id);
    this.did.push(`+${id}`);
    this.feed({ type: "started", key, pid });
  }
}

describe("supervision, the pure machine", () => {
  describe("the matrix of strategy, restart type and exit reason", () => {
    /** What happens to [a, b, c] when b, of type `restart`, ends with `reason`. */
    function expected(strategy: Strategy, restart: Restart, reason: ExitReason): string[] {
      if (!shouldRestart(restart, reason)) {
        return [];
      }
      const taken = { one_for_one: [], one_for_all: ["c", "a"], rest_for_one: ["c"] }[strategy];
      const started = ["a", "b", "c"].filter((id) => id === "b" || taken.some((each) => each === id));
      return [...taken.map((id) => `-${id}`), ...started.map((id) => `+${id}`)];
    }

    for (const strategy of STRATEGIES) {
      for (const restart of RESTARTS) {
        it(`otp 1, otp 2, otp 3, otp 4, otp 5, otp 16, otp 17, otp 18: ${strategy}, ${restart}, every reason`, () => {
          for (const reason of REASONS) {
            const driver = new Driver({ strategy }, [specOf("a"), specOf("b", { restart }), specOf("c")]);
            expect(driver.take()).to.deep.equal(["+a", "+b", "+c"]);
            driver.die("b", reason);
            expect(driver.take(), JSON.stringify(reason)).to.deep.equal(expected(strategy, restart, reason));
            expect([...driver.machine.children()].map(({ spec }) => spec.id)).to.deep.equal(
              restart === "temporary" ? ["a", "c"] : ["a", "b", "c"],
            );
          }
        });
      }
    }
  });

  it("otp 17: the clean reasons are normal, shutdown and shutdown(term), no other", () => {
    for (const reason of REASONS) {
      expect(shouldRestart("transient", reason)).to.equal(!CLEAN.includes(reason));
      expect(shouldRestart("permanent", reason)).to.equal(true);
      expect(shouldRestart("temporary", reason)).to.equal(false);
    }
  });

  it("otp 20, otp 21: restarts older than the period are dropped; one exactly as old still counts", () => {
    const flags = { intensity: 2, periodMs: 100 };
    expect(countRestart([0, 50], 100, flags)).to.deep.equal({ allowed: false, restarts: [0, 50, 100] });
    expect(countRestart([0, 50], 101, flags)).to.deep.equal({ allowed: true, restarts: [50, 101] });
    expect(countRestart([], 0, { intensity: 0, periodMs: 100 }).allowed).to.equal(false);
  });

  it("otp 29: what needs a report at shutdown is what was neither asked for nor clean", () => {
    const polite = specOf("x", { restart: "transient" });
    expect(REASONS.filter((reason) => !isExpectedEnd(polite, reason))).to.deep.equal(["killed", BAD]);
    const brutal = specOf("x", { shutdown: "brutal_kill" });
    expect(isExpectedEnd(brutal, "killed")).to.equal(true);
    expect(isExpectedEnd(specOf("x"), "normal")).to.equal(false);
  });

  it("otp 10: one_for_all retries from the start, stopping first what was started again", () => {
    const driver = new Driver(
      { strategy: "one_for_all" },
      ["a", "b", "c"].map((id) => specOf(id)),
    );
    driver.take();
    driver.failing.add("b");
    driver.die("c");
    expect(driver.take()).to.deep.equal(["-b", "-a", "+a", "!b"]);
    driver.retry();
    expect(driver.take()).to.deep.equal(["-a", "+a", "+b", "+c"]);
  });

  it("otp 11: rest_for_one retries at the child that failed; earlier ones stay up, later ones have no pid", () => {
    const driver = new Driver(
      { strategy: "rest_for_one" },
      ["a", "b", "c", "d"].map((id) => specOf(id)),
    );
    driver.take();
    driver.failing.add("c");
    driver.die("b");
    expect(driver.take()).to.deep.equal(["-d", "-c", "+b", "!c"]);
    driver.feed({ type: "request", id: 1, request: { type: "whichChildren" } });
    expect(JSON.stringify(driver.replies.pop())).to.match(
      /"id":"d","type".*"id":"c","child":"restarting".*"id":"b","child":"a.*"id":"a","child":"a/,
    );
    driver.retry();
    expect(driver.take()).to.deep.equal(["+c", "+d"]);
  });

  it("otp 10: cancelling the retry of a group restart leaves no child waiting for one that never comes", () => {
    const driver = new Driver(
      { strategy: "one_for_all" },
      ["a", "b"].map((id) => specOf(id)),
    );
    driver.failing.add("a");
    driver.die("b");
    driver.feed({ type: "request", id: 1, request: { type: "terminateChild", child: "a" } });
    driver.retry();
    expect([...driver.machine.children()].map(({ status }) => status)).to.deep.equal(["stopped", "stopped"]);
  });

  it("otp 7: a group restart starts a child again that was stopped by hand", () => {
    const driver = new Driver(
      { strategy: "one_for_all" },
      ["a", "b"].map((id) => specOf(id)),
    );
    driver.feed({ type: "request", id: 1, request: { type: "terminateChild", child: "a" } });
    driver.take();
    driver.die("b");
    expect(driver.take()).to.deep.equal(["+a", "+b"]);
  });

  it("otp 6: a temporary sibling stopped by a group restart is forgotten", () => {
    const driver = new Driver({ strategy: "one_for_all" }, [
      specOf("a"),
      specOf("t", { restart: "temporary" }),
    ]);
    driver.take();
    driver.die("a");
    expect(driver.take()).to.deep.equal(["-t", "+a"]);
    expect([...driver.machine.children()].map(({ spec }) => spec.id)).to.deep.equal(["a"]);
  });

  it("nothing counts after the exit", () => {
    const driver = new Driver({ intensity: 0 }, [specOf("a")]);
    driver.die("a");
    expect(driver.exit).to.equal("shutdown");
    expect(driver.machine.step({ type: "shutdown", reason: "normal" }, 0)).to.deep.equal([]);
    expect(
      driver.machine.step({ type: "request", id: 1, request: { type: "startChild", spec: specOf("b") } }, 0),
    ).to.deep.equal([]);
  });

  describe("properties over random events", () => {
    const action = fc.oneof(
      fc.record({ do: fc.constant("die"), n: fc.nat(5), reason: fc.constantFrom(...REASONS) }),
      fc.record({ do: fc.constant("failNext"), n: fc.nat(5), reason: fc.constant(BAD) }),
      fc.record({ do: fc.constant("retry"), n: fc.nat(5), reason: fc.constant(BAD) }),
      fc.record({ do: fc.constant("terminate"), n: fc.nat(5), reason: fc.constant(BAD) }),
      fc.record({ do: fc.constant("restart"), n: fc.nat(5), reason: fc.constant(BAD) }),
      fc.record({ do: fc.constant("startAgain"), n: fc.nat(5), reason: fc.constant(BAD) }),
      fc.record({ do: fc.constant("wait"), n: fc.nat(600), reason: fc.constant(BAD) }),
    );
    const world = fc.record({
      strategy: fc.constantFrom(...STRATEGIES),
      intensity: fc.nat(4),
      restarts: fc.array(fc.constantFrom(...RESTARTS), { minLength: 1, maxLength: 6 }),
      actions: fc.array(action, { maxLength: 60 }),
    });

    function play(
      driver: Driver,
      actions: readonly { do: string; n: number; reason: ExitReason }[],
      after: () => void,
    ): void {
      for (const { do: what, n, reason } of actions) {
        const id = `c${n}`;
        if (what === "die" && driver.pids.has(id)) {
          driver.die(id, reason);
        } else if (what === "failNext") {
          driver.failing.add(id);
        } else if (what === "retry") {
          driver.retry();
        } else if (what === "terminate") {
          driver.feed({ type: "request", id: 1, request: { type: "terminateChild", child: id } });
        } else if (what === "restart") {
          driver.feed({ type: "request", id: 1, request: { type: "restartChild", id } });
        } else if (what === "startAgain") {
          driver.feed({ type: "request", id: 1, request: { type: "startChild", spec: specOf(id) } });
        } else if (what === "wait") {
          driver.nowMs += n;
        }
        after();
      }
    }

    it("no child is ever started while it runs, and the table agrees with the world", () => {
      fc.assert(
        fc.property(world, ({ strategy, intensity, restarts, actions }) => {
          const children = restarts.map((restart, n) => specOf(`c${n}`, { restart }));
          const driver = new Driver({ strategy, intensity }, children);
          play(driver, actions, () => {
            const listed = [...driver.machine.children()].flatMap(({ spec, pid }) =>
              pid === undefined ? [] : [[spec.id, pid]],
            );
            expect(new Map(driver.exit === undefined ? [...driver.pids] : [])).to.deep.equal(
              new Map(driver.exit === undefined ? listed.map(([id, pid]) => [id, pid]) : []),
            );
            if (driver.exit !== undefined) {
              expect(driver.pids.size).to.equal(0);
            }
          });
        }),
        { numRuns: 300 },
      );
    });

    it("within one restart stops come in reverse start order, then starts in start order", () => {
      fc.assert(
        fc.property(world, ({ strategy, restarts, actions }) => {
          const children = restarts.map((restart, n) => specOf(`c${n}`, { restart }));
          const driver = new Driver({ strategy, intensity: 1_000_000 }, children);
          driver.take();
          play(driver, actions, () => {
            const did = driver.take();
            const order = [...driver.machine.children()].map(({ spec }) => spec.id);
            const place = (word: string): number => order.indexOf(word.slice(1));
            const stops = did.filter((word) => word.startsWith("-") && place(word) >= 0).map(place);
            const starts = did.filter((word) => !word.startsWith("-")).map(place);
            expect(stops).to.deep.equal([...stops].sort((x, y) => y - x));
            expect(starts).to.deep.equal([...starts].sort((x, y) => x - y));
            expect(did.findLastIndex((word) => word.startsWith("-"))).to.be.lessThan(
              did.findIndex((word) => !word.startsWith("-")) + (starts.length === 0 ? did.length + 1 : 0),
            );
          });
        }),
        { numRuns: 300 },
      );
    });

    it("otp 20, otp 22: automatic restarts within any period never exceed the intensity; one more and it gives up", () => {
      const deaths = fc.array(fc.record({ waitMs: fc.nat(400), fails: fc.boolean() }), { maxLength: 60 });
      fc.assert(
        fc.property(deaths, fc.nat(4), (all, intensity) => {
          const driver = new Driver({ intensity, periodMs: 1_000 }, [specOf("a")]);
          const attempts: number[] = [];
          for (const { waitMs, fails } of all) {
            driver.nowMs += waitMs;
            if (fails) {
              driver.failing.add("a");
            }
            driver.take();
            if (driver.pids.has("a")) {
              driver.die("a");
            } else {
              driver.retry();
            }
            if (driver.take().length > 0) {
              attempts.push(driver.nowMs);
            }
            const recent = attempts.filter((at) => driver.nowMs - at <= 1_000);
            expect(recent.length).to.be.at.most(intensity);
            if (driver.exit !== undefined) {
              expect(recent.length).to.equal(intensity);
              return;
            }
          }
        }),
        { numRuns: 300 },
      );
    });
  });
});
