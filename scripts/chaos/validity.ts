/** Was there enough in a chaos run for its silence to mean anything? A run that fails here has failed. */

export const OPERATIONS_PER_SECOND_MIN = 10;
/** Fifty faults in ten minutes. */
export const FAULTS_PER_MINUTE_MIN = 5;
export const FAULT_KINDS_MIN = 3;
export const ACKNOWLEDGED_MIN = 0.2;

/** What a run did, as far as validity goes. Operations are those of the clients, not the probes. */
export interface Traffic {
  readonly durationMs: number;
  readonly operations: number;
  readonly acknowledged: number;
  readonly clients: number;
  /** Clients that had at least one answer. */
  readonly clientsAcknowledged: number;
  readonly faults: number;
  readonly faultKinds: number;
}

/** Why a run proves nothing; empty when it does. */
export function whyInvalid(traffic: Traffic): string[] {
  const { durationMs, operations, acknowledged, clients, clientsAcknowledged, faults, faultKinds } = traffic;
  const reasons: string[] = [];
  const seconds = durationMs / 1_000;
  const operationsMin = Math.floor(OPERATIONS_PER_SECOND_MIN * seconds);
  if (operations < operationsMin) {
    reasons.push(`${operations} client operations, at least ${operationsMin} are needed`);
  }
  const faultsMin = Math.floor((FAULTS_PER_MINUTE_MIN * seconds) / 60);
  if (faults < faultsMin) {
    reasons.push(`${faults} faults, at least ${faultsMin} are needed`);
  }
  const kindsMin = Math.min(FAULT_KINDS_MIN, faultsMin);
  if (faultKinds < kindsMin) {
    reasons.push(`${faultKinds} kinds of faults, at least ${kindsMin} are needed`);
  }
  const share = operations === 0 ? 0 : acknowledged / operations;
  if (share < ACKNOWLEDGED_MIN) {
    const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
    reasons.push(`${percent(share)} of the operations acknowledged, at least ${percent(ACKNOWLEDGED_MIN)}`);
  }
  if (clientsAcknowledged < clients) {
    reasons.push(`${clients - clientsAcknowledged} of ${clients} clients had no operation acknowledged`);
  }
  return reasons;
}
