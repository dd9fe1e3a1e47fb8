/**
 * What a replica does as time passes. Time is counted in ticks of its own: a process that stood still sees
 * one tick, not many, and hears what has arrived before it may conclude that another is gone.
 */
import { ask, sealed, sendFetch, sendPreseals, sendSeals } from "./claim.ts";
import { hasQuorum, isMember } from "./configuration.ts";
import { abandonClaim, fence } from "./lose-epoch.ts";
import { tickReads } from "./reads.ts";
import type { Progress } from "./replica-state.ts";
import { broadcastHeartbeat, replicate } from "./replication.ts";
import type { Turn } from "./turn.ts";
import { announce } from "./writer.ts";

/** A learner that has been silent for so many step-down times is fed no more. */
const LEARNER_PATIENCE = 5;

/** `draw`: a random number in [0, 1), so that not all ask at the same moment. */
export function onTick(turn: Turn, draw: number): void {
  tickReads(turn);
  if (turn.state.claim !== null) {
    tickClaim(turn);
  }
  if (turn.state.preseal !== null) {
    tickPreseal(turn);
  }
  if (turn.state.writer !== null) {
    tickWriter(turn);
  } else if (turn.state.claim === null) {
    tickSilence(turn, draw);
  }
}

function tickClaim(turn: Turn): void {
  const { claim, settings, role } = turn.state;
  if (claim === null) {
    return;
  }
  const ticks = claim.ticks + 1;
  turn.set({ claim: { ...claim, ticks } });
  if (ticks > settings.claimTicks) {
    abandonClaim(turn, role === "opening" ? "no write quorum took the barrier" : "no seal quorum answered");
  } else if (role === "sealing") {
    if (ticks % settings.retryTicks === 0) {
      sendSeals(turn);
    }
    sealed(turn);
  } else if (ticks % settings.retryTicks === 0 && role === "adopting") {
    sendFetch(turn);
  }
}

function tickPreseal(turn: Turn): void {
  const { preseal, settings, role } = turn.state;
  if (preseal === null) {
    return;
  }
  const ticks = preseal.ticks + 1;
  if (ticks > settings.claimTicks) {
    turn.set({ preseal: null, silentTicks: 0, patienceTicks: 0 });
    if (role === "open") {
      turn.effect({ type: "claimFailed", epoch: preseal.epoch, reason: "too few agreed" });
    }
    return;
  }
  turn.set({ preseal: { ...preseal, ticks } });
  if (ticks % settings.retryTicks === 0) {
    sendPreseals(turn);
  }
}

function tickWriter(turn: Turn): void {
  const { writer, settings, role, self } = turn.state;
  if (writer === null) {
    return;
  }
  const progress = new Map<string, Progress>();
  for (const [replica, at] of writer.progress) {
    const silentTicks = at.silentTicks + 1;
    if (at.member || silentTicks <= LEARNER_PATIENCE * settings.stepDownTicks) {
      progress.set(replica, { ...at, silentTicks, probing: false });
    }
  }
  const ticks = writer.ticks + 1;
  turn.set({ writer: { ...writer, progress, ticks } });
  const { configuration } = writer;
  const hears = (member: string): boolean =>
    member === self || (progress.get(member)?.silentTicks ?? 0) <= settings.stepDownTicks;
  if (role === "open" && !hasQuorum(configuration, configuration.writeQuorum, hears)) {
    fence(turn);
    return;
  }
  broadcastHeartbeat(turn);
  replicate(turn);
  if (ticks % settings.retryTicks === 0) {
    announce(turn);
  }
}

/** Counts the primary's silence, and asks for a new epoch when it has lasted. */
function tickSilence(turn: Turn, draw: number): void {
  const { state } = turn;
  const silentTicks = state.silentTicks + 1;
  const patienceTicks = state.patienceTicks === 0 ? patience(turn, draw) : state.patienceTicks;
  turn.set({ silentTicks, patienceTicks });
  if (silentTicks >= patienceTicks && state.preseal === null && turn.nowMs >= state.leaseUntilMs) {
    turn.set({ patienceTicks: 0 });
    ask(turn, null, false);
  }
  if (silentTicks % turn.state.settings.failureTicks === 0) {
    askAround(turn);
  }
}

/**
 * Who is no member of the activated configuration it knows may not claim. It may be a member of a newer one that
 * only others have heard of, all of whom it has replaced: it asks those it knows.
 */
function askAround(turn: Turn): void {
  const { hard, self } = turn.state;
  if (hard.activated === null || isMember(hard.activated.configuration, self)) {
    return;
  }
  const known = [hard.activated, ...hard.successors].flatMap(({ configuration }) => configuration.members);
  turn.send(
    [...new Set(known)].filter((member) => member !== self),
    { type: "who" },
  );
}

/** Shorter when the primary is known to be gone; the members' order of preference goes first then. */
function patience(turn: Turn, draw: number): number {
  const { primaryDown, settings, hard, self } = turn.state;
  if (!primaryDown) {
    return settings.failureTicks + Math.floor(draw * settings.failureTicks);
  }
  const rank = hard.activated?.configuration.members.indexOf(self) ?? 0;
  return 1 + 2 * Math.max(0, rank) + Math.floor(draw * 2);
}
