/** Charts of flat states, asked by running them: every answer here comes from an actor of xstate. */
import { type AnyMachineSnapshot, type AnyStateMachine, createActor } from "xstate";

/** Runs a chart from its beginning through `events`. One that has ended takes nothing more. */
export function runChart(machine: AnyStateMachine, events: readonly string[]): AnyMachineSnapshot {
  const actor = createActor(machine).start();
  for (const type of events) {
    if (actor.getSnapshot().status === "active") {
      actor.send({ type });
    }
  }
  const snapshot = actor.getSnapshot();
  actor.stop();
  return snapshot;
}

/** The shortest way from the beginning to each state that can be reached. */
export function waysTo(machine: AnyStateMachine, events: readonly string[]): Map<string, readonly string[]> {
  const ways = new Map<string, readonly string[]>([[String(runChart(machine, []).value), []]]);
  // A Map is walked in the order of insertion, additions included.
  for (const way of ways.values()) {
    for (const event of events) {
      const state = String(runChart(machine, [...way, event]).value);
      if (!ways.has(state)) {
        ways.set(state, [...way, event]);
      }
    }
  }
  return ways;
}
