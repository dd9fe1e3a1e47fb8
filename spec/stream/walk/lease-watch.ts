/** Leases as a god sees them, who has the true time and every clock. */
import { compareEpochs } from "../../../lib/journal/epoch.ts";
import { hasLease } from "../../../lib/stream/leases.ts";
import { type Host, localMs } from "./host.ts";

export class LeaseWatch {
  /** Steps after which somebody held a lease. */
  leased = 0;

  /** At no moment do two believe in a lease, and who holds one has everything that is committed anywhere. */
  check(hosts: readonly Host[], nowMs: number, committedSeq: number): string | null {
    const holders = hosts.filter((host) => hasLease(host.state, localMs(host, nowMs)));
    this.leased += Math.min(1, holders.length);
    if (holders.length > 1) {
      return `two hold a lease: ${holders.map(({ id }) => id).join(" ")}`;
    }
    for (const { id, state } of holders) {
      const newer = hosts.find(
        (each) =>
          each.state.role === "open" && compareEpochs(each.state.hard.promise, state.hard.promise) > 0,
      );
      if (newer !== undefined) {
        return `${id} holds a lease while ${newer.id} has opened a newer epoch`;
      }
      if (state.log.lastSeq < committedSeq) {
        return `${id} holds a lease and lacks ${committedSeq}, which is committed`;
      }
    }
    return null;
  }
}
