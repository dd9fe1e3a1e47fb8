/**
 * What a process is and owns, apart from its mailbox: its identity, its ties to others, its timers and
 * whatever else must end with it. `process.ts` adds the mailbox, the loop and the end.
 */
import type { Timer } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import type { ExitReason } from "../base/reason.ts";
import type { Behaviour, BehaviourClass } from "./behaviour.ts";
import { Belongings, SPENT_TIMER } from "./belongings.ts";
import type { Pid } from "./pid.ts";
import type { Process } from "./process.ts";
import { isPromise } from "./result.ts";
import type { ActorSystem } from "./system.ts";
import { Ties } from "./ties.ts";

/** starting: init runs; ending: terminate runs. */
export type Status = "starting" | "running" | "ending" | "dead";

export abstract class Owner {
  readonly system: ActorSystem;
  readonly serial: number;
  readonly actorClass: BehaviourClass;
  readonly behaviour: Behaviour;
  /** The process whose exit orders this one obeys even when it traps exits. */
  readonly parent: Process | null;
  /** The registered name, if any. */
  readonly name: string | undefined;
  status: Status = "starting";
  /** Set when the process has ended. */
  exitReason: ExitReason | undefined;
  trapExit = false;
  #ties: Ties | null = null;
  #belongings: Belongings | null = null;
  #pid: Pid | null = null;

  constructor(
    system: ActorSystem,
    serial: number,
    actorClass: BehaviourClass,
    parent: Process | null,
    name: string | undefined,
  ) {
    this.system = system;
    this.serial = serial;
    this.actorClass = actorClass;
    this.parent = parent;
    this.name = name;
    this.behaviour = new actorClass();
  }

  /** Crashes the process between two messages, for what threw outside of a callback. */
  abstract crash(thrown: unknown): void;

  get pid(): Pid {
    this.#pid ??= `${this.system.pidPrefix}${this.serial}`;
    return this.#pid;
  }

  get alive(): boolean {
    return this.status !== "dead";
  }

  /** For messages to people: the registered name where there is one, else the class and pid. */
  get label(): string {
    return this.name ?? `${this.actorClass.name} ${this.pid}`;
  }

  /** Fires when the process ends. */
  get signal(): AbortSignal {
    return this.alive ? this.#own().signal : AbortSignal.abort(this.exitReason);
  }

  get ties(): Ties {
    this.#ties ??= new Ties();
    return this.#ties;
  }

  /** The ties if there are any: asking must not make them. */
  get existingTies(): Ties | null {
    return this.#ties;
  }

  /** A timer that dies with the process. What its callback throws crashes the process. */
  setTimer(callback: () => void, delayMs: number): Timer {
    if (Number.isNaN(delayMs)) {
      throw new SupercastError("invalid_message", "delayMs is NaN; allowed: milliseconds");
    }
    if (!this.alive) {
      return SPENT_TIMER;
    }
    return this.#own().setTimer(this.system.clock, () => this.#run(callback), delayMs);
  }

  clearTimer(timer: Timer): void {
    this.#belongings?.clearTimer(this.system.clock, timer);
  }

  /**
   * Runs `cleanup` when the process ends, before anyone is told; at once when it has ended already.
   * Returns what takes it back.
   */
  onEnd(cleanup: () => void): () => void {
    if (!this.alive) {
      cleanup();
      return () => undefined;
    }
    return this.#own().onEnd(cleanup);
  }

  /** Part of the end: all that the process owns goes. A cleanup that throws holds up nothing. */
  protected releaseBelongings(reason: ExitReason): void {
    this.#belongings?.release(this.system.clock, reason, (thrown) => {
      this.system.log.error(`a cleanup of ${this.label} threw`, { pid: this.pid, error: thrown });
    });
  }

  #own(): Belongings {
    this.#belongings ??= new Belongings();
    return this.#belongings;
  }

  #run(callback: () => void): void {
    try {
      const result: unknown = callback();
      if (isPromise(result)) {
        result.then(undefined, (thrown: unknown) => this.crash(thrown));
      }
    } catch (thrown) {
      this.crash(thrown);
    }
  }
}
