/** What `core-run.ts` is made of: one replica with what stands around it, and what comes of a seed. */
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { ReplicaState } from "../../../lib/stream/replica-state.ts";
import type { Observer } from "./observer.ts";
import type { Trace } from "./trace.ts";
import type { Violation, World } from "./world.ts";

export interface CoreResult {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly hash: string;
  readonly trace: Trace;
  readonly world: World;
  readonly steps: number;
}

export interface Cell {
  readonly id: ReplicaId;
  state: ReplicaState;
  pausedUntil: number;
  alive: boolean;
  readonly probe: ReturnType<Observer["probe"]>;
  /** What is durable, in disk mode: the state as of the last store that is done. */
  durable: ReplicaState;
  nudged: boolean;
}
