/** Starting children under a supervisor that is known by its name, from outside of any actor. */
import { SupercastError } from "../base/errors.ts";
import { formatReason } from "../base/reason.ts";
import type { ChildSpec } from "./child-spec.ts";
import { LocalRef } from "./local-ref.ts";
import type { Pid } from "./pid.ts";
import type { ChildAnswer, StartChildResult, SupervisorProtocol } from "./supervisor.ts";
import type { ActorSystem } from "./system.ts";

const PATIENT = { timeoutMs: Number.POSITIVE_INFINITY };

/**
 * Starts a child by its spec and answers its pid. Rejects with `noproc` (no such supervisor),
 * `already_started` (details `{ pid }`) or `start_failed` (details `{ reason }`).
 */
export async function superviseUnder(system: ActorSystem, supervisor: string, spec: ChildSpec): Promise<Pid> {
  const result = await supervisorAt(system, supervisor).call({ type: "startChild", spec } as const, PATIENT);
  return pidOrThrow(result, spec);
}

/** Ends a child of a dynamic supervisor, which does not restart it. Rejects with `noproc`. */
export async function endUnder(system: ActorSystem, supervisor: string, child: Pid): Promise<ChildAnswer> {
  return await supervisorAt(system, supervisor).call({ type: "terminateChild", child } as const, PATIENT);
}

function supervisorAt(system: ActorSystem, name: string): LocalRef<SupervisorProtocol> {
  const process = system.whereis(name);
  if (process === undefined) {
    throw new SupercastError("noproc", `the node ${system.node} is stopping: it starts no actors`);
  }
  return new LocalRef<SupervisorProtocol>(process);
}

function pidOrThrow(result: StartChildResult, spec: ChildSpec): Pid {
  switch (result.status) {
    case "started":
      return result.pid;
    case "already_started":
      throw new SupercastError("already_started", `${spec.id} is already started as ${result.pid}`, {
        details: { pid: result.pid },
      });
    case "failed":
      throw new SupercastError("start_failed", `${spec.id} did not start: ${formatReason(result.reason)}`, {
        details: { reason: result.reason },
      });
    default:
      throw new SupercastError("start_failed", `${spec.id} did not start: ${result.status}`, {
        details: result,
      });
  }
}
