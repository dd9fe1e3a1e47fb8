import { expect } from "chai";
import type { Process } from "../../lib/actor/process.ts";
import type { Awaitable } from "../../lib/actor/result.ts";
import { Supervisor } from "../../lib/actor/supervisor.ts";
import type { TaskOutcome } from "../../lib/actor/task.ts";
import { type StartTaskOptions, TaskSupervisor, Tasks } from "../../lib/actor/task-supervisor.ts";
import { formatReason } from "../../lib/base/reason.ts";
import { codeOf, Rig } from "./rig.ts";

const SUPERVISOR = { name: "tasks" };
const never = (): Promise<never> => new Promise(() => undefined);
const boom = (): never => {
  throw new RangeError("boom");
};

describe("TaskSupervisor", () => {
  let rig: Rig;
  /** The client of a program outside any process. */
  let tasks: Tasks;
  let supervisor: Process;

  beforeEach(async () => {
    rig = new Rig();
    supervisor = (await rig.start(TaskSupervisor, { maxChildren: 4 }, SUPERVISOR)).process;
    tasks = new Tasks(rig.system, SUPERVISOR);
  });

  afterEach(() => {
    rig.system.close();
  });

  async function owner() {
    const { process, run } = await rig.runner();
    return {
      process,
      run: <T>(body: (own: Tasks) => Awaitable<T>): Promise<T> =>
        run((self) => body(new Tasks(self, SUPERVISOR))),
    };
  }

  describe("from outside any process", () => {
    it("otp 87: runs functions under the supervisor", async () => {
      const task = await tasks.async(({ process, callers }) => [process.parent === supervisor, callers]);
      expect(task.owner).to.equal(undefined);
      expect(await task.await()).to.deep.equal([true, []]);
      await rig.clock.settle();
      expect(await tasks.children()).to.deep.equal([]);
    });

    it("otp 87: a failure rejects await and hurts neither supervisor nor other tasks", async () => {
      const other = await tasks.async(never);
      const task = await tasks.async(boom);
      expect(await task.await().catch(codeOf)).to.equal("exit");
      await rig.clock.settle();
      expect(supervisor.alive).to.equal(true);
      expect(await tasks.children()).to.deep.equal([other.pid]);
    });

    it("otp 87: without a supervisor there, or with something else there, it says so", async () => {
      await rig.start(Supervisor, { children: [] }, { name: "plain" });
      const startAt = (name: string, node?: string): Promise<unknown> =>
        new Tasks(rig.system, node === undefined ? { name } : { name, node }).startChild(never).catch(codeOf);
      expect(await startAt("nobody")).to.equal("noproc");
      expect(await startAt("plain")).to.equal("invalid_message");
      expect(await startAt("tasks", "b")).to.equal("invalid_message");
    });
  });

  describe("async", () => {
    it("otp 87: async links the task to its owner, so its failure is the owner's", async () => {
      const { process, run } = await owner();
      const call = run(async (own) => (await own.async(boom)).await()).catch(codeOf);
      expect(await call).to.equal("exit");
      expect(formatReason(process.exitReason ?? "normal")).to.equal("RangeError: boom");
      expect(supervisor.alive).to.equal(true);
    });

    it("otp 87: asyncNolink keeps the owner out of it", async () => {
      const { process, run } = await owner();
      const outcome = await run(async (own) => (await own.asyncNolink(boom)).yield());
      expect(outcome).to.have.nested.property("reason.error.name", "RangeError");
      await rig.clock.settle();
      expect(process.alive).to.equal(true);
    });

    it("otp 87: a linked task ends with its owner, another one goes on", async () => {
      const { process, run } = await owner();
      const pids = await run(async (own) => [
        (await own.async(never)).pid,
        (await own.asyncNolink(never)).pid,
      ]);
      expect(await tasks.children()).to.have.members(pids);
      process.finish("killed");
      await rig.clock.settle();
      expect(await tasks.children()).to.deep.equal([pids[1]]);
    });

    it("otp 87: an owner that has ended starts nothing", async () => {
      const { process } = await owner();
      const own = new Tasks(process, SUPERVISOR);
      const late = own.async(boom);
      process.finish("killed");
      expect(await late.then(() => "started", codeOf)).to.equal("start_failed");
      expect(await own.async(boom).then(() => "started", codeOf)).to.equal("exit");
      expect(rig.lines.filter(({ level }) => level === "error")).to.deep.equal([]);
    });

    it("otp 87: the supervisor's end ends its tasks", async () => {
      const task = await tasks.async(never);
      supervisor.end("shutdown");
      expect(await task.yield()).to.deep.equal({ status: "exit", reason: "shutdown" });
    });

    it("otp 87: each task has its own shutdown", async () => {
      const trapping = ({ process }: { readonly process: Process }): Promise<never> => {
        process.trapExit = true;
        return never();
      };
      const patient = await tasks.async(trapping, { shutdown: 300 });
      const killed = await tasks.async(trapping, { shutdown: "brutal_kill" });
      await rig.clock.settle();
      const endedAt: number[] = [];
      for (const task of [patient, killed]) {
        rig.system.monitor({ deliverDown: () => endedAt.push(rig.clock.now()) }, task.pid);
      }
      supervisor.end("shutdown");
      await rig.clock.until(() => !supervisor.alive);
      expect(endedAt).to.deep.equal([0, 300]);
    });

    it("otp 87: maxChildren refuses with overload, and the end of a task makes room", async () => {
      const started = await Promise.all([1, 2, 3, 4].map(() => tasks.async(never)));
      expect(await tasks.async(never).catch(codeOf)).to.equal("overload");
      expect(await tasks.startChild(never).catch(codeOf)).to.equal("overload");
      await started[0]?.shutdown();
      await rig.clock.settle();
      expect(await (await tasks.async(() => "in")).await()).to.equal("in");
    });

    it("otp 87: the caller chain passes through the supervisor", async () => {
      const { process, run } = await owner();
      const chain = await run(async (own) => {
        const task = await own.async(async (outer) => {
          const inner = await new Tasks(outer.process, SUPERVISOR).async(({ callers }) => callers);
          return [outer.pid, await inner.await()];
        });
        const [outer, callers] = await task.await();
        return [callers?.[0] === outer, callers?.[1]];
      });
      expect(chain).to.deep.equal([true, process.pid]);
    });
  });

  describe("startChild", () => {
    async function runsOf(body: (run: number) => void, options?: StartTaskOptions): Promise<number> {
      let runs = 0;
      await tasks.startChild(() => {
        runs += 1;
        body(runs);
      }, options);
      await rig.clock.settle();
      return runs;
    }

    const failTwice = (run: number): void => {
      if (run < 3) {
        throw new Error(`run ${run}`);
      }
    };

    it("otp 87: is temporary unless told otherwise", async () => {
      expect(await runsOf(failTwice)).to.equal(1);
    });

    it("otp 87: transient runs again after a failure, and not after a clean end", async () => {
      expect(await runsOf(failTwice, { restart: "transient" })).to.equal(3);
      expect(await tasks.children()).to.deep.equal([]);
    });

    it("otp 87: permanent runs until the intensity is used up", async () => {
      expect(await runsOf(() => undefined, { restart: "permanent" })).to.equal(4);
      expect(supervisor.exitReason).to.equal("shutdown");
    });

    it("otp 87: terminateChild stops one", async () => {
      const pid = await tasks.startChild(never);
      const other = await tasks.startChild(never);
      expect(await tasks.terminateChild(pid)).to.equal(true);
      expect(await tasks.terminateChild(pid)).to.equal(false);
      expect(await tasks.children()).to.deep.equal([other]);
    });
  });

  describe("asyncStream", () => {
    /** Takes as many milliseconds as the item says. */
    async function take(item: number): Promise<number> {
      await new Promise<void>((resolve) => rig.clock.setTimer(resolve, item));
      return item;
    }

    async function collect<T>(stream: AsyncIterable<TaskOutcome<T>>): Promise<unknown[]> {
      const outcomes: unknown[] = [];
      for await (const outcome of stream) {
        outcomes.push(outcome.status === "ok" ? outcome.value : formatReason(outcome.reason));
      }
      return outcomes;
    }

    it("otp 87: yields results in the order of the items, at most maxConcurrency at a time", async () => {
      let running = 0;
      let peak = 0;
      const run = async (item: number): Promise<number> => {
        running += 1;
        peak = Math.max(peak, running);
        await take(item);
        running -= 1;
        return item;
      };
      const items = [30, 10, 20, 5, 1, 7];
      const outcomes = await rig.clock.run(collect(tasks.asyncStream(items, run, { maxConcurrency: 3 })));
      expect(outcomes).to.deep.equal(items);
      expect(peak).to.equal(3);
    });

    it("otp 87: unordered yields results as they come", async () => {
      const stream = tasks.asyncStream([30, 10, 20], take, { maxConcurrency: 3, ordered: false });
      expect(await rig.clock.run(collect(stream))).to.deep.equal([10, 20, 30]);
    });

    it("otp 87: pulls the source no faster than results are consumed", async () => {
      const pulled: number[] = [];
      function* numbers(): Generator<number> {
        for (let number = 1; ; number++) {
          pulled.push(number);
          yield number;
        }
      }
      const stream = tasks.asyncStream(numbers(), take, { maxConcurrency: 2 });
      await rig.clock.run(stream.next());
      await rig.clock.advance(100);
      expect(pulled).to.deep.equal([1, 2]);
      await rig.clock.run(stream.next());
      expect(pulled).to.deep.equal([1, 2, 3]);
      await stream.return();
    });

    it("otp 87: a result that is ready does not wait for a slow source", async () => {
      async function* slow(): AsyncGenerator<number> {
        yield 1;
        await take(1_000);
        yield 2;
      }
      const stream = tasks.asyncStream(slow(), take, { maxConcurrency: 2 });
      expect(await rig.clock.run(stream.next(), 10)).to.deep.equal({
        done: false,
        value: { status: "ok", value: 1 },
      });
      expect(await rig.clock.run(collect(stream))).to.deep.equal([2]);
    });

    it("otp 87: onTimeout kill_task kills the task that takes too long and goes on", async () => {
      const options = { maxConcurrency: 2, timeoutMs: 50, onTimeout: "kill_task" } as const;
      const outcomes = await rig.clock.run(collect(tasks.asyncStream([10, 500, 20], take, options)));
      expect(outcomes).to.deep.equal([10, "timeout: the task took longer than 50 ms", 20]);
      expect(await tasks.children()).to.deep.equal([]);
    });

    it("otp 87: onTimeout exit, the default, ends the stream and kills the rest", async () => {
      const stream = tasks.asyncStream([10, 500, 600], take, { maxConcurrency: 3, timeoutMs: 50 });
      expect(await rig.clock.run(collect(stream).catch(codeOf))).to.equal("timeout");
      expect(await tasks.children()).to.deep.equal([]);
    });

    it("otp 87: leaving the loop kills what still runs and closes the source", async () => {
      let closed = false;
      function* numbers(): Generator<number> {
        try {
          yield* [1, 500, 600, 700];
        } finally {
          closed = true;
        }
      }
      const first = async (): Promise<unknown> => {
        for await (const outcome of tasks.asyncStream(numbers(), take, { maxConcurrency: 3 })) {
          return outcome;
        }
        return undefined;
      };
      expect(await rig.clock.run(first(), 10)).to.deep.equal({ status: "ok", value: 1 });
      expect(closed).to.equal(true);
      expect(await tasks.children()).to.deep.equal([]);
    });

    it("otp 87: a source that throws ends the stream and kills what runs", async () => {
      function* broken(): Generator<number> {
        yield 500;
        throw new Error("source");
      }
      const stream = collect(tasks.asyncStream(broken(), take, { maxConcurrency: 2 }));
      expect(await rig.clock.run(stream.catch(String), 10)).to.equal("Error: source");
      expect(await tasks.children()).to.deep.equal([]);
    });

    it("otp 87: a full supervisor ends the stream with overload", async () => {
      const stream = collect(tasks.asyncStream([1, 2, 3, 4, 5, 6], never, { maxConcurrency: 6 }));
      expect(await rig.clock.run(stream.catch(codeOf), 10)).to.equal("overload");
      expect(await tasks.children()).to.deep.equal([]);
    });

    it("otp 87: a failing task ends a linked owner; nolink yields the failure", async () => {
      const { process, run } = await owner();
      const failing = (item: number): number => (item === 2 ? boom() : item);
      const outcomes = await run((own) =>
        collect(own.asyncStreamNolink([1, 2, 3], failing, { maxConcurrency: 1 })),
      );
      expect(outcomes).to.deep.equal([1, "RangeError: boom", 3]);
      const linked = run((own) => collect(own.asyncStream([1, 2, 3], failing, { maxConcurrency: 1 })));
      expect(await linked.catch(codeOf)).to.equal("exit");
      expect(formatReason(process.exitReason ?? "normal")).to.equal("RangeError: boom");
    });

    it("otp 87: a fenced owner's stream starts nothing more", async () => {
      const { process, run } = await owner();
      const started: number[] = [];
      const body = (item: number): Promise<number> => {
        started.push(item);
        return take(item);
      };
      const call = run((own) =>
        collect(own.asyncStreamNolink([10, 20, 30], body, { maxConcurrency: 1 })),
      ).catch(codeOf);
      await rig.clock.advance(5);
      process.finish("killed");
      await rig.clock.advance(1_000);
      expect(await call).to.equal("exit");
      expect(started).to.deep.equal([10]);
    });

    it("wrong options are refused by name, before anything starts", () => {
      const stream = (options: { maxConcurrency: number; timeoutMs?: number }) => () =>
        tasks.asyncStream([1], take, options);
      expect(stream({ maxConcurrency: 0 })).to.throw("maxConcurrency is 0");
      expect(stream({ maxConcurrency: 1.5 })).to.throw("maxConcurrency is 1.5");
      expect(stream({ maxConcurrency: 1, timeoutMs: Number.NaN })).to.throw("timeoutMs is NaN");
    });
  });
});
