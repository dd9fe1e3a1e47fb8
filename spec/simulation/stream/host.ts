/** One simulated machine, as far as the simulator knows it. */
import type { SimulatedDisk } from "../../../lib/disk/simulated-disk.ts";
import type { ReplicaHome } from "../../../lib/stream/replica-home.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { FaultPoint } from "../../../lib/stream/replica-options.ts";
import type { ReplicatedState } from "../../../lib/stream/replicated-state.ts";
import type { SimNode } from "../../support/sim-cluster.ts";
import type { FaultKind } from "./plan.ts";

/** A fault point at which something is to crash, and the fault that asks for it. */
export interface Armed {
  readonly point: FaultPoint;
  /** The process; else only the actor, or the storage. */
  readonly whole: boolean;
  readonly kind: FaultKind;
}

export interface Storm {
  readonly points: ReadonlySet<FaultPoint>;
  readonly probability: number;
  readonly untilMs: number;
  /** Crashes that it has left. */
  left: number;
}

export interface Host {
  readonly name: string;
  readonly rate: number;
  /** The process, while it runs. */
  sim: SimNode | null;
  disk: SimulatedDisk | null;
  /** Of the replica that runs, or ran last, here. */
  replica: ReplicaId | null;
  home: ReplicaHome | null;
  /** Whether a replica belongs here. */
  wanted: boolean;
  /** A process or a replica is being started. */
  starting: boolean;
  paused: boolean;
  /** Counts processes, so that what an old one still does is told from what the new one does. */
  life: number;
  /** The replica here cannot be trusted to go on: its disk has failed or may be damaged. */
  doomed: boolean;
  /** It has lost power, or was killed in the middle of a write: the end of its log may turn out uncertain. */
  doubtful: boolean;
  /** Where the process, or only the actor, is to crash next. */
  armed: readonly Armed[];
  /** While it lasts the actor may crash at any of its points. */
  storm: Storm | null;
  /** How far the wall clock is off. */
  wallOffsetMs: number;
  /** How many log lines have been looked at. */
  linesSeen: number;
  appliedSeen: number;
  /** The applied state that was looked at last. */
  stateSeen: ReplicatedState | null;
}
