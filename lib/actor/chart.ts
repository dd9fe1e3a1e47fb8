/**
 * A chart at run: an xstate machine on the clock and the mailbox of a process.
 *
 * Whatever moves the chart passes through the mailbox, one message at a time: events from outside, but
 * also its delayed transitions and what its child actors (invoked promises, callbacks, machines) send
 * it. So a chart never moves while its process is suspended or does something else, and an error or a
 * final state always shows inside a callback of the process. Timers belong to the process.
 */
import {
  type AnyActorLogic,
  type AnyActorRef,
  type AnyActorScope,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type Snapshot,
} from "xstate";
import type { Timer } from "../base/clock.ts";
import type { Process } from "./process.ts";

/** What a chart begins from: input, or a snapshot that was persisted. */
export interface ChartOrigin {
  readonly input?: unknown;
  readonly snapshot?: Snapshot<unknown>;
}

/** xstate's own events. Nobody outside the chart may send them. */
export const RESERVED_PREFIX = "xstate.";
const STOP_EVENT = `${RESERVED_PREFIX}stop`;

/** A delayed transition; waits on the clock, then in the mailbox, until it runs or is cancelled. */
class ChartTimer {
  readonly chart: Chart;
  readonly run: () => void;
  waiting: Timer | null = null;
  cancelled = false;

  constructor(chart: Chart, run: () => void) {
    this.chart = chart;
    this.run = run;
  }
}

/** An event that a child actor sent at a moment of its own; waits in the mailbox. */
class ChildEvent {
  readonly chart: Chart;
  readonly event: AnyEventObject;
  /** The child whose end this tells, if it tells one: void when the chart has replaced that child. */
  readonly ended: AnyActorRef | undefined;

  constructor(chart: Chart, event: AnyEventObject, ended: AnyActorRef | undefined) {
    this.chart = chart;
    this.event = event;
    this.ended = ended;
  }
}

/** What a chart puts into the mailbox of its process. */
export type ChartMessage = ChartTimer | ChildEvent;

export function isChartMessage(body: unknown): body is ChartMessage {
  return body instanceof ChartTimer || body instanceof ChildEvent;
}

export class Chart {
  readonly #process: Process;
  readonly #machine: AnyStateMachine;
  readonly #actor: ReturnType<typeof createActor<AnyActorLogic>>;
  #scope: AnyActorScope | null = null;
  /** Whether the process is handling a message of this chart at present. */
  #open = false;

  constructor(process: Process, machine: AnyStateMachine, origin: ChartOrigin) {
    this.#process = process;
    this.#machine = machine;
    const { input, snapshot } = origin;
    this.#actor = createActor(this.#logic(), {
      clock: this.#clock(),
      logger: (...lines: unknown[]) =>
        process.system.log.info(lines.map(String).join(" "), { pid: process.pid }),
      input,
      // Restoring writes into what it is given, and the same origin may be used for a restart.
      ...(snapshot === undefined ? {} : { snapshot: structuredClone(snapshot) }),
    });
    // Without an observer xstate throws errors of a chart from a global timer; here they are read
    // from the snapshot after each step.
    this.#actor.subscribe({ error: () => undefined });
    process.onEnd(() => this.stop());
    this.#step(() => this.#actor.start());
  }

  /** The chart's state; `status` and `error` say whether it has ended or failed. */
  get snapshot(): AnyMachineSnapshot {
    return this.#actor.getSnapshot();
  }

  /** Data from which an equal chart can begin; delayed transitions that wait are not part of it. */
  persisted(): Snapshot<unknown> {
    return this.#actor.getPersistedSnapshot();
  }

  send(event: AnyEventObject): void {
    this.#step(() => this.#actor.send(event));
  }

  /** Handles what a chart has put into the mailbox; what an earlier chart of the process left is void. */
  receive(message: ChartMessage): void {
    if (message.chart !== this) {
      return;
    }
    if (message instanceof ChildEvent) {
      if (!this.#isStale(message)) {
        this.send(message.event);
      }
    } else if (!message.cancelled) {
      this.#step(message.run);
    }
  }

  /** Stops the chart, its children and timers; harmless when it has ended. */
  stop(): void {
    this.#actor.stop();
  }

  #step(move: () => void): void {
    this.#open = true;
    try {
      move();
    } finally {
      this.#open = false;
    }
    if (this.snapshot.status === "error") {
      this.#stopChildren();
    }
  }

  /** xstate leaves the children of a chart that failed running. */
  #stopChildren(): void {
    const children: (AnyActorRef | undefined)[] = Object.values(this.snapshot.children ?? {});
    for (const child of children) {
      if (child !== undefined) {
        this.#scope?.stopChild(child);
      }
    }
  }

  /** The machine's logic, which takes events only while the process handles a message of the chart. */
  #logic(): AnyActorLogic {
    const machine = this.#machine;
    return {
      transition: (snapshot: AnyMachineSnapshot, event: AnyEventObject, scope) => {
        if (this.#open || event.type === STOP_EVENT) {
          return machine.transition(snapshot, event, scope);
        }
        this.#defer(snapshot, event);
        return snapshot;
      },
      getInitialSnapshot: (scope, input) => machine.getInitialSnapshot(scope, input),
      restoreSnapshot: (snapshot, scope) => machine.restoreSnapshot(snapshot, scope),
      getPersistedSnapshot: (snapshot, options) => machine.getPersistedSnapshot(snapshot, options),
      start: (snapshot, scope) => {
        this.#scope = scope;
        machine.start(snapshot);
      },
    };
  }

  /** Puts a child's event into the mailbox. The end of a child is never dropped; the bound holds for the rest. */
  #defer(snapshot: AnyMachineSnapshot, event: AnyEventObject): void {
    const { actorId } = event;
    const ended: AnyActorRef | undefined =
      typeof actorId === "string" ? snapshot.children[actorId] : undefined;
    const body = new ChildEvent(this, event, ended);
    if (event.type.startsWith(RESERVED_PREFIX)) {
      this.#process.pushInfo({ type: "message", body });
    } else if (!this.#process.pushPlain(body)) {
      const { system, alive, label } = this.#process;
      system.drop(alive ? "mailbox_full" : "noproc", label);
    }
  }

  /** Whether the chart has left the state, and perhaps entered it anew, since the child ended. */
  #isStale({ event, ended }: ChildEvent): boolean {
    return ended !== undefined && this.snapshot.children[event["actorId"]] !== ended;
  }

  /** The process's clock as xstate wants it. */
  #clock(): { setTimeout(run: () => void, delayMs: number): ChartTimer; clearTimeout(timer: unknown): void } {
    const process = this.#process;
    return {
      setTimeout: (run, delayMs) => {
        const timer = new ChartTimer(this, run);
        timer.waiting = process.setTimer(() => process.pushInfo({ type: "message", body: timer }), delayMs);
        return timer;
      },
      clearTimeout: (timer) => {
        if (timer instanceof ChartTimer && timer.waiting !== null) {
          timer.cancelled = true;
          process.clearTimer(timer.waiting);
        }
      },
    };
  }
}
