import { expect } from "chai";
import { type ChildSpec, child } from "../../lib/actor/child-spec.ts";
import { Supervisor } from "../../lib/actor/supervisor.ts";
import {
  CRASH,
  failing,
  failureOf,
  gate,
  ignore,
  makeStage,
  never,
  Puppet,
  refuse,
  type Stage,
  start,
  startPuppet,
  stop,
  Tree,
} from "../support/actor.ts";

describe("supervisor start", () => {
  let stage: Stage;
  let tree: Tree;

  beforeEach(() => {
    stage = makeStage();
    tree = new Tree(stage);
  });

  afterEach(() => {
    stage.system.close();
  });

  it("otp 38: child N fails: the ones before are stopped in reverse and the start names it; nothing is retried", async () => {
    tree.failing.set("c", 1);
    const children = ["a", "b", "c", "d"].map((name) => tree.child(name));
    const outcome = await stage.system.start(Supervisor, { children });
    expect(outcome).to.have.nested.property("reason.shutdown.failed_to_start_child", "c");
    expect(outcome).to.have.nested.property("reason.shutdown.reason.error.message", "c fails to start");
    expect(tree.take()).to.deep.equal(["+a", "+b", "!c", "-b", "-a"]);
    expect(stage.system.processCount).to.equal(0);
  });

  it("otp 39: a failed start returns when the process is gone and its name free; no exit reaches the starter", async () => {
    const parent = await startPuppet(stage.system, { trapExit: true });
    const options = { name: "x", parent: parent.process, link: true } as const;
    const scripts = [
      { init: () => stop(CRASH) },
      { init: () => refuse(CRASH) },
      { init: ignore },
      { init: () => Promise.reject(new Error("x")) },
    ];
    for (const script of scripts) {
      await stage.system.start(Puppet, script, options);
      expect(stage.system.whereis("x")).to.equal(undefined);
      expect(stage.system.processCount).to.equal(1);
    }
    const killed = stage.system.start(Puppet, { init: () => never() }, options);
    stage.system.whereis("x")?.finish("killed");
    expect(await killed).to.deep.equal({ status: "failed", reason: "killed" });
    expect(await stage.system.start(Puppet, {}, options)).to.have.property("status", "started");
    await stage.clock.settle();
    expect(parent.self.infos).to.deep.equal([]);
  });

  it("otp 40: supervise() may answer ignore by undefined; a bad value, a throw or a hang is an error naming it", async () => {
    class Asked extends Supervisor<{ run: () => unknown }> {
      override supervise(args: { run: () => unknown }): unknown {
        return args.run();
      }
    }
    expect(await stage.system.start(Asked, { run: () => undefined })).to.deep.equal({ status: "ignored" });
    expect(await stage.system.start(Asked, { run: async () => undefined })).to.deep.equal({
      status: "ignored",
    });
    const throws = (): never => {
      throw new Error("cannot");
    };
    for (const [run, said] of [
      [() => 42, "supervise() must return"],
      [() => ({ children: 7 }), "supervise() must return"],
      [throws, "cannot"],
      [async () => throws(), "cannot"],
    ] as const) {
      expect(JSON.stringify(await stage.system.start(Asked, { run }))).to.contain(said);
    }
    const hung = Promise.resolve(stage.system.start(Asked, { run: () => never() }));
    await stage.clock.advance(30_000);
    expect(JSON.stringify(await hung)).to.contain("supervise() took longer than 30000 ms");
    expect(stage.system.processCount).to.equal(0);
  });

  it("otp 41: a static child that answers ignore counts as success: listed without pid, a temporary one dropped", async () => {
    const children = [
      tree.child("off", {}, { init: ignore }),
      tree.child("gone", { restart: "temporary" }, { init: ignore }),
      tree.child("on"),
    ];
    const { ref } = await tree.supervise({ children });
    const rows = await ref.call({ type: "whichChildren" });
    expect(rows.map(({ id, child: pid }) => [id, pid === undefined])).to.deep.equal([
      ["on", false],
      ["off", true],
    ]);
  });

  describe("start functions of one's own", () => {
    const custom = (run: () => unknown, more: Partial<ChildSpec> = {}): ChildSpec => ({
      id: "custom",
      start: () => JSON.parse("null") ?? run(),
      ...more,
    });

    it("otp 42: one that throws, rejects or returns nonsense is a failed start; startChild keeps no spec", async () => {
      const { ref } = await tree.supervise({});
      const throws = (): never => {
        throw new Error("thrown");
      };
      for (const [run, said] of [
        [throws, "thrown"],
        [async () => throws(), "thrown"],
        [() => 42, "bad_return_value"],
        [async () => ({ status: "nonsense" }), "bad_return_value"],
        [() => undefined, "bad_return_value"],
      ] as const) {
        const result = await ref.call({ type: "startChild", spec: custom(run) });
        expect(result).to.deep.include({ status: "failed", id: "custom" });
        expect(JSON.stringify(result)).to.contain(said);
        expect(await ref.call({ type: "whichChildren" })).to.deep.equal([]);
      }
    });

    it("otp 42: one that never settles is cut off after its start timeout, and the supervisor serves on", async () => {
      const { ref } = await tree.supervise({});
      const hung = ref.call({ type: "startChild", spec: custom(() => never(), { startTimeoutMs: 100 }) });
      const waiting = ref.call({ type: "countChildren" });
      await stage.clock.advance(100);
      expect(JSON.stringify(await hung)).to.contain("took longer than 100 ms");
      expect(await waiting).to.include({ specs: 0 });
      const byDefault = ref.call(
        { type: "startChild", spec: custom(() => never()) },
        { timeoutMs: Number.POSITIVE_INFINITY },
      );
      await stage.clock.advance(30_000);
      expect(JSON.stringify(await byDefault)).to.contain("took longer than 30000 ms");
    });

    it("otp 42: a process that such a function started without a link is linked, so that its death is noticed", async () => {
      const spec: ChildSpec = {
        id: "unlinked",
        start: (parent) => parent.system.start(Puppet, {}, { name: "unlinked" }),
      };
      await tree.supervise({ children: [spec] });
      const before = tree.pid("unlinked");
      await tree.end("unlinked");
      expect(tree.pid("unlinked")).to.be.a("string").not.equal(before);
    });
  });

  it("otp 43: flags and specs are checked before anything starts, each error naming the field", async () => {
    const ok = tree.child("ok");
    const bad = (spec: object): string => JSON.stringify({ children: [spec] });
    const parsed = (text: string): ChildSpec[] =>
      JSON.parse(text).children.map((each: Omit<ChildSpec, "start">) => ({ start: ok.start, ...each }));
    for (const [init, said] of [
      [{ intensity: -1 }, "intensity is -1"],
      [{ intensity: 1.5 }, "intensity is 1.5"],
      [{ periodMs: 0 }, "periodMs is 0"],
      [JSON.parse('{"strategy":"all"}'), "strategy is"],
      [JSON.parse('{"autoShutdown":"yes"}'), "autoShutdown is"],
      [{ children: [ok, ok] }, "occurs twice"],
      [{ children: parsed(bad({ id: "" })) }, "child id is"],
      [{ children: parsed(bad({ id: 7 })) }, "child id is 7"],
      [{ children: parsed(bad({ id: "x", restart: "always" })) }, "restart of child x"],
      [{ children: parsed(bad({ id: "x", shutdown: -1 })) }, "shutdown of child x"],
      [{ children: parsed(bad({ id: "x", type: "boss" })) }, "type of child x"],
      [{ children: parsed(bad({ id: "x", significant: 1 })) }, "significant of child x"],
      [{ children: parsed(bad({ id: "x", startTimeoutMs: "long" })) }, "startTimeoutMs of child x"],
      [{ children: JSON.parse('[{"id":"x"}]') }, "start of child x"],
      [{ children: JSON.parse("[null]") }, "child spec is null"],
    ] as const) {
      const outcome = await stage.system.start(Supervisor, { children: [ok], ...init });
      expect(JSON.stringify(outcome)).to.contain("config_mismatch");
      expect(JSON.stringify(outcome), said).to.contain(said);
    }
    expect(tree.did).to.deep.equal([]);
    expect(parsed(bad({ id: "x", unknown: 1 }))).to.have.length(1);
    const lenient = await start(stage.system, Supervisor, { children: parsed(bad({ id: "x", unknown: 1 })) });
    expect(lenient.process.alive).to.equal(true);
  });

  it("otp 44: start returns after init, children in order; meanwhile requests wait", async () => {
    const hold = gate();
    const { ref } = await tree.supervise({});
    const started = ref.call({
      type: "startChild",
      spec: tree.child("slow", {}, { init: () => hold.promise }),
    });
    const counted = ref.call({ type: "countChildren" });
    await stage.clock.settle();
    expect(tree.take()).to.deep.equal(["+slow"]);
    hold.open();
    expect(await stage.clock.run(started)).to.have.property("status", "started");
    expect(await counted).to.include({ active: 1 });
  });

  it("otp 44: an init that takes long does not freeze a shutdown, also of a supervisor that is still starting", async () => {
    const children = [tree.child("a"), tree.child("slow", {}, { init: () => never() }), tree.child("c")];
    const inner = child(Supervisor, { children }, { name: "inner" });
    const outer = stage.system.start(
      Supervisor,
      { children: [tree.child("first"), inner] },
      { name: "outer" },
    );
    const parent = stage.system.whereis("outer");
    await stage.clock.settle();
    expect(tree.take()).to.deep.equal(["+first", "+a", "+slow"]);
    const root = await startPuppet(stage.system);
    root.self.exit(parent?.pid ?? "a/i1/0", "kill");
    expect(await outer).to.deep.equal({ status: "failed", reason: "killed" });
    await stage.clock.settle();
    expect(tree.take().sort()).to.deep.equal(["-a", "-first"]);
    expect(stage.system.processCount).to.equal(1);
  });

  it("otp 44: a half-started sub-supervisor is stopped in order: its running children in reverse, then itself", async () => {
    const hold = gate();
    const slowEnd = tree.child("a", {}, { terminate: () => hold.promise });
    const children = [slowEnd, tree.child("b"), tree.child("slow", {}, { init: () => never() })];
    const { ref, process } = await tree.supervise({ children: [tree.child("first")] });
    void failing(ref.call({ type: "startChild", spec: child(Supervisor, { children }, { name: "inner" }) }));
    await stage.clock.settle();
    const stopped = stage.system.stop(process.pid, { reason: "shutdown" });
    await stage.clock.settle();
    expect(tree.take()).to.deep.equal(["+first", "+a", "+b", "+slow", "-b", "-a"]);
    hold.open();
    await stage.clock.run(stopped);
    expect(tree.take()).to.deep.equal(["-first"]);
    expect(stage.system.processCount).to.equal(0);
  });

  it("a supervisor has no start timeout of its own: its children have theirs", async () => {
    const init = (): Promise<void> =>
      new Promise((resolve) => {
        stage.clock.setTimer(resolve, 20_000);
      });
    const children = ["a", "b", "c"].map((name) => tree.child(name, {}, { init }));
    const outcome = Promise.resolve(stage.system.start(Supervisor, { children }));
    await stage.clock.advance(60_000);
    expect(await outcome).to.have.property("status", "started");
  });

  it("a call to a supervisor that failed to start fails with its reason", async () => {
    const children = [tree.child("slow", {}, { init: () => never() })];
    void stage.system.start(Supervisor, { children }, { name: "sup" });
    const failure = failureOf(
      stage.system.call({ name: "sup" }, { type: "countChildren" }, { timeoutMs: 60_000 }),
    );
    failure.catch(() => undefined);
    await stage.clock.advance(30_000);
    expect((await failure).code).to.equal("exit");
  });
});
