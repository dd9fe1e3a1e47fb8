import { expect } from "chai";
import { type AutoShutdown, child, type Restart } from "../../lib/actor/child-spec.ts";
import type { Process } from "../../lib/actor/process.ts";
import { DynamicSupervisor, Supervisor } from "../../lib/actor/supervisor.ts";
import { CRASH, failureOf, makeStage, type Stage, Tree } from "../support/actor.ts";

describe("supervisor auto-shutdown", () => {
  let stage: Stage;
  let tree: Tree;

  beforeEach(() => {
    stage = makeStage();
    tree = new Tree(stage);
  });

  afterEach(() => {
    stage.system.close();
  });

  /** Two significant children of type `restart` and a plain one. */
  async function workUnit(autoShutdown: AutoShutdown, restart: Restart = "temporary"): Promise<Process> {
    const significant = { restart, significant: true };
    const children = [tree.child("s1", significant), tree.child("s2", significant), tree.child("plain")];
    const { process } = await tree.supervise({ autoShutdown, children }, { name: "unit" });
    tree.take();
    return process;
  }

  it("otp 33: the default is never, and then significant children are refused, at init and later", async () => {
    const spec = tree.child("s", { restart: "temporary", significant: true });
    expect(JSON.stringify(await stage.system.start(Supervisor, { children: [spec] }))).to.contain(
      "significant of child s",
    );
    const { ref, process } = await tree.supervise({});
    const failure = await failureOf(ref.call({ type: "startChild", spec }));
    expect([failure.code, failure.message.includes("significant of child s")]).to.deep.equal([
      "config_mismatch",
      true,
    ]);
    expect(process.alive).to.equal(true);
  });

  it("otp 34: any_significant: the first that ends by itself, not restarted, stops the others; exit shutdown", async () => {
    for (const [restart, reason] of [
      ["temporary", CRASH],
      ["temporary", "normal"],
      ["transient", "normal"],
    ] as const) {
      const unit = await workUnit("any_significant", restart);
      await tree.end("s1", reason);
      expect(unit.exitReason).to.equal("shutdown");
      expect(tree.take()).to.deep.equal(["-s1", "-plain", "-s2"]);
    }
  });

  it("otp 35: all_significant: only when the last running one has ended", async () => {
    const unit = await workUnit("all_significant");
    await tree.end("s1");
    expect(unit.alive).to.equal(true);
    await tree.end("s2");
    expect(unit.exitReason).to.equal("shutdown");
  });

  it("otp 36: not by terminateChild, nor by a crash that is restarted, nor by a child that is not significant", async () => {
    for (const autoShutdown of ["any_significant", "all_significant"] as const) {
      const unit = await workUnit(autoShutdown, "transient");
      await tree.end("s1", CRASH);
      await tree.end("plain", "normal");
      await stage.system.call({ name: "unit" }, { type: "terminateChild", child: "s1" });
      await stage.system.call({ name: "unit" }, { type: "terminateChild", child: "s2" });
      expect(unit.alive).to.equal(true);
      await stage.system.stop(unit.pid);
    }
  });

  it("otp 36: not by a stop that a sibling induced", async () => {
    const children = [tree.child("s", { restart: "temporary", significant: true }), tree.child("a")];
    const { process } = await tree.supervise({
      autoShutdown: "any_significant",
      strategy: "one_for_all",
      children,
    });
    await tree.end("a");
    expect(tree.take()).to.deep.equal(["+s", "+a", "-a", "-s", "+a"]);
    expect(process.alive).to.equal(true);
  });

  it("otp 37: significant and permanent is refused; dynamic supervisors take no auto-shutdown", async () => {
    const spec = tree.child("s", { significant: true });
    const outcome = await stage.system.start(Supervisor, {
      autoShutdown: "any_significant",
      children: [spec],
    });
    expect(JSON.stringify(outcome)).to.contain("permanent child never ends for good");
    const dynamic = await stage.system.start(
      DynamicSupervisor,
      JSON.parse('{"autoShutdown":"any_significant"}'),
    );
    expect(JSON.stringify(dynamic)).to.contain("autoShutdown");
  });

  it("otp 37: the exit cascades through significant sub-supervisors and stops at one that is not", async () => {
    for (const significant of [true, false]) {
      const leaf = tree.child("leaf", { restart: "temporary", significant: true });
      const middle = { autoShutdown: "any_significant", children: [leaf] } as const;
      const inner = child(Supervisor, middle, { id: "inner", restart: "transient", significant });
      const { process } = await tree.supervise({ autoShutdown: "any_significant", children: [inner] });
      await tree.end("leaf");
      expect(process.alive).to.equal(!significant);
      expect(tree.pid("leaf")).to.equal(undefined);
    }
  });
});
