/**
 * What a suite is: a list of benches, each with one measure of an issue's table, in the table's own words.
 *
 * A bench only takes samples; what is made of them (ratios, spreads, met or not) is the same for all and
 * lives in `verdict.ts`. Each bench runs in a child process of its own, so that none inherits another's heap
 * or compiled code, and so that one that fails costs only its own rows.
 */
import { z } from "zod";
import type { ServerName } from "./servers.ts";
import type { Target } from "./statistics.ts";

/** What ours is compared with in one row. */
export interface Baseline {
  readonly name: string;
  /** How the peer is set up, for the reader of the table. */
  readonly settings: string;
  /** Left out for rows that stand beside, to be looked at. */
  readonly target?: Target;
  /** A fixed value that ours is held against, in place of samples. */
  readonly constant?: number;
  /** When the peer may be missing on this machine: then its row is left out, and this says why. */
  readonly optional?: string;
}

export interface Bench {
  /** For `--only <suite>/<name>` and `--list`. */
  readonly name: string;
  /** The words of the table. */
  readonly measure: string;
  readonly unit: string;
  /** How ours is set up. */
  readonly settings: string;
  /** Empty for a measure that stands for itself. */
  readonly baselines: readonly Baseline[];
  /** Flags of Node for the child process, such as `--expose-gc`. */
  readonly nodeFlags?: readonly string[];
  /** Needs a nats-server; without one its rows say so. */
  readonly needsNats?: boolean;
  /** Servers of others that it measures against; without one, only that one's rows say so. */
  readonly servers?: readonly ServerName[];
  run(context: Context): Promise<Samples>;
}

/** What a bench gets. */
export interface Context {
  readonly rounds: number;
  /** What takes minutes shall take seconds; the samples then say that they were shortened. */
  readonly short?: boolean;
  /** Tells the person who waits what is going on. */
  progress(text: string): void;
}

/** What a bench hands back: one value per round, all in the bench's unit. */
export const SAMPLES = z.object({
  ours: z.array(z.number()),
  /** Ours a second time, in the same rounds: A against A. Empty where that makes no sense. */
  again: z.array(z.number()),
  /** By the name of the baseline. One that is optional and not there is left out. */
  baselines: z.record(z.string(), z.array(z.number())),
  /** What else is worth telling, for the reader of the table. */
  notes: z.array(z.string()),
  /** Not what the words of the table ask for: no target is met by it. */
  shortened: z.boolean().optional(),
});

export type Samples = z.infer<typeof SAMPLES>;

export interface Suite {
  readonly name: string;
  readonly help: string;
  readonly benches: readonly Bench[];
}
