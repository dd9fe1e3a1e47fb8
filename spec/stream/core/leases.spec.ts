/**
 * Leases where each replica has its own clock: the holder stands still, or its clock is slow, while others claim.
 * A lease may never be believed in while a newer epoch is open, whatever clocks do within what is declared.
 */
import { expect } from "chai";
import { hasLease } from "../../../lib/stream/leases.ts";
import { Rig } from "./rig.ts";

const LEASE_MS = 1_000;
const DRIFT = 0.25;
const SETTINGS = { leaseMs: LEASE_MS, clockDrift: DRIFT } as const;
/** The true time goes on in such steps. */
const STEP_MS = 10;

function holds(rig: Rig, id: string): boolean {
  return hasLease(rig.state(id), rig.clockMs(id));
}

/** a writes and its lease has just been granted by b and c; b claims from now on whenever it may. */
function leased(rates: readonly [number, number, number]): Rig {
  const rig = new Rig(3, SETTINGS);
  for (const [index, id] of rig.ids.entries()) {
    rig.setClock(id, { rate: rates[index] ?? 1, offsetMs: 5_000 * index });
  }
  rig.open("a/1");
  rig.tick();
  expect(rig.state("a/1").role).to.equal("open");
  expect(holds(rig, "a/1")).to.equal(true);
  return rig;
}

/** b asks, and asks again, until it is open; `look` sees every step. True time that it took. */
function claimUntilOpen(rig: Rig, look: () => void): number {
  const from = rig.nowMs;
  rig.open("b/1");
  for (let passed = 0; rig.state("b/1").role !== "open"; passed += STEP_MS) {
    expect(passed, "b opens at last").to.be.lessThan(10 * LEASE_MS);
    look();
    rig.nowMs += STEP_MS;
    if (rig.state("b/1").claim === null) {
      rig.open("b/1");
    } else {
      rig.feed("b/1", { type: "tick", draw: 0 });
      rig.deliver();
    }
  }
  look();
  return rig.nowMs - from;
}

describe("a read lease and the clocks", () => {
  it("is not renewed by grants that wait while its holder stands still", () => {
    const rig = leased([1, 1, 1]);
    // The grants of this round are on their way when a stands still; time goes on, and b opens.
    rig.nowMs += 100;
    rig.feed("a/1", { type: "tick", draw: 0 });
    rig.sleep("a/1");
    rig.deliver();
    claimUntilOpen(rig, () => undefined);
    rig.wake("a/1");
    const grants = rig.intercept("ack").filter(({ to }) => to === "a/1");
    expect(new Set(grants.map(({ from }) => from))).to.deep.equal(new Set(["b/1", "c/1"]));
    rig.letters = grants;
    rig.deliverRound();
    expect(rig.state("a/1").role, "a has not heard of the newer epoch").to.equal("open");
    expect(holds(rig, "a/1")).to.equal(false);
    rig.feed("a/1", { type: "tick", draw: 0 });
    expect(holds(rig, "a/1")).to.equal(false);
  });

  it("ends before a newer epoch opens, however far clocks run apart within the declared share", () => {
    const extremes = [1 - DRIFT, 1, 1 + DRIFT] as const;
    for (const holder of extremes) {
      for (const claimant of extremes) {
        for (const grantor of extremes) {
          const rig = leased([holder, claimant, grantor]);
          rig.sleep("a/1");
          let heldMs = 0;
          const tookMs = claimUntilOpen(rig, () => {
            const held = holds(rig, "a/1");
            heldMs += held ? STEP_MS : 0;
            const clocks = `holder ${holder}, claimant ${claimant}, grantor ${grantor}`;
            expect(held && rig.state("b/1").role === "open", clocks).to.equal(false);
          });
          // Neither is trivially so: the lease is of use, and does not keep the others waiting for ever.
          expect(heldMs).to.be.at.least((LEASE_MS * (1 - DRIFT)) / holder - 2 * STEP_MS);
          expect(tookMs).to.be.at.most((LEASE_MS * (1 + DRIFT)) / Math.min(claimant, grantor) + 2 * STEP_MS);
        }
      }
    }
  });

  it("may be believed in by its holder alone, when the holder sleeps and its clock is slow", () => {
    const rig = leased([1 - DRIFT, 1 + DRIFT, 1 + DRIFT]);
    rig.sleep("a/1");
    claimUntilOpen(rig, () => undefined);
    rig.nowMs += 100;
    rig.feed("b/1", { type: "tick", draw: 0 });
    rig.deliver();
    expect(["a/1", "b/1", "c/1"].filter((id) => holds(rig, id))).to.deep.equal(["b/1"]);
  });
});
