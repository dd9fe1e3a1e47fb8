/**
 * Read leases, off unless configured: while a write quorum has granted one, no newer epoch can open, and the
 * writer may answer linearizable reads by itself. The writer counts from when it sent, the grantor from when
 * it received; each allows for clocks that run apart.
 */
import type { ReplicaId } from "./replica-id.ts";
import type { ReplicaState } from "./replica-state.ts";

/**
 * Whether the writer's lease holds at `nowMs` of its own clock. Check it again after reading: the process may
 * have stood still in between.
 */
export function hasLease(state: ReplicaState, nowMs: number): boolean {
  const { role, writer, settings, self } = state;
  if (role !== "open" || writer === null || settings.leaseMs === 0) {
    return false;
  }
  const { configuration, progress } = writer;
  const echoes = configuration.members
    .map((member: ReplicaId) =>
      member === self ? nowMs : (progress.get(member)?.echoedAt ?? Number.NEGATIVE_INFINITY),
    )
    .sort((left, right) => right - left);
  const grantedAt = echoes[configuration.writeQuorum - 1] ?? Number.NEGATIVE_INFINITY;
  return nowMs < grantedAt + settings.leaseMs * (1 - settings.clockDrift);
}
