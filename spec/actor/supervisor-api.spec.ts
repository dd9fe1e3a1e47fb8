import { expect } from "chai";
import { child } from "../../lib/actor/child-spec.ts";
import type { LocalRef } from "../../lib/actor/local-ref.ts";
import { DynamicSupervisor, Supervisor, type SupervisorProtocol } from "../../lib/actor/supervisor.ts";
import {
  CRASH,
  failureOf,
  makeStage,
  Puppet,
  type Stage,
  start,
  startPuppet,
  Tree,
} from "../support/actor.ts";

describe("supervisor API", () => {
  let stage: Stage;
  let tree: Tree;
  let ref: LocalRef<SupervisorProtocol>;

  beforeEach(async () => {
    stage = makeStage();
    tree = new Tree(stage);
    ({ ref } = await tree.supervise({ intensity: 1_000, children: [tree.child("a"), tree.child("b")] }));
  });

  afterEach(() => {
    stage.system.close();
  });

  /** Makes `a` fail to restart and asks `question` while it is restarting; then lets it come up. */
  async function whileRestarting<T>(question: () => Promise<T>): Promise<T> {
    tree.failing.set("a", 20);
    stage.system.whereis("a")?.finish(CRASH);
    return await stage.clock.run(question());
  }

  describe("startChild", () => {
    it("otp 45: started with the pid", async () => {
      const result = await ref.call({ type: "startChild", spec: tree.child("c") });
      expect(result).to.deep.equal({ status: "started", pid: tree.pid("c") });
    });

    it("otp 45: the same id running is already_started, stopped or restarting already_present", async () => {
      const again = (): Promise<unknown> => ref.call({ type: "startChild", spec: tree.child("a") });
      expect(await again()).to.deep.equal({ status: "already_started", pid: tree.pid("a") });
      expect(await whileRestarting(again)).to.deep.equal({ status: "already_present" });
      await ref.call({ type: "terminateChild", child: "a" });
      expect(await again()).to.deep.equal({ status: "already_present" });
    });

    it("otp 45: a name taken by an outsider is already_started with its pid, and no spec is kept", async () => {
      const outsider = await startPuppet(stage.system, {}, { name: "taken" });
      const result = await ref.call({ type: "startChild", spec: tree.child("taken") });
      expect(result).to.deep.equal({ status: "already_started", pid: outsider.process.pid });
      expect(await ref.call({ type: "whichChild", child: "taken" })).to.deep.equal({ status: "not_found" });
    });

    it("otp 45: other failures carry the reason and the id", async () => {
      tree.failing.set("c", 1);
      const result = await ref.call({ type: "startChild", spec: tree.child("c") });
      expect(result).to.deep.include({ status: "failed", id: "c" });
      expect(result).to.have.nested.property("reason.error.message", "c fails to start");
    });

    it("otp 45: a spec that is wrong rejects, naming the field, and hurts nothing", async () => {
      const failure = await failureOf(ref.call({ type: "startChild", spec: JSON.parse('{"id":"x"}') }));
      expect(failure.code).to.equal("config_mismatch");
      expect(failure.message).to.contain("start of child x");
      expect((await failureOf(ref.call({ type: "startChild", spec: JSON.parse("null") }))).code).to.equal(
        "config_mismatch",
      );
    });
  });

  describe("terminateChild", () => {
    it("otp 46: ok, also when stopped already or restarting; not_found for an unknown id", async () => {
      const terminate = (id: string): Promise<unknown> => ref.call({ type: "terminateChild", child: id });
      expect(await terminate("b")).to.deep.equal({ status: "ok" });
      expect(await terminate("b")).to.deep.equal({ status: "ok" });
      expect(await whileRestarting(() => terminate("a"))).to.deep.equal({ status: "ok" });
      expect(await terminate("nobody")).to.deep.equal({ status: "not_found" });
      expect(stage.system.names()).to.deep.equal([]);
    });

    it("otp 46: of a dynamic supervisor by pid only; an id, a dead and a foreign pid are refused", async () => {
      const dynamic = await start(stage.system, DynamicSupervisor, {});
      const result = await dynamic.ref.call({ type: "startChild", spec: child(Puppet, {}) });
      const pid = result.status === "started" ? result.pid : "";
      const terminate = (name: string): Promise<unknown> =>
        dynamic.ref.call({ type: "terminateChild", child: name });
      expect(await terminate("Puppet")).to.deep.equal({ status: "simple_one_for_one" });
      expect(await terminate(tree.pid("a") ?? "")).to.deep.equal({ status: "not_found" });
      expect(await terminate(pid)).to.deep.equal({ status: "ok" });
      expect(await terminate(pid)).to.deep.equal({ status: "not_found" });
      expect(tree.pid("a")).to.be.a("string");
    });
  });

  describe("restartChild and deleteChild", () => {
    it("otp 47: work on a stopped child; otherwise running, restarting or not_found", async () => {
      const both = async (id: string): Promise<unknown[]> => [
        await ref.call({ type: "restartChild", id }),
        await ref.call({ type: "deleteChild", id }),
      ];
      const twice = (status: string): object[] => [{ status }, { status }];
      expect(await both("a")).to.deep.equal(twice("running"));
      expect(await both("nobody")).to.deep.equal(twice("not_found"));
      expect(await whileRestarting(() => ref.call({ type: "deleteChild", id: "a" }))).to.deep.equal({
        status: "restarting",
      });
      await ref.call({ type: "terminateChild", child: "b" });
      expect(await ref.call({ type: "restartChild", id: "b" })).to.deep.equal({
        status: "started",
        pid: tree.pid("b"),
      });
      await ref.call({ type: "terminateChild", child: "b" });
      expect(await ref.call({ type: "deleteChild", id: "b" })).to.deep.equal({ status: "ok" });
      expect(await both("b")).to.deep.equal(twice("not_found"));
    });

    it("otp 47: a restart by hand that fails leaves the child stopped", async () => {
      await ref.call({ type: "terminateChild", child: "b" });
      tree.failing.set("b", 1);
      expect(await ref.call({ type: "restartChild", id: "b" })).to.deep.include({
        status: "failed",
        id: "b",
      });
      expect(await ref.call({ type: "restartChild", id: "b" })).to.have.property("status", "started");
    });

    it("otp 47: both are refused by dynamic supervisors", async () => {
      const dynamic = await start(stage.system, DynamicSupervisor, {});
      expect(await dynamic.ref.call({ type: "restartChild", id: "a" })).to.deep.equal({
        status: "simple_one_for_one",
      });
      expect(await dynamic.ref.call({ type: "deleteChild", id: "a" })).to.deep.equal({
        status: "simple_one_for_one",
      });
    });
  });

  it("otp 48: whichChildren lists id, pid or restarting or none, type and modules, newest started first", async () => {
    await ref.call({ type: "startChild", spec: child(Supervisor, {}, { id: "sub" }) });
    await ref.call({ type: "terminateChild", child: "b" });
    const rows = await ref.call({ type: "whichChildren" });
    expect(rows.map(({ id, type, modules }) => [id, type, modules])).to.deep.equal([
      ["sub", "supervisor", ["Supervisor"]],
      ["b", "worker", ["Puppet"]],
      ["a", "worker", ["Puppet"]],
    ]);
    expect(rows.map((row) => row.child === undefined)).to.deep.equal([false, true, false]);
  });

  it("otp 48: whichChild tells of one", async () => {
    expect(await ref.call({ type: "whichChild", child: "a" })).to.deep.equal({
      status: "ok",
      child: { id: "a", child: tree.pid("a"), type: "worker", modules: ["Puppet"], restarts: 0 },
    });
    await tree.end("a");
    expect(await ref.call({ type: "whichChild", child: "a" })).to.have.nested.property("child.restarts", 1);
  });

  it("otp 49: countChildren counts specs, active, supervisors and workers; restarting is a worker and not active", async () => {
    await ref.call({ type: "startChild", spec: child(Supervisor, {}, { id: "sub" }) });
    const count = (): Promise<unknown> => ref.call({ type: "countChildren" });
    expect(await count()).to.deep.equal({ specs: 3, active: 3, supervisors: 1, workers: 2 });
    expect(await whileRestarting(count)).to.deep.equal({ specs: 3, active: 2, supervisors: 1, workers: 2 });
    await ref.call({ type: "terminateChild", child: "b" });
    expect(await count()).to.include({ specs: 3, workers: 2 });
  });

  it("otp 50: noproc from a dead or unknown supervisor; getChildSpec has its defaults filled in", async () => {
    expect(await ref.call({ type: "getChildSpec", child: "nobody" })).to.deep.equal({ status: "not_found" });
    const found = await ref.call({ type: "getChildSpec", child: "a" });
    expect(found).to.have.property("status", "ok");
    if (found.status === "ok") {
      const { start: _start, ...spec } = found.spec;
      expect(spec).to.deep.equal({
        id: "a",
        restart: "permanent",
        shutdown: 5_000,
        type: "worker",
        significant: false,
        startTimeoutMs: 30_000,
        modules: ["Puppet"],
      });
    }
    await stage.system.stop(ref.pid);
    expect((await failureOf(ref.call({ type: "countChildren" }))).code).to.equal("noproc");
    expect((await failureOf(stage.system.call({ name: "nobody" }, { type: "countChildren" }))).code).to.equal(
      "noproc",
    );
  });
});
