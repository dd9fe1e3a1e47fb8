import { expect } from "chai";
import { assign, fromCallback, fromPromise, setup } from "xstate";
import type { LocalRef } from "../../lib/actor/local-ref.ts";
import { type MachineProtocol, machineActor } from "../../lib/actor/machine.ts";
import type { Process } from "../../lib/actor/process.ts";
import { getState, getStatus, resume, suspend } from "../../lib/actor/sys.ts";
import { formatReason } from "../../lib/base/reason.ts";
import { Rig } from "./rig.ts";

describe("the child actors of a chart", () => {
  let rig: Rig;
  interface Job {
    readonly resolve: (value: string) => void;
    readonly reject: (error: Error) => void;
    readonly signal: AbortSignal;
  }
  const jobs: Job[] = [];
  const sources: { readonly send: (event: { type: "TICK" }) => void; disposed: boolean }[] = [];
  const jobTypes: {
    context?: { results: readonly string[]; ticks: number };
    events?: { type: "AGAIN" } | { type: "TICK" } | { type: "FAIL" };
  } = {};
  const jobMachine = setup({
    types: jobTypes,
    actors: {
      work: fromPromise<string>(
        ({ signal }) => new Promise((resolve, reject) => jobs.push({ resolve, reject, signal })),
      ),
      source: fromCallback<{ type: string }>(({ sendBack }) => {
        const source = { send: sendBack, disposed: false };
        sources.push(source);
        return () => {
          source.disposed = true;
        };
      }),
    },
  }).createMachine({
    id: "job",
    context: { results: [], ticks: 0 },
    invoke: { src: "source" },
    initial: "working",
    on: {
      TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) },
      FAIL: {
        actions: () => {
          throw new Error("failed");
        },
      },
    },
    states: {
      working: {
        invoke: {
          src: "work",
          onDone: {
            target: "done",
            actions: assign({ results: ({ context, event }) => [...context.results, event.output] }),
          },
        },
        on: { AGAIN: { target: "working", reenter: true } },
      },
      done: { on: { AGAIN: "working" } },
    },
  });

  let job: LocalRef<MachineProtocol<typeof jobMachine>>;
  let host: Process;

  beforeEach(async () => {
    rig = new Rig();
    jobs.length = 0;
    sources.length = 0;
    ({ ref: job, process: host } = await rig.start(machineActor(jobMachine), undefined, { mailbox: 3 }));
  });

  afterEach(() => {
    rig.system.close();
  });

  it("the end of an invoked promise moves the chart", async () => {
    jobs[0]?.resolve("one");
    await rig.clock.settle();
    expect(await job.call({ type: "snapshot" })).to.deep.include({
      value: "done",
      context: { results: ["one"], ticks: 0 },
    });
  });

  it("what children send waits in the mailbox while the process is suspended", async () => {
    await suspend(host);
    jobs[0]?.resolve("one");
    sources[0]?.send({ type: "TICK" });
    await rig.clock.settle();
    expect(await getStatus(host)).to.deep.include({ value: "working", context: { results: [], ticks: 0 } });
    await resume(host);
    expect(await job.call({ type: "snapshot" })).to.deep.include({
      value: "done",
      context: { results: ["one"], ticks: 1 },
    });
  });

  it("the end of a child that the chart has replaced meanwhile counts no more", async () => {
    await suspend(host);
    job.cast({ type: "AGAIN" });
    jobs[0]?.resolve("stale");
    await rig.clock.settle();
    await resume(host);
    await rig.clock.settle();
    expect(await job.call({ type: "snapshot" })).to.deep.include({
      value: "working",
      context: { results: [], ticks: 0 },
    });
    jobs[1]?.resolve("fresh");
    await rig.clock.settle();
    expect((await job.call({ type: "snapshot" })).context.results).to.deep.equal(["fresh"]);
  });

  it("a flood from a child is bounded by the mailbox, the end of a child is not dropped", async () => {
    await suspend(host);
    for (let count = 0; count < 10; count++) {
      sources[0]?.send({ type: "TICK" });
    }
    jobs[0]?.resolve("one");
    await rig.clock.settle();
    await resume(host);
    await rig.clock.settle();
    expect((await job.call({ type: "snapshot" })).context).to.deep.equal({ results: ["one"], ticks: 3 });
    expect(rig.system.drops.mailbox_full).to.equal(7);
  });

  it("a child that fails, with nobody to handle it, is the chart's error", async () => {
    jobs[0]?.reject(new RangeError("child"));
    await rig.clock.settle();
    expect(formatReason(host.exitReason ?? "normal")).to.equal("RangeError: child");
    expect(sources[0]?.disposed).to.equal(true);
  });

  it("children are part of a persisted snapshot, which may be used again and again", async () => {
    const parentTypes: { context?: { worker: unknown }; events?: { type: "NONE" } } = {};
    const parent = setup({ types: parentTypes, actors: { jobMachine } }).createMachine({
      id: "parent",
      context: ({ spawn }) => ({ worker: spawn("jobMachine", { id: "worker" }) }),
    });
    const { ref } = await rig.start(machineActor(parent), undefined);
    const snapshot = await ref.call({ type: "persisted" });
    const before = JSON.stringify(snapshot);
    for (const _start of ["first", "second"]) {
      const { process } = await rig.start(machineActor(parent), { snapshot });
      expect(await getState(process)).to.have.nested.property("children.worker");
      process.finish("killed");
    }
    expect(JSON.stringify(snapshot)).to.equal(before);
    expect(snapshot).to.not.have.nested.property("context.worker.send");
  });

  for (const [how, end] of [
    ["is killed", () => host.finish("killed")],
    ["is stopped", () => host.end("shutdown")],
    ["crashes", () => job.cast({ type: "FAIL" })],
  ] as const) {
    it(`child actors are stopped when the process ${how}`, async () => {
      end();
      await rig.clock.settle();
      expect(host.alive).to.equal(false);
      expect([jobs[0]?.signal.aborted, sources[0]?.disposed]).to.deep.equal([true, true]);
      jobs[0]?.resolve("late");
      sources[0]?.send({ type: "TICK" });
      await rig.clock.settle();
      expect(rig.lines.filter(({ level }) => level === "error").length).to.equal(how === "crashes" ? 1 : 0);
    });
  }
});
