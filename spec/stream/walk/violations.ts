/** What a walk finds wrong, and who noticed. */

/** The replica's own assertions; the god's view; the rest at the end; a broken run. */
export type FoundBy = "invariant" | "witness" | "liveness" | "crash";

export interface Violation {
  readonly by: FoundBy;
  readonly line: string;
}
