/**
 * Was there enough in a run for its silence to mean anything? A run that fails here is invalid, not passed.
 *
 * A share of acknowledged operations above `ACKNOWLEDGED_MAX` is suspicious only when the faults have passed
 * the clients by: a run counts when at least `DISTURBED_MIN` of the operations were hit, that is not
 * acknowledged or answered far later than in an undisturbed cluster.
 */

export const OPERATIONS_MIN = 500;
export const FAULTS_MIN = 20;
export const ACKNOWLEDGED_MIN = 0.2;
export const ACKNOWLEDGED_MAX = 0.95;
export const DISTURBED_MIN = 0.05;
/** An answer that takes longer than this was disturbed; undisturbed it takes a few milliseconds. */
export const DISTURBED_AFTER_MS = 50;

/** What a run did, as far as validity goes. */
export interface Traffic {
  readonly operations: number;
  readonly acknowledged: number;
  readonly disturbed: number;
  /** Faults that were injected, one for each act. */
  readonly faults: number;
}

/** Why a run proves nothing; empty when it does. */
export function whyInvalid(traffic: Traffic): string[] {
  const { operations, acknowledged, disturbed, faults } = traffic;
  const reasons: string[] = [];
  if (operations < OPERATIONS_MIN) {
    reasons.push(`${operations} client operations, at least ${OPERATIONS_MIN} are needed`);
  }
  if (faults < FAULTS_MIN) {
    reasons.push(`${faults} faults, at least ${FAULTS_MIN} are needed`);
  }
  const share = operations === 0 ? 0 : acknowledged / operations;
  if (share < ACKNOWLEDGED_MIN) {
    reasons.push(`${percent(share)} of the operations acknowledged, at least ${percent(ACKNOWLEDGED_MIN)}`);
  }
  if (share > ACKNOWLEDGED_MAX && disturbed < DISTURBED_MIN * operations) {
    const few = `only ${disturbed} of ${operations} operations met a fault`;
    reasons.push(`${percent(share)} of the operations acknowledged, and ${few}`);
  }
  return reasons;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
