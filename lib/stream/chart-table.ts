/**
 * Charts as running code: what an xstate chart says about one state and one event is asked of xstate once
 * and remembered, so that a step of a replica costs a look-up.
 *
 * For charts without context, whose states are flat. An event that a state does not name leaves it as it is.
 */
import { type AnyStateMachine, transition } from "xstate";
import { invariant } from "../base/invariant.ts";

export class ChartTable<State extends string, Event extends string> {
  readonly #machine: AnyStateMachine;
  readonly #isState: (value: unknown) => value is State;
  readonly #next = new Map<State, Map<Event, State>>();

  constructor(machine: AnyStateMachine, isState: (value: unknown) => value is State) {
    this.#machine = machine;
    this.#isState = isState;
  }

  after(state: State, event: Event): State {
    let row = this.#next.get(state);
    if (row === undefined) {
      row = new Map();
      this.#next.set(state, row);
    }
    let next = row.get(event);
    if (next === undefined) {
      next = this.#ask(state, event);
      row.set(event, next);
    }
    return next;
  }

  #ask(state: State, event: Event): State {
    const present = this.#machine.resolveState({ value: state, context: {} });
    const [snapshot] = transition(this.#machine, present, { type: event });
    const value: unknown = snapshot.value;
    invariant(this.#isState(value), "a chart leads from one of its states to another");
    return value;
  }
}
