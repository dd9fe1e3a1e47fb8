/** How a replica stops being, or trying to become, the writer. */
import type { Turn } from "./turn.ts";

/** Another replica's epoch has gone above the own one: claim, questions and writer's role end. */
export function loseEpoch(turn: Turn): void {
  const { claim, writer, role } = turn.state;
  turn.set({ claim: null, writer: null, preseal: null });
  if (role === "open" && writer !== null) {
    turn.effect({ type: "closed", epoch: writer.epoch });
    refuseReads(turn, writer.reads);
  } else if (claim !== null) {
    turn.effect({ type: "claimFailed", epoch: claim.epoch, reason: "another epoch is higher" });
  }
}

/** Gives up a claim that has not opened. */
export function abandonClaim(turn: Turn, reason: string): void {
  const { claim } = turn.state;
  turn.set({ claim: null, writer: null, preseal: null, primary: null, silentTicks: 0, patienceTicks: 0 });
  if (claim !== null) {
    turn.effect({ type: "claimFailed", epoch: claim.epoch, reason });
    turn.role("abandoned");
  }
}

/** A claim that gets on is given its time anew. */
export function claimProgresses(turn: Turn): void {
  const { claim } = turn.state;
  if (claim !== null) {
    turn.set({ claim: { ...claim, ticks: 0 } });
  }
}

/** An open writer that may no longer be the only one gives up its epoch by itself. */
export function fence(turn: Turn): void {
  const { writer } = turn.state;
  if (writer !== null) {
    turn.set({ writer: null, claim: null, preseal: null, primary: null, silentTicks: 0, patienceTicks: 0 });
    turn.effect({ type: "closed", epoch: writer.epoch });
    refuseReads(turn, writer.reads);
    turn.role("silenced");
  }
}

function refuseReads(turn: Turn, reads: readonly { readonly id: number; readonly asker: string }[]): void {
  for (const { id, asker } of reads) {
    if (asker === turn.state.self) {
      turn.effect({ type: "readRefused", id });
    } else {
      turn.send(asker, { type: "readIndexNo", id });
    }
  }
}
