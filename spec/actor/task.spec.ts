import { expect } from "chai";
import { child } from "../../lib/actor/child-spec.ts";
import { Supervisor } from "../../lib/actor/supervisor.ts";
import { Task, TaskActor, type TaskContext, taskChild } from "../../lib/actor/task.ts";
import { formatReason } from "../../lib/base/reason.ts";
import { codeOf, Rig } from "./rig.ts";

describe("Task", () => {
  let rig: Rig;

  beforeEach(() => {
    rig = new Rig();
  });

  afterEach(() => {
    rig.system.close();
  });

  /** A function that ends when told to. */
  function gate<T>(): { readonly wait: () => Promise<T>; open(value: T): void; fail(error: Error): void } {
    let open: (value: T) => void = () => undefined;
    let fail: (error: Error) => void = () => undefined;
    const promise = new Promise<T>((resolve, reject) => {
      open = resolve;
      fail = reject;
    });
    return { wait: () => promise, open, fail };
  }

  const boom = (): never => {
    throw new RangeError("boom");
  };

  describe("async and await", () => {
    it("otp 85: the owner gets the value of a function that ran in a process of its own", async () => {
      const { process, run } = await rig.runner();
      const seen: TaskContext[] = [];
      const value = await run(async (self) => {
        const task = Task.async(self, async (context) => {
          seen.push(context);
          return 42;
        });
        expect(task.owner).to.equal(process.pid);
        expect(self.ties.links.has(task.pid)).to.equal(true);
        return task.await();
      });
      expect(value).to.equal(42);
      expect(seen[0]?.pid).to.be.a("string").and.not.equal(process.pid);
      await rig.clock.settle();
      expect(rig.system.processCount).to.equal(1);
      expect(process.alive).to.equal(true);
      expect(process.existingTies?.links.size).to.equal(0);
    });

    it("otp 85: a task that fails ends its owner with the same reason", async () => {
      const { process, run } = await rig.runner();
      const call = run((self) => Task.async(self, boom).await()).catch(codeOf);
      expect(await call).to.equal("exit");
      expect(formatReason(process.exitReason ?? "normal")).to.equal("RangeError: boom");
    });

    it("otp 85: an owner that traps exits and does not catch the failure ends with the same reason", async () => {
      const { process, run } = await rig.runner({ trapExit: true });
      expect(await run((self) => Task.async(self, boom).await()).catch(codeOf)).to.equal("exit");
      expect(formatReason(process.exitReason ?? "normal")).to.equal("RangeError: boom");
    });

    it("otp 85: an owner that traps exits can catch it", async () => {
      const { process, run } = await rig.runner({ trapExit: true });
      const caught = await run((self) => Task.async(self, boom).await().catch(codeOf));
      await rig.clock.settle();
      expect(caught).to.equal("exit");
      expect(process.alive).to.equal(true);
      expect(process.behaviour.state).to.deep.equal(["exit RangeError: boom"]);
    });

    it("otp 85: the task ends with its owner, its signal fires and its result has no effect", async () => {
      const { process, run } = await rig.runner();
      const slow = gate<number>();
      const reasons: unknown[] = [];
      const task = await run((self) =>
        Task.async(self, async ({ signal }) => {
          signal.addEventListener("abort", () => reasons.push(signal.reason));
          return slow.wait();
        }),
      );
      await rig.clock.settle();
      process.finish("killed");
      slow.open(1);
      await rig.clock.settle();
      expect(reasons).to.deep.equal(["killed"]);
      expect(rig.system.processCount).to.equal(0);
      expect(await task.yield(0)).to.deep.equal({ status: "exit", reason: "killed" });
    });

    it("otp 85: only the owner may await", async () => {
      const { run } = await rig.runner();
      const stranger = await rig.runner();
      const task = await run((self) => Task.async(self, () => 1));
      const used = async (use: (task: Task<unknown>) => unknown): Promise<unknown> =>
        stranger.run(async () => {
          try {
            return await use(task);
          } catch (thrown) {
            return codeOf(thrown);
          }
        });
      expect(await used((each) => each.await())).to.equal("forbidden");
      expect(await used((each) => each.yield())).to.equal("forbidden");
      expect(await used((each) => each.shutdown())).to.equal("forbidden");
      expect(await used((each) => each.ignore())).to.equal("forbidden");
      expect(await run(() => task.await())).to.equal(1);
    });

    it("otp 85: await that takes too long fails the awaiter, and the task with it", async () => {
      const { process, run } = await rig.runner();
      const call = run((self) => Task.async(self, gate().wait).await({ timeoutMs: 100 })).catch(codeOf);
      await rig.clock.advance(99);
      expect(process.alive).to.equal(true);
      await rig.clock.advance(1);
      expect(await call).to.equal("exit");
      expect(formatReason(process.exitReason ?? "normal")).to.match(/took longer than 100 ms/);
      expect(rig.system.processCount).to.equal(0);
    });

    it("otp 85: after a timeout the late result vanishes", async () => {
      const { process, run } = await rig.runner();
      const slow = gate<number>();
      const answers = run(async (self) => {
        const task = Task.async(self, slow.wait);
        const first = await task.await({ timeoutMs: 100 }).catch(codeOf);
        slow.open(7);
        return [first, await task.await({ timeoutMs: 100 }).catch(codeOf)];
      });
      expect(await rig.clock.run(answers)).to.deep.equal(["timeout", "noproc"]);
      await rig.clock.settle();
      expect(process.alive).to.equal(true);
      expect(process.behaviour.state).to.deep.equal([]);
    });

    it("otp 85: await waits 5000 ms unless told otherwise", async () => {
      const { run } = await rig.runner();
      const settled: string[] = [];
      const call = run(async (self) => {
        settled.push(await Task.async(self, gate<string>().wait).await().catch(codeOf));
      });
      await rig.clock.advance(4_999);
      expect(settled).to.deep.equal([]);
      await rig.clock.advance(1);
      expect(settled).to.deep.equal(["timeout"]);
      await call;
    });

    it("a fenced process starts no task", async () => {
      const { process } = await rig.runner();
      process.finish("killed");
      let ran = false;
      const start = (): unknown =>
        Task.async(process, () => {
          ran = true;
        });
      expect(start).to.throw("starts no task");
      await rig.clock.settle();
      expect(ran).to.equal(false);
    });
  });

  describe("yield", () => {
    it("otp 86: returns nothing when time is up, leaves the task running, and can be asked again", async () => {
      const { run } = await rig.runner();
      const slow = gate<string>();
      const answers = run(async (self) => {
        const task = Task.async(self, slow.wait);
        const early = await task.yield(100);
        slow.open("late");
        return [early, await task.yield(100), await task.await()];
      });
      expect(await rig.clock.run(answers)).to.deep.equal([
        undefined,
        { status: "ok", value: "late" },
        "late",
      ]);
    });

    it("otp 86: reports a failure instead of passing it on", async () => {
      const { process, run } = await rig.runner({ trapExit: true });
      const outcome = await run((self) => Task.async(self, boom).yield());
      expect(outcome).to.have.property("status", "exit");
      expect(outcome).to.have.nested.property("reason.error.message", "boom");
      expect(process.alive).to.equal(true);
    });
  });

  describe("shutdown", () => {
    it("otp 86: returns a value that is there already", async () => {
      const { run } = await rig.runner();
      const outcome = await run(async (self) => {
        const task = Task.async(self, () => 5);
        await task.yield();
        return task.shutdown("brutal_kill");
      });
      expect(outcome).to.deep.equal({ status: "ok", value: 5 });
    });

    it("otp 86: stops a running task, reports shutdown, and leaves the owner alone", async () => {
      const { process, run } = await rig.runner();
      const aborted: unknown[] = [];
      const outcome = await run((self) => {
        const task = Task.async(self, ({ signal }) => {
          signal.addEventListener("abort", () => aborted.push(signal.reason));
          return gate().wait();
        });
        return rig.clock.settle().then(() => task.shutdown());
      });
      expect(outcome).to.deep.equal({ status: "exit", reason: "shutdown" });
      expect(aborted).to.deep.equal(["shutdown"]);
      await rig.clock.settle();
      expect(process.alive).to.equal(true);
      expect(rig.system.processCount).to.equal(1);
    });

    it("otp 86: brutal_kill kills, and a task that failed before says why", async () => {
      const { process, run } = await rig.runner({ trapExit: true });
      const outcomes = await run(async (self) => {
        const killed = await Task.async(self, gate().wait).shutdown("brutal_kill");
        const failed = Task.async(self, boom);
        await failed.yield();
        return [killed, (await failed.shutdown()).status];
      });
      expect(outcomes).to.deep.equal([{ status: "exit", reason: "killed" }, "exit"]);
      expect(process.alive).to.equal(true);
    });

    it("otp 86: a task that traps exits is killed when its time to end is over", async () => {
      const { process, run } = await rig.runner();
      const outcome = run((self) => {
        const task = Task.async(self, (context) => {
          context.process.trapExit = true;
          return gate().wait();
        });
        return rig.clock.settle().then(() => task.shutdown(50));
      });
      expect(await rig.clock.run(outcome)).to.deep.equal({ status: "exit", reason: "killed" });
      expect(rig.clock.now()).to.equal(50);
      expect(process.alive).to.equal(true);
    });
  });

  describe("ignore", () => {
    it("otp 86: lets the task go on, unlinked, and drops what comes of it", async () => {
      const { process, run } = await rig.runner();
      const slow = gate<number>();
      const answers = await run(async (self) => {
        const task = Task.async(self, slow.wait);
        await rig.clock.settle();
        return [task.ignore(), await task.yield(0).catch(codeOf)];
      });
      expect(answers).to.deep.equal([undefined, "noproc"]);
      expect(rig.system.processCount).to.equal(2);
      slow.fail(new Error("too late"));
      await rig.clock.settle();
      expect(rig.system.processCount).to.equal(1);
      expect(process.alive).to.equal(true);
    });

    it("otp 86: returns how the task ended when it has ended", async () => {
      const { run } = await rig.runner();
      const outcome = await run(async (self) => {
        const task = Task.async(self, () => 1);
        await task.yield();
        return task.ignore();
      });
      expect(outcome).to.deep.equal({ status: "ok", value: 1 });
    });
  });

  it("otp 87: the chain of callers is recorded, nearest first", async () => {
    const { process, run } = await rig.runner();
    const chain = await run((self) =>
      Task.async(self, (outer) =>
        Task.async(outer.process, ({ callers }) => ({ inner: callers, outer })).await(),
      ).await(),
    );
    expect(chain.outer.callers).to.deep.equal([process.pid]);
    expect(chain.inner).to.deep.equal([chain.outer.pid, process.pid]);
  });

  it("a task can be the child of any supervisor, and runs anew when it is restarted", async () => {
    let runs = 0;
    const run = (): void => {
      runs += 1;
      if (runs < 3) {
        throw new Error(`run ${runs}`);
      }
    };
    await rig.start(Supervisor, { children: [taskChild(run, { id: "warm-up", restart: "transient" })] });
    await rig.clock.settle();
    expect(runs).to.equal(3);
    expect(child(TaskActor, { run: () => undefined, callers: [] }).modules).to.deep.equal(["TaskActor"]);
  });
});
