import { expect } from "chai";
import fc from "fast-check";
import {
  BATCH_EVENTS,
  BATCH_STATES,
  type BatchEventType,
  type BatchState,
  batchAfter,
  batchChart,
} from "../../lib/stream/batch-chart.ts";
import { ChartTable } from "../../lib/stream/chart-table.ts";
import { runChart, waysTo } from "../support/chart.ts";

const EVENTS = Object.keys(BATCH_EVENTS).filter(isEvent);
const FINAL: readonly BatchState[] = ["committed", "superseded"];

/** What each state becomes; a state that is not named stays. */
const NEXT: Record<BatchState, Partial<Record<BatchEventType, BatchState>>> = {
  appended: { sent: "replicating", committed: "committed", superseded: "superseded" },
  replicating: { committed: "committed", superseded: "superseded" },
  committed: {},
  superseded: {},
};

function isEvent(name: string): name is BatchEventType {
  return Object.hasOwn(BATCH_EVENTS, name);
}

function isState(value: unknown): value is BatchState {
  return BATCH_STATES.some((state) => state === value);
}

describe("the batch chart", () => {
  const ways = waysTo(batchChart, EVENTS);

  it("reaches every state from appended, and no other", () => {
    expect([...ways.keys()]).to.have.members([...BATCH_STATES]);
    expect(ways.get("appended")).to.deep.equal([]);
  });

  for (const state of BATCH_STATES) {
    it(`answers from its table what a running chart does: ${state}`, () => {
      for (const event of EVENTS) {
        const running = runChart(batchChart, [...(ways.get(state) ?? []), event]).value;
        expect(batchAfter(state, event), `${state}, ${event}`).to.equal(running);
        expect(running, `${state}, ${event}`).to.equal(NEXT[state][event] ?? state);
      }
    });
  }

  it("ends committed or superseded, and in no other state", () => {
    for (const state of BATCH_STATES) {
      const { status } = runChart(batchChart, ways.get(state) ?? []);
      expect(status, state).to.equal(FINAL.includes(state) ? "done" : "active");
    }
  });

  it("keeps the first fate it was given, whatever is said afterwards", () => {
    const events = fc.array(fc.constantFrom(...EVENTS), { maxLength: 20 });
    fc.assert(
      fc.property(events, (walk) => {
        const fate = walk.find((event) => event === "committed" || event === "superseded");
        const last = walk.reduce<BatchState>(batchAfter, "appended");
        expect(last).to.equal(runChart(batchChart, walk).value);
        expect(last).to.equal(fate ?? (walk.includes("sent") ? "replicating" : "appended"));
      }),
      { numRuns: 200 },
    );
  });

  it("is changed by no timeout and no early answer", () => {
    for (const state of BATCH_STATES) {
      expect(batchAfter(state, "timedOut")).to.equal(state);
      expect(batchAfter(state, "held")).to.equal(state);
    }
  });

  it("leaves a state as it is at an event that it does not know", () => {
    const table = new ChartTable<BatchState, string>(batchChart, isState);
    for (const state of BATCH_STATES) {
      expect(table.after(state, "acked"), state).to.equal(state);
      expect(runChart(batchChart, [...(ways.get(state) ?? []), "acked"]).value).to.equal(state);
    }
  });
});
