import { expect } from "chai";
import {
  eventLog,
  getState,
  getStatus,
  replaceState,
  resume,
  setEventLog,
  setStatistics,
  statistics,
  suspend,
  trace,
} from "../../lib/actor/sys.ts";
import {
  failing,
  failureOf,
  makeStage,
  never,
  noReply,
  Puppet,
  type PuppetRun,
  reply,
  type Stage,
  startPuppet,
} from "../support/actor.ts";

const NOTHING = { type: "tell", run: () => undefined } as const;

describe("sys", () => {
  let stage: Stage;
  let run: PuppetRun;

  beforeEach(async () => {
    stage = makeStage();
    run = await startPuppet(stage.system, { init: () => 1 });
  });

  afterEach(() => {
    stage.system.close();
  });

  it("otp 76: reads and replaces the state, also while suspended", async () => {
    await suspend(run.process);
    expect(await getState(run.process)).to.equal(1);
    expect(await replaceState(run.process, (state) => [state, 2])).to.deep.equal([1, 2]);
    expect(await getState(run.process)).to.deep.equal([1, 2]);
  });

  it("otp 76: a replacing function that throws leaves the state, and the server lives", async () => {
    const boom = (): never => {
      throw new RangeError("no");
    };
    let thrown: unknown;
    await replaceState(run.process, boom).catch((error: unknown) => {
      thrown = error;
    });
    expect(thrown).to.be.instanceOf(RangeError);
    expect(await run.ref.call({ type: "ask" })).to.equal(1);
  });

  it("otp 76: goes ahead of messages that wait", async () => {
    run.ref.cast({
      type: "tell",
      run: (self) => {
        self.state = "changed";
      },
    });
    run.process.suspend();
    expect(await getState(run.process)).to.equal(1);
  });

  it("otp 76: answers noproc for the dead, timeout when a callback hangs, calling_self from inside", async () => {
    const dead = await startPuppet(stage.system);
    dead.process.finish("normal");
    expect((await failureOf(getState(dead.process))).code).to.equal("noproc");
    const codes = run.ref.call({
      type: "ask",
      run: (self) => failing(getState(self.host)).then(({ code }) => reply(code)),
    });
    expect(await stage.clock.run(codes)).to.equal("calling_self");
    run.ref.cast({ type: "tell", run: () => never() });
    await stage.clock.settle();
    const late = failing(getState(run.process, 100));
    const ended = failing(getState(run.process));
    await stage.clock.advance(100);
    expect((await late).code).to.equal("timeout");
    run.process.finish("killed");
    expect((await ended).code).to.equal("noproc");
  });

  it("otp 77: suspend holds back user messages, so that calls time out; resume goes on with the queue", async () => {
    await suspend(run.process);
    await suspend(run.process);
    const order: number[] = [];
    for (const n of [1, 2]) {
      run.ref.cast({ type: "tell", run: () => void order.push(n) });
    }
    const failure = failing(run.ref.call({ type: "ask" }, { timeoutMs: 100 }));
    await stage.clock.advance(100);
    expect((await failure).code).to.equal("timeout");
    expect(order).to.deep.equal([]);
    await resume(run.process);
    await resume(run.process);
    await stage.clock.settle();
    expect(order).to.deep.equal([1, 2]);
  });

  it("otp 77: a suspended process can be stopped and killed", async () => {
    await suspend(run.process);
    await stage.system.stop(run.process.pid);
    expect(run.process.exitReason).to.equal("normal");
  });

  it("otp 77: a continue waits as well while the process is suspended", async () => {
    const terms: unknown[] = [];
    const held = await startPuppet(stage.system, { continue: (_self, term) => void terms.push(term) });
    held.ref.cast({
      type: "tell",
      run: (self) => {
        self.host.suspend();
        return noReply().continue("later");
      },
    });
    await stage.clock.settle();
    expect(terms).to.deep.equal([]);
    await resume(held.process);
    await stage.clock.settle();
    expect(terms).to.deep.equal(["later"]);
  });

  it("otp 77: statistics count from when they are switched on, and cost nothing when off", async () => {
    const untrace = trace(run.process, () => undefined);
    run.ref.cast(NOTHING);
    await stage.clock.advance(5);
    setStatistics(run.process, true);
    setStatistics(run.process, true);
    run.ref.cast(NOTHING);
    await stage.clock.settle();
    expect(statistics(run.process)).to.deep.equal({ startedAtMs: 5, messagesIn: 1 });
    setStatistics(run.process, false);
    untrace();
    expect(statistics(run.process)).to.equal(undefined);
    expect(run.process.debug).to.equal(null);
  });

  it("otp 77: the event log keeps the last messages, bounded", async () => {
    setEventLog(run.process, 2);
    const messages = [0, 1, 2].map((n) => ({ ...NOTHING, n }));
    for (const message of messages) {
      run.ref.cast(message);
    }
    await stage.clock.settle();
    expect(eventLog(run.process)).to.deep.equal(messages.slice(1));
    setEventLog(run.process, 0);
    expect(eventLog(run.process)).to.deep.equal([]);
    expect(() => setEventLog(run.process, -1)).to.throw("bound is -1");
  });

  it("otp 77: a trace hook sees each message first; one that throws is taken out and hurts nobody", async () => {
    const seen: object[] = [];
    const untrace = trace(run.process, (message) => seen.push(message));
    trace(run.process, () => {
      throw new Error("bad hook");
    });
    run.ref.cast(NOTHING);
    run.ref.cast(NOTHING);
    await stage.clock.settle();
    untrace();
    run.ref.cast(NOTHING);
    await stage.clock.settle();
    expect(seen).to.have.length(2);
    expect(stage.lines.filter(({ message }) => message.includes("trace hook"))).to.have.length(1);
    expect(run.process.alive).to.equal(true);
  });

  it("otp 77: formatState redacts what introspection shows", async () => {
    class Secretive extends Puppet {
      override formatState(): unknown {
        return "***";
      }
    }
    const outcome = await stage.system.start(Secretive, { init: () => "password" });
    if (outcome.status !== "started") {
      throw new Error("did not start");
    }
    expect(await getStatus(outcome.process)).to.equal("***");
    expect(await getState(outcome.process)).to.equal("password");
  });
});
