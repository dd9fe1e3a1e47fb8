/**
 * MachineActor: any xstate 5 machine as a process (gen_statem's place), to be named, supervised,
 * monitored and called from anywhere.
 *
 *     class Door extends machineActor(doorMachine) {}
 *     child(Door, { input: { code: "1234" } }, { name: "door" })
 *
 *     door.cast({ type: "PUSH" });                                      // an event of the machine
 *     await door.call({ type: "ask", event: { type: "PUSH" } });        // the same, and what came of it
 *     await door.call({ type: "snapshot" });                            // { value, context, status }
 *     await door.call({ type: "output" }, { timeoutMs: Infinity });     // waits for the final state
 *
 * The end of the one is the end of the other. A chart that reaches its final state ends the process with
 * `normal`; its output goes to the calls that wait for it (and to the `ask` that led there), because an
 * exit reason with a value in it would end linked processes. An error of the chart is the process's exit
 * reason, and a supervisor's restart begins anew, from the same args. A process that is stopped or killed
 * stops the chart, its timers and its child actors; exit actions do not run then, as in xstate.
 */
import type {
  AnyEventObject,
  AnyMachineSnapshot,
  AnyStateMachine,
  ContextFrom,
  EventFrom,
  InputFrom,
  OutputFrom,
  Snapshot,
  SnapshotFrom,
} from "xstate";
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import { reasonOfThrown } from "../base/reason.ts";
import { Actor, type ActorTypes, type NoMessages, type TYPES } from "./actor.ts";
import { Chart, type ChartOrigin, isChartMessage, RESERVED_PREFIX } from "./chart.ts";
import type { From } from "./from.ts";
import type { Info } from "./info.ts";
import type { Call, Cast, NoFields, ProtocolTable, Untyped } from "./protocol.ts";
import {
  type Awaitable,
  type CallResult,
  type CastResult,
  type InitResultOf,
  Reply,
  Stop,
} from "./result.ts";

/** A chart's state as others see it. */
export interface MachineView<M extends AnyStateMachine> {
  readonly value: SnapshotFrom<M>["value"];
  readonly context: ContextFrom<M>;
  readonly status: AnyMachineSnapshot["status"];
  /** Once `status` is "done". */
  readonly output?: OutputFrom<M>;
}

interface MachineCalls<M extends AnyStateMachine> {
  snapshot: Call<NoFields, MachineView<M>>;
  /** Sends an event and answers the state after it. */
  ask: Call<{ readonly event: EventFrom<M> }, MachineView<M>>;
  /** Answers when the chart reaches its final state. */
  output: Call<NoFields, OutputFrom<M>>;
  /** Data to start an equal chart from: `{ snapshot }` as args. Delays are not part of it: a state that is
   * restored waits for events only, until it is entered anew (so it is in xstate). */
  persisted: Call<NoFields, Snapshot<unknown>>;
}

type EventCasts<E extends { readonly type: string }> = {
  [Each in E as Each["type"]]: Cast<Omit<Each, "type">>;
};

/** Casts are the machine's events. A machine that declares no event types takes any message. */
export type MachineProtocol<M extends AnyStateMachine> = string extends EventFrom<M>["type"]
  ? Untyped
  : EventCasts<EventFrom<M>> & MachineCalls<M>;

/** The machine's input, or a persisted snapshot to go on from. */
export type MachineArgs<M extends AnyStateMachine> =
  | { readonly snapshot: Snapshot<unknown> }
  | (undefined extends InputFrom<M>
      ? { readonly input?: InputFrom<M> } | undefined
      : { readonly input: InputFrom<M> });

export class MachineActor<M extends AnyStateMachine> extends Actor<
  NoMessages,
  AnyMachineSnapshot,
  MachineArgs<M>
> {
  declare readonly [TYPES]?: ActorTypes<MachineProtocol<M>, MachineArgs<M>>;
  readonly #machine: M;
  #chart: Chart | undefined;
  /** The state that the chart has; another one in `state` was put there by `sys.replaceState`. */
  #known: AnyMachineSnapshot | undefined;
  #awaitingOutput: From<NoMessages>[] = [];

  constructor(machine: M) {
    super();
    this.#machine = machine;
  }

  /**
   * The machine as it runs. Override it to provide implementations that act through this process:
   * `return doorMachine.provide({ actions: { ring: () => this.cast(bell, { type: "ring" }) } })`.
   */
  protected chart(): M {
    return this.#machine;
  }

  init(args: MachineArgs<M>): InitResultOf<AnyMachineSnapshot> {
    this.#begin(args ?? {});
    const { snapshot } = this.#running;
    this.state = snapshot;
    this.#known = snapshot;
    if (snapshot.status === "error") {
      return this.stop(reasonOfThrown(snapshot.error));
    }
    return snapshot.status === "active" ? snapshot : this.started(snapshot).continue("end");
  }

  /** The chart was in a final state from the start. */
  override handleContinue(): Stop | undefined {
    return this.#move(() => undefined);
  }

  override handleCall(message: object, from: From<NoMessages>): CallResult {
    switch ("type" in message ? message.type : undefined) {
      case "snapshot":
        return new Reply(this.formatState(this.state));
      case "persisted":
        return new Reply(this.#running.persisted());
      case "output":
        this.#awaitingOutput = [...this.#awaitingOutput.filter(({ settled }) => !settled), from];
        return this.noReply();
      case "ask":
        return this.#ask("event" in message ? message.event : undefined, from);
      default:
        from.fail(
          invalid("type", `a chart answers snapshot, ask, output and persisted; its events are casts`),
        );
        return this.noReply();
    }
  }

  override handleCast(message: object): Stop | undefined {
    if (!isEvent(message)) {
      this.log.warn("a cast is no event of a chart and is dropped", { pid: this.pid });
      this.process.system.drop("invalid_message", this.process.label);
      return undefined;
    }
    return this.#move(() => this.#running.send(message));
  }

  override handleInfo(info: Info): Awaitable<CastResult | undefined> | Awaitable<void> {
    const body = info.type === "message" ? info.body : undefined;
    return isChartMessage(body) ? this.#move(() => this.#running.receive(body)) : super.handleInfo(info);
  }

  override formatState(state: AnyMachineSnapshot): MachineView<M> {
    const { value, context, status, output } = state;
    return output === undefined ? { value, context, status } : { value, context, status, output };
  }

  get #running(): Chart {
    invariant(this.#chart !== undefined, "the chart runs from init on");
    return this.#chart;
  }

  #begin(origin: ChartOrigin): void {
    this.#chart?.stop();
    this.#chart = new Chart(this.process, this.chart(), origin);
  }

  #ask(event: unknown, from: From<NoMessages>): CallResult {
    if (!isEvent(event)) {
      from.fail(
        invalid("event", `an object whose type is a string that does not begin with ${RESERVED_PREFIX}`),
      );
      return this.noReply();
    }
    const stop = this.#move(() => this.#running.send(event));
    const reply = new Reply(this.formatState(this.state));
    return stop === undefined ? reply : new Stop(stop.reason, stop.reason === "normal" ? reply : undefined);
  }

  /** Lets the chart move, and ends the process when the chart has come to an end. */
  #move(move: () => void): Stop | undefined {
    if (this.state !== this.#known) {
      this.#begin({ snapshot: this.state });
    }
    move();
    const { snapshot } = this.#running;
    if (snapshot.status === "error") {
      return this.stop(reasonOfThrown(snapshot.error));
    }
    this.state = snapshot;
    this.#known = snapshot;
    if (snapshot.status === "active") {
      return undefined;
    }
    if (snapshot.status === "done") {
      for (const from of this.#awaitingOutput) {
        from.settle(snapshot.output);
      }
    }
    return this.stop("normal");
  }
}

/** A class of actors that run `machine`; see MachineActor. */
export interface MachineActorClass<M extends AnyStateMachine> {
  new (): MachineActor<M>;
  readonly name: string;
  readonly protocol?: ProtocolTable | undefined;
  readonly passByReference?: boolean | undefined;
  readonly kind?: "worker" | "supervisor" | undefined;
}

/** Makes an actor class of a machine: `class Door extends machineActor(doorMachine) {}`. */
export function machineActor<M extends AnyStateMachine>(machine: M): MachineActorClass<M> {
  class Hosted extends MachineActor<M> {
    constructor() {
      super(machine);
    }
  }
  Object.defineProperty(Hosted, "name", { value: machine.id });
  return Hosted;
}

function isEvent(value: unknown): value is AnyEventObject {
  return (
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    typeof value.type === "string" &&
    !value.type.startsWith(RESERVED_PREFIX)
  );
}

function invalid(field: string, allowed: string): SupercastError {
  return new SupercastError("invalid_message", `${field} is not allowed here: ${allowed}`);
}
