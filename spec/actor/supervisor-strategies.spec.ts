import { expect } from "chai";
import { child } from "../../lib/actor/child-spec.ts";
import { Supervisor } from "../../lib/actor/supervisor.ts";
import { failing, gate, makeStage, type Stage, Tree } from "../support/actor.ts";

const HIGH = { intensity: 1_000, periodMs: 1_000 } as const;

describe("supervisor strategies", () => {
  let stage: Stage;
  let tree: Tree;

  beforeEach(() => {
    stage = makeStage();
    tree = new Tree(stage);
  });

  afterEach(() => {
    stage.system.close();
  });

  const abc = (): ReturnType<Tree["child"]>[] => ["a", "b", "c"].map((name) => tree.child(name));
  const pids = (): (string | undefined)[] => ["a", "b", "c"].map((name) => tree.pid(name));

  it("otp 1: one_for_one starts only the dead child again; siblings keep identity and state", async () => {
    await tree.supervise({ strategy: "one_for_one", children: abc() });
    const before = pids();
    await tree.end("b");
    const after = pids();
    expect([after[0], after[2]]).to.deep.equal([before[0], before[2]]);
    expect(after[1]).to.be.a("string").not.equal(before[1]);
    expect(tree.take()).to.deep.equal(["+a", "+b", "+c", "-b", "+b"]);
  });

  it("otp 2: one_for_all stops every other child in reverse order, then starts all; every identity is new", async () => {
    await tree.supervise({ strategy: "one_for_all", children: abc() });
    const before = pids();
    tree.take();
    await tree.end("b");
    expect(tree.take()).to.deep.equal(["-b", "-c", "-a", "+a", "+b", "+c"]);
    pids().forEach((pid, index) => {
      expect(pid).to.be.a("string").not.equal(before[index]);
    });
  });

  it("otp 3: rest_for_one takes along those started after it; earlier ones are untouched", async () => {
    await tree.supervise({ strategy: "rest_for_one", children: abc() });
    const [a] = pids();
    tree.take();
    await tree.end("b");
    expect(tree.take()).to.deep.equal(["-b", "-c", "+b", "+c"]);
    expect(tree.pid("a")).to.equal(a);
  });

  it("otp 4: starts one after the other in the order of the specs, stops one after the other in reverse", async () => {
    const gates = [gate(), gate()] as const;
    const slow = [
      tree.child("z", {}, { init: () => gates[0].promise }),
      tree.child("y", {}, { terminate: () => gates[1].promise }),
      tree.child("x"),
    ];
    const started = tree.supervise({ children: slow });
    await stage.clock.settle();
    expect(tree.take()).to.deep.equal(["+z"]);
    gates[0].open();
    const { process } = await stage.clock.run(started);
    expect(tree.take()).to.deep.equal(["+y", "+x"]);
    const stopped = stage.system.stop(process.pid, { reason: "shutdown" });
    await stage.clock.settle();
    expect(tree.take()).to.deep.equal(["-x", "-y"]);
    gates[1].open();
    await stage.clock.run(stopped);
    expect(tree.take()).to.deep.equal(["-z"]);
  });

  it("otp 5: a death that is not restarted never disturbs siblings, whatever the strategy", async () => {
    for (const strategy of ["one_for_one", "one_for_all", "rest_for_one"] as const) {
      const mortal = [tree.child("t", { restart: "temporary" }), tree.child("s", { restart: "transient" })];
      const { process } = await tree.supervise({ strategy, children: [...mortal, ...abc()] });
      tree.take();
      await tree.end("t");
      await tree.end("s", "normal");
      expect(tree.take()).to.deep.equal(["-t", "-s"]);
      await stage.system.stop(process.pid);
      tree.take();
    }
  });

  it("otp 6: a temporary sibling stopped by a group restart is gone for good, its spec forgotten", async () => {
    const { ref } = await tree.supervise({
      strategy: "one_for_all",
      children: [tree.child("a"), tree.child("t", { restart: "temporary" })],
    });
    tree.take();
    await tree.end("a");
    expect(tree.take()).to.deep.equal(["-a", "-t", "+a"]);
    expect(await ref.call({ type: "countChildren" })).to.include({ specs: 1, active: 1 });
  });

  it("otp 7: a child stopped by hand stays down until restartChild, or until a group restart", async () => {
    const { ref } = await tree.supervise({ strategy: "one_for_all", children: abc() });
    await ref.call({ type: "terminateChild", child: "a" });
    expect(tree.pid("a")).to.equal(undefined);
    expect(await ref.call({ type: "restartChild", id: "a" })).to.have.property("status", "started");
    await ref.call({ type: "terminateChild", child: "a" });
    await tree.end("c");
    expect(tree.pid("a")).to.be.a("string");
  });

  it("otp 8: a supervisor that is restarted itself has its init children only; those added later are lost", async () => {
    const inner = child(Supervisor, { children: [tree.child("a")] }, { name: "inner" });
    await tree.supervise({ children: [inner] });
    await stage.system.call({ name: "inner" }, { type: "startChild", spec: tree.child("added") });
    expect(tree.pid("added")).to.be.a("string");
    stage.system.whereis("inner")?.finish("killed");
    await stage.clock.settle();
    expect(stage.system.names().sort()).to.deep.equal(["a", "inner"]);
  });

  it("otp 9: between two attempts of a restart the supervisor serves requests; there is no delay", async () => {
    const { ref } = await tree.supervise({ ...HIGH, children: [tree.child("a"), tree.child("b")] });
    tree.failing.set("a", 500);
    const rows = ref.call({ type: "whichChildren" });
    await tree.end("a");
    await rows;
    expect(tree.did.filter((word) => word === "!a")).to.have.length(500);
    expect(tree.pid("a")).to.be.a("string");
    expect(stage.clock.now()).to.equal(0);
  });

  it("otp 9: a restarting child is listed as restarting, and terminateChild cancels its retry", async () => {
    stage = makeStage({ quantumMessages: 4, turnMessages: 16 });
    tree = new Tree(stage);
    const { ref } = await tree.supervise({
      ...HIGH,
      intensity: 20_000,
      children: [tree.child("a"), tree.child("b")],
    });
    tree.failing.set("a", Number.POSITIVE_INFINITY);
    stage.system.cast({ name: "a" }, { type: "tell", run: () => Promise.reject(new Error("x")) });
    const untilRestarting = async (): Promise<void> => {
      for (;;) {
        const found = await ref.call({ type: "whichChild", child: "a" });
        if (found.status === "ok" && found.child.child === "restarting") {
          return;
        }
      }
    };
    const cancelled = untilRestarting().then(() => ref.call({ type: "terminateChild", child: "a" }));
    expect(await stage.clock.run(cancelled)).to.deep.equal({ status: "ok" });
    const attempts = tree.did.length;
    await stage.clock.settle();
    expect(tree.did).to.have.length(attempts);
    expect(tree.pid("b")).to.be.a("string");
  });

  it("otp 10: one_for_all in which another child fails: stops those started again, then the whole group anew", async () => {
    await tree.supervise({ ...HIGH, strategy: "one_for_all", children: abc() });
    tree.take();
    tree.failing.set("b", 1);
    await tree.end("c");
    expect(tree.take()).to.deep.equal(["-c", "-b", "-a", "+a", "!b", "-a", "+a", "+b", "+c"]);
  });

  it("otp 11: rest_for_one in the same situation begins at the child that failed", async () => {
    await tree.supervise({ ...HIGH, strategy: "rest_for_one", children: abc() });
    tree.take();
    tree.failing.set("c", 1);
    await tree.end("b");
    expect(tree.take()).to.deep.equal(["-b", "-c", "+b", "!c", "+c"]);
  });

  it("two children that die at once are each dealt with", async () => {
    for (const strategy of ["one_for_one", "one_for_all", "rest_for_one"] as const) {
      const { process } = await tree.supervise({ ...HIGH, strategy, children: abc() });
      stage.system.whereis("a")?.finish("killed");
      stage.system.whereis("c")?.finish("killed");
      await stage.clock.settle();
      expect(pids().every((pid) => pid !== undefined)).to.equal(true);
      await stage.system.stop(process.pid);
    }
  });

  it("a child that dies while its group restarts is restarted after that", async () => {
    const hold = gate();
    let first = true;
    const slow = tree.child(
      "slow",
      {},
      {
        init: () => {
          const wait = first ? undefined : hold.promise;
          first = false;
          return wait;
        },
      },
    );
    await tree.supervise({ ...HIGH, strategy: "one_for_all", children: [tree.child("a"), slow] });
    const dead = failing(
      stage.system.call({ name: "slow" }, { type: "ask", run: () => Promise.reject(new Error("x")) }),
    );
    await stage.clock.settle();
    await dead;
    stage.system.whereis("a")?.finish("killed");
    hold.open();
    await stage.clock.settle();
    expect([tree.pid("a"), tree.pid("slow")]).not.to.include(undefined);
  });
});
