import { expect } from "chai";
import { child } from "../../lib/actor/child-spec.ts";
import { Supervisor } from "../../lib/actor/supervisor.ts";
import { CRASH, makeStage, type Stage, Tree, watch } from "../support/actor.ts";

describe("supervisor restarts", () => {
  let stage: Stage;
  let tree: Tree;

  beforeEach(() => {
    stage = makeStage();
    tree = new Tree(stage);
  });

  afterEach(() => {
    stage.system.close();
  });

  describe("restart types", () => {
    it("otp 16: permanent is restarted after every end, normal included, and each counts", async () => {
      const { process } = await tree.supervise({ intensity: 3, children: [tree.child("a")] });
      for (const reason of ["normal", "shutdown", CRASH] as const) {
        await tree.end("a", reason);
        expect(tree.pid("a")).to.be.a("string");
      }
      await tree.end("a", "normal");
      expect(process.exitReason).to.equal("shutdown");
    });

    it("otp 17: transient is restarted only after an abnormal end; cleanly ended it stays listed without pid", async () => {
      const { ref } = await tree.supervise({ children: [tree.child("a", { restart: "transient" })] });
      await tree.end("a", CRASH);
      expect(tree.pid("a")).to.be.a("string");
      for (const reason of ["normal", "shutdown", { shutdown: "done" }] as const) {
        await tree.end("a", reason);
        expect(tree.pid("a")).to.equal(undefined);
        const [row] = await ref.call({ type: "whichChildren" });
        expect(row).to.include({ id: "a", child: undefined });
        expect(await ref.call({ type: "restartChild", id: "a" })).to.have.property("status", "started");
      }
    });

    it("otp 18: temporary is never restarted and forgotten at once, so that its id can be started anew", async () => {
      const { ref } = await tree.supervise({});
      for (const reason of ["normal", CRASH] as const) {
        const spec = tree.child("t", { restart: "temporary" });
        expect(await ref.call({ type: "startChild", spec })).to.have.property("status", "started");
        await tree.end("t", reason);
        expect(await ref.call({ type: "whichChildren" })).to.deep.equal([]);
      }
    });

    it("otp 19: a sub-supervisor that gave up is a clean end for a transient parent entry, and escalates as a permanent one", async () => {
      for (const restart of ["transient", "permanent"] as const) {
        const inner = child(
          Supervisor,
          { intensity: 0, children: [tree.child("a")] },
          { name: "inner", restart },
        );
        const { process } = await tree.supervise({ children: [inner] });
        const [first] = watch(stage.system, { name: "inner" });
        expect(first).to.equal(undefined);
        await tree.end("a");
        expect(stage.system.whereis("inner") === undefined).to.equal(restart === "transient");
        expect(process.alive).to.equal(true);
        await stage.system.stop(process.pid);
      }
    });
  });

  describe("intensity", () => {
    it("otp 20: N restarts pass, the next one makes the supervisor give up", async () => {
      for (const intensity of [0, 1, 4]) {
        const { process } = await tree.supervise({ intensity, periodMs: 1_000, children: [tree.child("a")] });
        for (let n = 0; n < intensity; n++) {
          await tree.end("a");
          expect(process.alive).to.equal(true);
        }
        await tree.end("a");
        expect(process.exitReason).to.equal("shutdown");
      }
    });

    it("otp 21: monotonic milliseconds; a restart exactly as old as the period still counts, an older one does not", async () => {
      for (const [apart, survives] of [
        [1_000, false],
        [1_001, true],
      ] as const) {
        const { process } = await tree.supervise({
          intensity: 1,
          periodMs: 1_000,
          children: [tree.child("a")],
        });
        await tree.end("a");
        await stage.clock.advance(apart);
        await tree.end("a");
        expect(process.alive).to.equal(survives);
        if (survives) {
          await stage.system.stop(process.pid);
        }
      }
    });

    it("otp 22: one list for all children; a group restart counts once, every failed retry counts", async () => {
      const children = [tree.child("a"), tree.child("b")];
      const all = await tree.supervise({ strategy: "one_for_all", intensity: 2, children });
      await tree.end("a");
      await tree.end("b");
      expect(all.process.alive).to.equal(true);
      await tree.end("a");
      expect(all.process.alive).to.equal(false);
      const one = await tree.supervise({ intensity: 3, children });
      tree.failing.set("a", 2);
      await tree.end("a");
      expect(one.process.alive).to.equal(true);
      await tree.end("b");
      expect(one.process.alive).to.equal(false);
    });

    it("otp 22: starts and stops by hand and deaths that are not restarted do not count", async () => {
      const { process, ref } = await tree.supervise({ intensity: 0, children: [tree.child("a")] });
      for (let n = 0; n < 3; n++) {
        await ref.call({ type: "terminateChild", child: "a" });
        await ref.call({ type: "restartChild", id: "a" });
        await ref.call({ type: "startChild", spec: tree.child("t", { restart: "temporary" }) });
        await tree.end("t");
      }
      expect(process.alive).to.equal(true);
    });

    it("otp 23: the default is 3 restarts in 5 s, from the limits", async () => {
      const { process } = await tree.supervise({ children: [tree.child("a")] });
      for (let round = 0; round < 2; round++) {
        for (let n = 0; n < 3; n++) {
          await tree.end("a");
        }
        await stage.clock.advance(5_001);
      }
      for (let n = 0; n < 4; n++) {
        expect(process.alive).to.equal(true);
        await tree.end("a");
      }
      expect(process.alive).to.equal(false);
      const own = makeStage({ restartIntensity: 0 });
      const strict = new Tree(own);
      const { process: second } = await strict.supervise({ children: [strict.child("a")] });
      await strict.end("a");
      expect(second.alive).to.equal(false);
    });

    it("otp 24: giving up is logged, stops the others in reverse, and exits with shutdown", async () => {
      const children = ["a", "b", "c"].map((name) => tree.child(name));
      const { process } = await tree.supervise({ intensity: 0, children }, { name: "sup" });
      const downs = watch(stage.system, process.pid);
      tree.take();
      await tree.end("b");
      expect(tree.take()).to.deep.equal(["-b", "-c", "-a"]);
      expect(downs.map(({ reason }) => reason)).to.deep.equal(["shutdown"]);
      expect(
        stage.lines.filter(({ level }) => level === "error").map(({ message }) => message),
      ).to.deep.include("supervisor sup: child b gave up: reached_max_restart_intensity");
    });

    it("otp 24: the parent decides by its own rules, so allowed crashes multiply per level", async () => {
      const inner = child(Supervisor, { intensity: 1, children: [tree.child("a")] }, { name: "inner" });
      const { process } = await tree.supervise({ intensity: 1, children: [inner] });
      for (let crashes = 0; crashes < 3; crashes++) {
        await tree.end("a");
        expect(process.alive).to.equal(true);
      }
      await tree.end("a");
      expect(process.exitReason).to.equal("shutdown");
    });
  });
});
