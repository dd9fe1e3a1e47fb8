import { expect } from "chai";
import { assign, setup } from "xstate";
import { Actor } from "../../lib/actor/actor.ts";
import { child } from "../../lib/actor/child-spec.ts";
import type { LocalRef } from "../../lib/actor/local-ref.ts";
import { type MachineProtocol, machineActor } from "../../lib/actor/machine.ts";
import type { Process } from "../../lib/actor/process.ts";
import type { Cast } from "../../lib/actor/protocol.ts";
import { Supervisor } from "../../lib/actor/supervisor.ts";
import { getState, getStatus, replaceState, resume, suspend } from "../../lib/actor/sys.ts";
import { formatReason } from "../../lib/base/reason.ts";
import { codeOf, Rig } from "./rig.ts";

/** xstate reads the types of `types` and never its value, so nothing needs to be asserted. */
const doorTypes: {
  context?: { code: string; opened: number };
  events?: { type: "PUSH" } | { type: "ENTER"; code: string } | { type: "BREAK" } | { type: "REMOVE" };
  input?: { code: string };
  output?: { opened: number };
} = {};

const doorMachine = setup({
  types: doorTypes,
  actions: {
    ring: () => undefined,
    shatter: () => {
      throw new RangeError("broken");
    },
  },
}).createMachine({
  id: "door",
  context: ({ input }) => ({ code: input.code, opened: 0 }),
  initial: "locked",
  output: ({ context }) => ({ opened: context.opened }),
  on: { BREAK: { actions: "shatter" }, REMOVE: ".removed" },
  states: {
    locked: {
      on: { ENTER: { guard: ({ context, event }) => context.code === event.code, target: "unlocked" } },
    },
    unlocked: {
      entry: assign({ opened: ({ context }) => context.opened + 1 }),
      after: { 3000: "locked" },
      on: { PUSH: { actions: "ring" }, ENTER: { target: "unlocked", reenter: true } },
    },
    removed: { type: "final" },
  },
});

class Bell extends Actor<{ ring: Cast<{ door: string }> }, readonly string[]> {
  init(): readonly string[] {
    return [];
  }

  override handleCast({ door }: { readonly door: string }): void {
    this.state = [...this.state, door];
  }
}

class Door extends machineActor(doorMachine) {
  protected override chart(): typeof doorMachine {
    return doorMachine.provide({
      actions: { ring: () => this.cast({ name: "bell" }, { type: "ring", door: this.pid }) },
    });
  }
}

/** The least ceremony: nothing but a name. */
class Gate extends machineActor(doorMachine) {}

const CODE = { input: { code: "1234" } };
const ENTER = { type: "ENTER", code: "1234" } as const;

describe("MachineActor", () => {
  let rig: Rig;
  let door: LocalRef<MachineProtocol<typeof doorMachine>>;
  let process: Process;

  beforeEach(async () => {
    rig = new Rig();
    ({ ref: door, process } = await rig.start(Door, CODE, { name: "door" }));
  });

  afterEach(() => {
    rig.system.close();
  });

  const stateValue = async (): Promise<unknown> => (await door.call({ type: "snapshot" })).value;

  describe("messages", () => {
    it("casts are the machine's events, and snapshot shows its state", async () => {
      expect(await door.call({ type: "snapshot" })).to.deep.equal({
        value: "locked",
        context: { code: "1234", opened: 0 },
        status: "active",
      });
      door.cast(ENTER);
      expect(await door.call({ type: "snapshot" })).to.deep.equal({
        value: "unlocked",
        context: { code: "1234", opened: 1 },
        status: "active",
      });
    });

    it("ask sends an event and answers the state after it", async () => {
      const wrong = await door.call({ type: "ask", event: { type: "ENTER", code: "0000" } });
      const right = await door.call({ type: "ask", event: ENTER });
      expect([wrong.value, right.value, right.context.opened]).to.deep.equal(["locked", "unlocked", 1]);
    });

    it("messages and replies are typed by the machine", async () => {
      const compiles = async (): Promise<string | number | undefined> => {
        // @ts-expect-error: no such event
        door.cast({ type: "KICK" });
        // @ts-expect-error: code is missing
        door.cast({ type: "ENTER" });
        // @ts-expect-error: no such event
        await door.call({ type: "ask", event: { type: "KICK" } });
        // @ts-expect-error: input is needed
        child(Door, {});
        const { value, context } = await door.call({ type: "snapshot" });
        // @ts-expect-error: no such state
        const state = value === "ajar";
        const { opened } = await door.call({ type: "output" });
        return state ? context.code : opened;
      };
      expect(compiles).to.be.a("function");
    });

    it("an event that no state handles changes nothing", async () => {
      door.cast({ type: "PUSH" });
      expect(await stateValue()).to.equal("locked");
    });

    it("what is no event is refused or dropped, and the chart lives", async () => {
      const call = (message: object): Promise<unknown> =>
        rig.system.call({ name: "door" }, message).catch(codeOf);
      expect(await call({ type: "ask" })).to.equal("invalid_message");
      expect(await call({ type: "ask", event: "PUSH" })).to.equal("invalid_message");
      expect(await call({ type: "ask", event: { type: "xstate.stop" } })).to.equal("invalid_message");
      expect(await call({ type: "PUSH" })).to.equal("invalid_message");
      rig.system.cast({ name: "door" }, { type: 7 });
      rig.system.cast({ name: "door" }, { type: "xstate.done.actor.x" });
      rig.system.send({ name: "door" }, "hello");
      expect(await stateValue()).to.equal("locked");
      expect(rig.system.drops.invalid_message).to.equal(2);
      expect(rig.lines.filter(({ level }) => level === "warn")).to.have.length(3);
    });

    it("actions reach other actors through the process", async () => {
      const bell = await rig.start(Bell, undefined, { name: "bell" });
      door.cast(ENTER);
      door.cast({ type: "PUSH" });
      await rig.clock.settle();
      expect(bell.process.behaviour.state).to.deep.equal([process.pid]);
    });

    it("a machine without event types takes any message", async () => {
      const loose = setup({}).createMachine({
        id: "loose",
        initial: "a",
        states: { a: { on: { go: "b" } }, b: {} },
      });
      const { ref } = await rig.start(machineActor(loose), undefined);
      ref.cast({ type: "go" });
      expect(await ref.call({ type: "snapshot" })).to.have.property("value", "b");
    });
  });

  describe("time", () => {
    it("delayed transitions run on the clock of the system", async () => {
      door.cast(ENTER);
      await rig.clock.advance(2_999);
      expect(await stateValue()).to.equal("unlocked");
      await rig.clock.advance(1);
      expect(await stateValue()).to.equal("locked");
    });

    it("timers end with the process", async () => {
      door.cast(ENTER);
      await rig.clock.settle();
      process.finish("killed");
      await rig.clock.advance(10_000);
      expect(rig.system.drops.noproc).to.equal(0);
      expect(rig.lines).to.deep.equal([]);
    });

    it("a delayed transition waits its turn in the mailbox", async () => {
      door.cast(ENTER);
      await rig.clock.settle();
      await suspend(process);
      await rig.clock.advance(5_000);
      expect(await getStatus(process)).to.have.property("value", "unlocked");
      await resume(process);
      expect(await stateValue()).to.equal("locked");
    });

    it("a delayed transition is void when the chart left the state while it waited", async () => {
      door.cast(ENTER);
      await rig.clock.settle();
      await suspend(process);
      door.cast(ENTER); // ahead of the delay that ends now: enters the state anew
      await rig.clock.advance(5_000);
      await resume(process);
      expect(await stateValue()).to.equal("unlocked");
      await rig.clock.advance(3_000);
      expect(await stateValue()).to.equal("locked");
    });

    it("a chart that begins from a persisted snapshot waits for events only", async () => {
      await door.call({ type: "ask", event: ENTER });
      const snapshot = await door.call({ type: "persisted" });
      const { ref } = await rig.start(Gate, { snapshot });
      await rig.clock.advance(10_000);
      expect((await ref.call({ type: "snapshot" })).value).to.equal("unlocked");
      await ref.call({ type: "ask", event: ENTER });
      await rig.clock.advance(3_000);
      expect((await ref.call({ type: "snapshot" })).value).to.equal("locked");
    });
  });

  describe("the end", () => {
    it("a final state ends the process with normal, and answers the ask that led there", async () => {
      const downs = rig.watch(process);
      await door.call({ type: "ask", event: ENTER });
      const last = await door.call({ type: "ask", event: { type: "REMOVE" } });
      expect(last).to.include({ value: "removed", status: "done" });
      expect(last.output).to.deep.equal({ opened: 1 });
      expect(downs.map(({ reason }) => reason)).to.deep.equal(["normal"]);
      expect(rig.lines).to.deep.equal([]);
    });

    it("output waits for the final state", async () => {
      const outputs = Promise.all([
        door.call({ type: "output" }, { timeoutMs: Number.POSITIVE_INFINITY }),
        door.call({ type: "output" }, { timeoutMs: 10 }).catch(codeOf),
      ]);
      await rig.clock.advance(20);
      door.cast({ type: "REMOVE" });
      expect(await outputs).to.deep.equal([{ opened: 0 }, "timeout"]);
    });

    it("an error of the chart is the exit reason; callers and output fail with it", async () => {
      const output = door.call({ type: "output" }).catch(codeOf);
      const asked = await door.call({ type: "ask", event: { type: "BREAK" } }).catch(codeOf);
      expect([asked, await output]).to.deep.equal(["exit", "exit"]);
      expect(formatReason(process.exitReason ?? "normal")).to.equal("RangeError: broken");
      expect(rig.lines.map(({ level }) => level)).to.deep.equal(["error"]);
    });

    it("a chart that fails at its start fails the start, one that is final at once ends at once", async () => {
      const failing = setup({}).createMachine({
        id: "failing",
        entry: () => {
          throw new RangeError("no");
        },
      });
      const outcome = await rig.system.start(machineActor(failing), undefined);
      expect(outcome).to.have.property("status", "failed");
      expect(outcome).to.have.nested.property("reason.error.message", "no");
      const final = setup({}).createMachine({
        id: "final",
        initial: "end",
        states: { end: { type: "final" } },
      });
      const ended = await rig.start(machineActor(final), undefined);
      await rig.clock.settle();
      expect(ended.process.exitReason).to.equal("normal");
    });

    it("a crashed chart is restarted anew by its supervisor", async () => {
      const supervised = child(Door, CODE, { name: "front" });
      await rig.start(Supervisor, { children: [supervised] });
      const front = { name: "front" };
      await rig.system.call(front, { type: "ask", event: ENTER });
      const first = rig.system.whereis("front");
      rig.system.cast(front, { type: "BREAK" });
      await rig.clock.settle();
      expect(rig.system.whereis("front")).to.not.equal(undefined).and.not.equal(first);
      expect(await rig.system.call(front, { type: "snapshot" })).to.deep.equal({
        value: "locked",
        context: { code: "1234", opened: 0 },
        status: "active",
      });
    });

    it("the class bears the machine's id, or its own name", () => {
      expect([machineActor(doorMachine).name, Gate.name]).to.deep.equal(["door", "Gate"]);
    });
  });

  describe("snapshots", () => {
    it("sys sees the chart's state", async () => {
      expect(await getState(process)).to.have.property("value", "locked");
      expect(await getStatus(process)).to.deep.equal({
        value: "locked",
        context: { code: "1234", opened: 0 },
        status: "active",
      });
    });

    it("a persisted snapshot starts an equal chart, again at each restart", async () => {
      await door.call({ type: "ask", event: ENTER });
      const persisted = await door.call({ type: "persisted" });
      const snapshot: typeof persisted = JSON.parse(JSON.stringify(persisted));
      await rig.start(Supervisor, { children: [child(Door, { snapshot }, { name: "back" })] });
      const back = { name: "back" };
      for (const _start of ["first", "second"]) {
        expect(await rig.system.call(back, { type: "snapshot" })).to.deep.include({
          value: "unlocked",
          context: { code: "1234", opened: 1 },
        });
        rig.system.cast(back, { type: "BREAK" });
        await rig.clock.settle();
      }
    });

    it("a snapshot that is none fails the start", async () => {
      const snapshot = { status: "active", output: undefined, error: undefined } as const;
      const outcome = await rig.system.start(Door, { snapshot });
      expect(outcome).to.have.property("status", "failed");
    });

    it("sys.replaceState with a persisted snapshot puts the chart there", async () => {
      await door.call({ type: "ask", event: ENTER });
      const unlocked = await door.call({ type: "persisted" });
      await rig.clock.advance(3_000);
      expect(await stateValue()).to.equal("locked");
      await replaceState(process, () => unlocked);
      const { value } = await door.call({ type: "ask", event: { type: "PUSH" } });
      expect(value).to.equal("unlocked");
      expect(process.alive).to.equal(true);
    });
  });
});
