/** What `core-run.ts` is made of: one replica with what stands around it, and what comes of a seed. */
import type { Host } from "../../stream/walk/host.ts";
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

export interface Cell extends Host {
  pausedUntil: number;
  alive: boolean;
  /** Counts beginnings and ends of its process. */
  life: number;
  probe: ReturnType<Observer["probe"]>;
  nudged: boolean;
}
