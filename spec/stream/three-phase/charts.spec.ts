import { expect } from "chai";
import fc from "fast-check";
import {
  COORDINATOR_EVENTS,
  COORDINATOR_STATES,
  type CoordinatorEventType,
  type CoordinatorState,
  coordinatorAfter,
  coordinatorChart,
} from "../../../lib/stream/three-phase/coordinator-chart.ts";
import {
  PARTICIPANT_EVENTS,
  PARTICIPANT_STATES,
  type ParticipantEventType,
  type ParticipantState,
  participantAfter,
  participantChart,
} from "../../../lib/stream/three-phase/participant-chart.ts";
import { runChart, waysTo } from "../../support/chart.ts";

/** What each state becomes; a state that is not named stays. */
const PARTICIPANT: Record<ParticipantState, Partial<Record<ParticipantEventType, ParticipantState>>> = {
  unknown: { prepare: "prepared", abort: "aborted" },
  prepared: { preCommit: "preCommitted", abort: "aborted", recover: "aborted" },
  preCommitted: { commit: "committed", recover: "committed" },
  committed: {},
  aborted: {},
};

const COORDINATOR: Record<CoordinatorState, Partial<Record<CoordinatorEventType, CoordinatorState>>> = {
  preparing: { prepared: "preCommitting", aborted: "aborted", refused: "aborted", timedOut: "aborting" },
  preCommitting: {
    preCommitted: "committing",
    committed: "committing",
    aborted: "aborted",
    timedOut: "aborting",
  },
  committing: { committed: "committed", aborted: "aborted", timedOut: "unknown" },
  aborting: { preCommitted: "committing", committed: "committing", aborted: "aborted", timedOut: "unknown" },
  committed: {},
  aborted: {},
  unknown: {},
};

function isParticipantEvent(name: string): name is ParticipantEventType {
  return Object.hasOwn(PARTICIPANT_EVENTS, name);
}

function isCoordinatorEvent(name: string): name is CoordinatorEventType {
  return Object.hasOwn(COORDINATOR_EVENTS, name);
}

describe("the participant chart", () => {
  const events = Object.keys(PARTICIPANT_EVENTS).filter(isParticipantEvent);
  const ways = waysTo(participantChart, events);

  it("answers from its table what a running chart does, in every state", () => {
    expect([...ways.keys()]).to.have.members([...PARTICIPANT_STATES]);
    for (const state of PARTICIPANT_STATES) {
      for (const event of events) {
        const running = runChart(participantChart, [...(ways.get(state) ?? []), event]).value;
        expect(participantAfter(state, event), `${state}, ${event}`).to.equal(running);
        expect(running, `${state}, ${event}`).to.equal(PARTICIPANT[state][event] ?? state);
      }
    }
  });

  it("commits if and only if a pre-commit came after the prepare and before an abort", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events), { maxLength: 12 }), (walk) => {
        const end = walk.reduce<ParticipantState>(participantAfter, "unknown");
        const prepared = walk.indexOf("prepare");
        const abort = walk.findIndex(
          (event, at) => event === "abort" || (event === "recover" && prepared !== -1 && at > prepared),
        );
        const preCommit = walk.findIndex(
          (event, at) => event === "preCommit" && prepared !== -1 && at > prepared,
        );
        const aborts = abort !== -1 && (preCommit === -1 || abort < preCommit);
        const decides = walk.some(
          (event, at) => preCommit !== -1 && at > preCommit && (event === "commit" || event === "recover"),
        );
        const alive = preCommit === -1 ? (prepared === -1 ? "unknown" : "prepared") : "preCommitted";
        expect(end).to.equal(aborts ? "aborted" : decides ? "committed" : alive);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the coordinator chart", () => {
  const events = Object.keys(COORDINATOR_EVENTS).filter(isCoordinatorEvent);
  const ways = waysTo(coordinatorChart, events);

  it("answers from its table what a running chart does, in every state", () => {
    expect([...ways.keys()]).to.have.members([...COORDINATOR_STATES]);
    for (const state of COORDINATOR_STATES) {
      for (const event of events) {
        const running = runChart(coordinatorChart, [...(ways.get(state) ?? []), event]).value;
        expect(coordinatorAfter(state, event), `${state}, ${event}`).to.equal(running);
        expect(running, `${state}, ${event}`).to.equal(COORDINATOR[state][event] ?? state);
      }
    }
  });

  it("never says aborted or committed without the log's word, and knows nothing after two silences", () => {
    const endless = fc.array(fc.constantFrom(...events), { minLength: 4, maxLength: 12 });
    fc.assert(
      fc.property(endless, (walk) => {
        const end = walk.reduce<CoordinatorState>(coordinatorAfter, "preparing");
        if (end === "committed") {
          expect(walk).to.include("committed");
        } else if (end === "aborted") {
          expect(walk.includes("aborted") || walk[0] === "refused" || walk.includes("refused")).to.equal(
            true,
          );
        }
      }),
    );
    const silent = (state: CoordinatorState): CoordinatorState =>
      coordinatorAfter(coordinatorAfter(state, "timedOut"), "timedOut");
    for (const state of ["preparing", "preCommitting", "committing", "aborting"] as const) {
      expect(silent(state), state).to.equal("unknown");
    }
  });
});
