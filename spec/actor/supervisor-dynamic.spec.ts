import { expect } from "chai";
import { type ChildSpec, child } from "../../lib/actor/child-spec.ts";
import type { LocalRef } from "../../lib/actor/local-ref.ts";
import type { Pid } from "../../lib/actor/pid.ts";
import { DynamicSupervisor, type SupervisorProtocol } from "../../lib/actor/supervisor.ts";
import {
  CRASH,
  failureOf,
  ignore,
  makeStage,
  never,
  Puppet,
  puppetOf,
  type Script,
  type Stage,
  start,
} from "../support/actor.ts";

function worker(script: Script = {}, options: Partial<Omit<ChildSpec, "id" | "start">> = {}): ChildSpec {
  return { ...child(Puppet, script), ...options };
}

describe("dynamic supervisor", () => {
  let stage: Stage;
  let ref: LocalRef<SupervisorProtocol>;

  beforeEach(async () => {
    stage = makeStage();
    ({ ref } = await start(stage.system, DynamicSupervisor, { intensity: 100 }));
  });

  afterEach(() => {
    stage.system.close();
  });

  async function startWorker(script: Script = {}, options: Parameters<typeof worker>[1] = {}): Promise<Pid> {
    const result = await ref.call({ type: "startChild", spec: worker(script, options) });
    if (result.status !== "started") {
      throw new Error(`did not start: ${JSON.stringify(result)}`);
    }
    return result.pid;
  }

  const crash = async (pid: Pid): Promise<void> => {
    stage.system.processAt(pid)?.finish(CRASH);
    await stage.clock.settle();
  };

  it("otp 12: any spec per start; children have no id and are addressed by pid", async () => {
    const [first, second] = [await startWorker({ init: () => 1 }), await startWorker({ init: () => 2 })];
    expect(await ref.call({ type: "whichChildren" })).to.deep.equal([
      { id: undefined, child: second, type: "worker", modules: ["Puppet"], restarts: 0 },
      { id: undefined, child: first, type: "worker", modules: ["Puppet"], restarts: 0 },
    ]);
    expect(await ref.call({ type: "terminateChild", child: first })).to.deep.equal({ status: "ok" });
    expect(await ref.call({ type: "countChildren" })).to.include({ specs: 1 });
  });

  it("otp 12: with a template a child is started from its args, and a restart repeats its own", async () => {
    const template = (args: unknown): ChildSpec => child(Puppet, { init: () => args });
    const made = await start(stage.system, DynamicSupervisor, { template });
    for (const args of ["x", "y"]) {
      expect(await made.ref.call({ type: "startFromTemplate", args })).to.have.property("status", "started");
    }
    const states = async (): Promise<unknown[]> =>
      (await made.ref.call({ type: "whichChildren" })).map(({ child: pid }) =>
        pid === undefined || pid === "restarting" ? pid : puppetOf(stage.system.processAt(pid)).state,
      );
    expect(await states()).to.deep.equal(["y", "x"]);
    const [, row] = await made.ref.call({ type: "whichChildren" });
    expect(row?.child).to.be.a("string");
    stage.system.processAt(row?.child === "restarting" ? "a/i1/0" : (row?.child ?? "a/i1/0"))?.finish(CRASH);
    await stage.clock.settle();
    expect(await states()).to.deep.equal(["y", "x"]);
  });

  it("otp 12: startFromTemplate needs a template, and a template that fails is an error, not a crash", async () => {
    expect((await failureOf(ref.call({ type: "startFromTemplate", args: 1 }))).message).to.contain(
      "no template",
    );
    const template = (): never => {
      throw new Error("cannot make a spec");
    };
    const made = await start(stage.system, DynamicSupervisor, { template });
    const failure = await failureOf(made.ref.call({ type: "startFromTemplate", args: 1 }));
    expect(failure.message).to.contain("cannot make a spec");
    expect(made.process.alive).to.equal(true);
  });

  it("otp 13: ignore at start stores nothing; ignore at restart drops the child silently", async () => {
    expect(await ref.call({ type: "startChild", spec: worker({ init: ignore }) })).to.deep.equal({
      status: "ignored",
    });
    let starts = 0;
    const pid = await startWorker({
      init: () => {
        starts += 1;
        return starts === 1 ? "up" : ignore();
      },
    });
    await crash(pid);
    expect(starts).to.equal(2);
    expect(await ref.call({ type: "countChildren" })).to.deep.equal({
      specs: 0,
      active: 0,
      supervisors: 0,
      workers: 0,
    });
    expect(stage.system.processAt(ref.pid)).not.to.equal(undefined);
  });

  it("otp 14: children are stopped in parallel under one deadline each, not one after the other", async () => {
    const stubborn: Script = { trapExit: true, terminate: () => never() };
    for (let n = 0; n < 10; n++) {
      await startWorker(stubborn, { shutdown: 1_000 });
    }
    const stopped = stage.system.stop(ref.pid, { reason: "shutdown" });
    await stage.clock.advance(999);
    expect(stage.system.processCount).to.equal(11);
    await stage.clock.advance(1);
    await stopped;
    expect(stage.system.processCount).to.equal(0);
  });

  it("otp 14: 20,000 children are started and stopped quickly", async () => {
    const large = makeStage({ mailboxMessages: 100_000 });
    const { ref: many } = await start(large.system, DynamicSupervisor, {});
    const before = performance.now();
    const results = Array.from({ length: 20_000 }, () => many.call({ type: "startChild", spec: worker() }));
    await large.clock.settle();
    await Promise.all(results);
    expect(large.system.processCount).to.equal(20_001);
    await large.system.stop(many.pid, { reason: "shutdown" });
    expect(large.system.processCount).to.equal(0);
    expect(performance.now() - before).to.be.lessThan(5_000);
  });

  it("otp 15: a temporary child's spec goes with it", async () => {
    const pid = await startWorker({}, { restart: "temporary" });
    await crash(pid);
    expect(await ref.call({ type: "countChildren" })).to.include({ specs: 0 });
    expect(await ref.call({ type: "getChildSpec", child: pid })).to.deep.equal({ status: "not_found" });
  });

  it("otp 15: maxChildren refuses more, and children that are being restarted count", async () => {
    stage = makeStage({ quantumMessages: 4, turnMessages: 16 });
    const small = await start(stage.system, DynamicSupervisor, { maxChildren: 1, intensity: 1_000 });
    let fails = false;
    const init = (): void => {
      if (fails) {
        throw new Error("not now");
      }
    };
    const spec = worker({ init });
    const first = await small.ref.call({ type: "startChild", spec });
    expect(await small.ref.call({ type: "startChild", spec })).to.deep.equal({ status: "max_children" });
    fails = true;
    stage.system.processAt(first.status === "started" ? first.pid : "a/i1/0")?.finish(CRASH);
    const refused = small.ref.call({ type: "startChild", spec: worker() });
    refused.finally(() => {
      fails = false;
    });
    expect(await stage.clock.run(refused)).to.deep.equal({ status: "max_children" });
    expect(await small.ref.call({ type: "countChildren" })).to.include({ specs: 1 });
  });

  it("otp 15: a maxChildren that makes no sense fails the start", async () => {
    const outcome = await stage.system.start(DynamicSupervisor, { maxChildren: Number.NaN });
    expect(JSON.stringify(outcome)).to.contain("maxChildren is NaN");
  });
});
