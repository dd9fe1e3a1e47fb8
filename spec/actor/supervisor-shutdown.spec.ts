import { expect } from "chai";
import { child } from "../../lib/actor/child-spec.ts";
import type { StartOutcome } from "../../lib/actor/start.ts";
import { Supervisor } from "../../lib/actor/supervisor.ts";
import type { ExitReason } from "../../lib/base/reason.ts";
import {
  CRASH,
  failing,
  gate,
  makeStage,
  never,
  type Script,
  type Stage,
  startPuppet,
  Tree,
  watch,
} from "../support/actor.ts";

const STUBBORN: Script = { terminate: () => never() };

describe("supervisor shutdown", () => {
  let stage: Stage;
  let tree: Tree;

  beforeEach(() => {
    stage = makeStage();
    tree = new Tree(stage);
  });

  afterEach(() => {
    stage.system.close();
  });

  const reports = (event: string): string[] =>
    stage.lines.map(({ message }) => message).filter((message) => message.includes(event));

  it("otp 25: a child is asked with shutdown; one that is not done in time is killed", async () => {
    const children = [
      tree.child("polite", { shutdown: 100 }),
      tree.child("stubborn", { shutdown: 100 }, STUBBORN),
    ];
    const { process } = await tree.supervise({ children });
    const ends = ["polite", "stubborn"].map((name) => watch(stage.system, { name }));
    const stopped = stage.system.stop(process.pid, { reason: "shutdown" });
    await stage.clock.advance(99);
    expect(stage.system.names()).to.deep.equal(["polite", "stubborn"]);
    await stage.clock.advance(1);
    await stopped;
    expect(ends.map(([down]) => down?.reason)).to.deep.equal(["shutdown", "killed"]);
    expect(reports("shutdown error")).to.have.length(1);
  });

  it("otp 25: a child that hangs in a callback is killed after its time; what it does later has no effect", async () => {
    const hold = gate();
    const { process } = await tree.supervise({ children: [tree.child("busy", { shutdown: 100 })] });
    const other = await startPuppet(stage.system);
    stage.system.cast(
      { name: "busy" },
      {
        type: "tell",
        run: async (self: { send: (target: string, body: string) => void }) => {
          await hold.promise;
          self.send(other.process.pid, "late");
        },
      },
    );
    await stage.clock.settle();
    const stopped = stage.system.stop(process.pid, { reason: "shutdown" });
    await stage.clock.advance(100);
    await stopped;
    hold.open();
    await stage.clock.settle();
    expect(other.self.infos).to.deep.equal([]);
    expect(stage.system.drops.fenced).to.equal(1);
  });

  it("otp 26: brutal_kill kills at once, without terminate, and shows as killed", async () => {
    const { process } = await tree.supervise({ children: [tree.child("a", { shutdown: "brutal_kill" })] });
    const [ends] = [watch(stage.system, { name: "a" })];
    tree.take();
    await stage.system.stop(process.pid, { reason: "shutdown" });
    expect(tree.take()).to.deep.equal([]);
    expect(ends.map(({ reason }) => reason)).to.deep.equal(["killed"]);
    expect(reports("shutdown error")).to.deep.equal([]);
  });

  it("otp 27: infinity waits without limit; workers have 5000 ms and supervisors infinity by default", async () => {
    const hold = gate();
    const children = [tree.child("slow", { shutdown: "infinity" }, { terminate: () => hold.promise })];
    const { process, ref } = await tree.supervise({ children });
    const specs = [child(Supervisor, {}, { id: "sub" }), tree.child("worker")];
    for (const spec of specs) {
      await ref.call({ type: "startChild", spec });
    }
    const shutdowns = specs.map(async ({ id }) => {
      const found = await ref.call({ type: "getChildSpec", child: id });
      return found.status === "ok" ? found.spec.shutdown : found.status;
    });
    expect(await Promise.all(shutdowns)).to.deep.equal(["infinity", 5_000]);
    const stopped = stage.system.stop(process.pid, { reason: "shutdown" });
    await stage.clock.advance(1_000_000);
    expect(process.status).to.equal("ending");
    hold.open();
    await stage.clock.run(stopped);
  });

  it("otp 27: limits.shutdownMs is the default of workers", async () => {
    const own = makeStage({ shutdownMs: 70 });
    const strict = new Tree(own);
    const { process } = await strict.supervise({ children: [strict.child("a", {}, STUBBORN)] });
    const stopped = own.system.stop(process.pid, { reason: "shutdown" });
    await own.clock.advance(70);
    await stopped;
  });

  it("otp 28: a child that unlinked itself cannot hang its supervisor, nor one that died unnoticed", async () => {
    const { process } = await tree.supervise({ children: ["a", "b"].map((name) => tree.child(name)) });
    for (const name of ["a", "b"]) {
      stage.system.cast(
        { name },
        {
          type: "tell",
          run: (self: { unlink: (pid: string) => void }) => self.unlink(process.pid),
        },
      );
    }
    await stage.clock.settle();
    await tree.end("b");
    expect(tree.pid("b")).to.equal(undefined);
    await stage.system.stop(process.pid, { reason: "shutdown" });
    expect(stage.system.processCount).to.equal(0);
  });

  it("otp 29: children that end by themselves meanwhile are neither restarted nor waited for", async () => {
    const children = ["a", "b", "c"].map((name) => tree.child(name));
    const { process } = await tree.supervise({ children });
    tree.take();
    stage.system.whereis("a")?.finish(CRASH);
    stage.system.whereis("b")?.finish("normal");
    await stage.system.stop(process.pid, { reason: "shutdown" });
    expect(tree.take()).to.deep.equal(["-c"]);
    expect(reports("a shutdown error: Crash: crash")).to.have.length(1);
  });

  it("otp 29: unexpected ends at shutdown are reported, clean ones only of permanent children", async () => {
    const end = (reason: ExitReason): Script => ({
      terminate: (self) => {
        self.host.finish(reason);
      },
    });
    const children = [
      tree.child("clean", { restart: "transient" }, end("normal")),
      tree.child("permanent", {}, end("normal")),
      tree.child("bad", { restart: "transient" }, end(CRASH)),
    ];
    const { process } = await tree.supervise({ children });
    await stage.system.stop(process.pid, { reason: "shutdown" });
    expect(reports("shutdown error").map((line) => line.split(" ")[4])).to.deep.equal(["bad", "permanent"]);
  });

  it("otp 30: the parent's exit, with any reason, stops children and then itself", async () => {
    for (const reason of ["normal", "shutdown", CRASH] as const) {
      const parent = await startPuppet(stage.system);
      const options = { parent: parent.process, link: true };
      const { process } = await tree.supervise({ children: [tree.child("a")] }, options);
      parent.self.exit(process.pid, reason);
      await stage.clock.settle();
      expect(process.exitReason).to.deep.equal(reason);
      expect(tree.take()).to.deep.equal(["+a", "-a"]);
    }
  });

  it("otp 30: a stranger's exit is ignored; stray infos, casts and calls are dropped, logged or refused", async () => {
    const stranger = await startPuppet(stage.system);
    const { process } = await tree.supervise({ children: [tree.child("a")] });
    stranger.self.exit(process.pid, "shutdown");
    stage.system.send(process.pid, "what");
    stage.system.cast(process.pid, { type: "what" });
    const failure = await failing(stage.system.call(process.pid, { type: "what" }));
    expect(failure.code).to.equal("invalid_message");
    await stage.clock.settle();
    expect(process.alive).to.equal(true);
    expect(tree.take()).to.deep.equal(["+a"]);
    expect(reports("stray")).to.have.length(3);
  });

  it("otp 30: a child that sends its supervisor an exit signal and lives on is not started a second time", async () => {
    const { process } = await tree.supervise({ children: [tree.child("a")] });
    const before = tree.pid("a");
    stage.system.cast(
      { name: "a" },
      {
        type: "tell",
        run: (self: { exit: (pid: string, reason: ExitReason) => void }) => self.exit(process.pid, CRASH),
      },
    );
    await stage.clock.settle();
    expect(tree.pid("a")).to.equal(before);
    expect(tree.take()).to.deep.equal(["+a"]);
  });

  it("otp 31: a supervisor killed outright falls with its children through the links, and its parent rebuilds", async () => {
    const inner = child(
      Supervisor,
      { children: ["a", "b"].map((name) => tree.child(name)) },
      { name: "inner" },
    );
    await tree.supervise({ children: [inner] });
    const before = ["a", "b"].map((name) => tree.pid(name));
    tree.take();
    stage.system.whereis("inner")?.finish("killed");
    await stage.clock.settle();
    expect(tree.take()).to.deep.equal(["-a", "-b", "+a", "+b"]);
    ["a", "b"].forEach((name, index) => {
      expect(tree.pid(name)).to.be.a("string").not.equal(before[index]);
    });
  });

  it("otp 32: a supervisor in a restart loop can be shut down; pending retries are forgotten", async () => {
    stage = makeStage({ quantumMessages: 4, turnMessages: 16 });
    tree = new Tree(stage);
    const { process } = await tree.supervise({
      intensity: 1_000,
      children: [tree.child("a"), tree.child("b")],
    });
    tree.failing.set("a", Number.POSITIVE_INFINITY);
    stage.system.whereis("a")?.finish(CRASH);
    let stopped: Promise<void> | undefined;
    stage.clock.immediate(() => {
      stopped = stage.system.stop(process.pid, { reason: "shutdown" });
    });
    await stage.clock.settle();
    await stopped;
    expect(stage.system.processCount).to.equal(0);
    expect(tree.did.filter((word) => word === "!a").length).to.be.within(1, 900);
  });

  it("otp 32: a shutdown while a restart hangs in an async init gives up on it", async () => {
    let first = true;
    const init = (): Promise<void> | undefined => {
      const wait = first ? undefined : never();
      first = false;
      return wait;
    };
    const { process } = await tree.supervise({ children: [tree.child("a", {}, { init }), tree.child("b")] });
    await tree.end("a");
    expect(stage.system.whereis("a")?.status).to.equal("starting");
    await stage.system.stop(process.pid, { reason: "shutdown" });
    expect(stage.system.processCount).to.equal(0);
  });

  it("a start function that comes up after it was given up on leaves no process behind", async () => {
    const hold = gate();
    let late: StartOutcome | undefined;
    const spec = {
      id: "late",
      start: async (): Promise<StartOutcome> => {
        await hold.promise;
        const { process } = await startPuppet(stage.system);
        late = { status: "started", process };
        return late;
      },
    };
    const stubborn = tree.child("stubborn", { shutdown: "infinity" }, STUBBORN);
    const { process, ref } = await tree.supervise({ children: [stubborn] });
    void failing(ref.call({ type: "startChild", spec }));
    await stage.clock.settle();
    process.end("shutdown");
    hold.open();
    await stage.clock.settle();
    expect(late?.status === "started" && late.process.exitReason).to.equal("killed");
    expect(process.status).to.equal("ending");
  });

  it("stopping a tree twice, and while it stops, is one end", async () => {
    const hold = gate();
    const { process } = await tree.supervise({
      children: [tree.child("a", {}, { terminate: () => hold.promise })],
    });
    const stops = [1, 2].map(() => stage.system.stop(process.pid, { reason: "shutdown" }));
    await stage.clock.settle();
    hold.open();
    await stage.clock.run(Promise.all(stops));
    expect(tree.take()).to.deep.equal(["+a", "-a"]);
  });
});
