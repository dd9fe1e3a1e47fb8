/** A planted bug: what is changed in a copy of the sources, and what is to notice it. */
import type { WalkName } from "../stream/walk/setups.ts";

/** `find` stands in `file` exactly once; `file` is relative to the root of the project. */
export interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export type Detector =
  /** Random walks of this kind, seed by seed. */
  | { readonly kind: "walk"; readonly setup: WalkName }
  /** A spec that stands in the suite anyway; `grep` names the tests that are run. */
  | { readonly kind: "spec"; readonly file: string; readonly grep?: string };

export interface Bug {
  /** The number of the rule in the list of bugs that every such protocol has had somewhere. */
  readonly id: number;
  readonly title: string;
  /** What goes wrong with it. */
  readonly why: string;
  readonly patches: readonly Patch[];
  readonly detector: Detector;
  /** Seeds after which a walk gives up. */
  readonly seeds: number;
  /** Found within a few seconds, so that every run of the suite proves it. */
  readonly quick: boolean;
}
