/** What comes of one seed. Plain data: it crosses process boundaries and goes into reports. */
import type { FaultClass, FaultKind } from "./plan.ts";
import type { Coverage, Violation } from "./world.ts";

export interface SeedResult {
  readonly seed: number;
  /** "invalid": nothing wrong was seen, and too little happened for that to mean anything. */
  readonly verdict: "passed" | "failed" | "invalid";
  readonly violations: readonly Violation[];
  /** All of them; `violations` holds the first. */
  readonly violationCount: number;
  readonly invalid: readonly string[];
  /** The hash over everything that happened. */
  readonly hash: string;
  /** One line: nodes, mode, durability and the like. */
  readonly setting: string;
  readonly figures: Figures;
  /** The last events, oldest first; for a failed seed, or when asked for. */
  readonly trace: readonly string[];
}

export interface Figures {
  readonly nodes: number;
  readonly virtualMs: number;
  readonly cpuMs: number;
  readonly events: number;
  readonly operations: number;
  readonly acknowledged: number;
  readonly unknown: number;
  readonly refused: number;
  readonly disturbed: number;
  /** Median over the operations of how many were open when it was called, itself included. */
  readonly inFlight: number;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly faultsByClass: Readonly<Record<FaultClass, number>>;
  /** Single messages, not acts. */
  readonly messages: {
    readonly dropped: number;
    readonly duplicated: number;
    readonly delayed: number;
    readonly replayed: number;
  };
  readonly coverage: Coverage;
  /** `lost`: acknowledged operations that were lost as their mode allows. */
  readonly checked: { readonly histories: number; readonly steps: number; readonly lost: number };
}
