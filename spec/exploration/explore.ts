/**
 * Small-scope exploration: every interleaving of a few replicas within bounds, breadth first, over the pure
 * step function of the product. What is explored and what is not stands in `docs/verification.md`.
 */
import { type Bounds, Expansion, type Taken } from "./expansion.ts";
import { Frontier } from "./frontier.ts";
import type { StepFunction } from "./moves.ts";
import { HashTable } from "./table.ts";
import { Things } from "./things.ts";
import { Trail } from "./trail.ts";
import { Canon, World } from "./world.ts";

export interface ExploreOptions extends Bounds {
  /** Ends the exploration when so many worlds have been found. */
  readonly states: number;
  readonly step: StepFunction;
  /** Called every so many worlds. */
  readonly onProgress?: (progress: Progress) => void;
}

export interface Progress {
  readonly states: number;
  /** Every world up to here has been expanded; in moves from the first one. */
  readonly depth: number;
  readonly waiting: number;
  readonly transitions: number;
}

export interface Exploration extends Progress {
  readonly bounds: Bounds;
  /** Whether every world within the bounds was found. */
  readonly exhausted: boolean;
  /** What was wrong and the shortest way there, a line per move; null when nothing was. */
  readonly violation: { readonly what: string; readonly trace: readonly string[] } | null;
  /** Different states of replicas, messages and commits that the worlds are made of. */
  readonly parts: number;
  /** Times the step function of the product was called; other moves had been made before. */
  readonly steps: number;
  /** Messages that were taken for idle and are not. */
  readonly surprises: number;
  /** Moves that did such a thing: an exploration without them says nothing. */
  readonly commits: number;
  readonly openings: number;
  readonly reconfigurations: number;
  readonly crashesTaken: number;
  /** Hash table, frontier and trail. */
  readonly bytes: number;
}

const PROGRESS_EVERY = 1 << 14;

export class Explorer {
  readonly #options: ExploreOptions;
  readonly #things = new Things();
  readonly #expansion: Expansion;
  readonly #canon: Canon;
  readonly #table: HashTable;
  readonly #trail: Trail;
  readonly #frontier = new Frontier();
  readonly #chosen = new World();
  #violation: Exploration["violation"] = null;
  #depth = 0;
  #transitions = 0;
  #commits = 0;
  #openings = 0;
  #reconfigurations = 0;
  #crashesTaken = 0;

  constructor(options: ExploreOptions) {
    this.#options = options;
    this.#expansion = new Expansion(this.#things, options.step, options);
    this.#canon = new Canon(this.#things);
    this.#table = new HashTable(options.states);
    this.#trail = new Trail(options.states);
  }

  run(): Exploration {
    this.#begin();
    let lastOfDepth = 0;
    const world = new World();
    while (this.#violation === null && this.#table.count < this.#options.states) {
      const next = this.#frontier.shift();
      if (next === null) {
        break;
      }
      if (next.number > lastOfDepth) {
        this.#depth += 1;
        lastOfDepth = this.#table.count - 1;
      }
      world.set(next.words);
      this.#expand(world, next.number);
    }
    return this.#result();
  }

  #begin(): void {
    this.#canon.choose(this.#expansion.root(), this.#chosen);
    this.#table.add(this.#canon.high, this.#canon.low);
    this.#frontier.push(0, this.#chosen.words.subarray(0, this.#chosen.length));
  }

  #expand(world: World, number: number): void {
    let choice = 0;
    this.#expansion.each(world, (next, taken) => {
      if (this.#violation === null && this.#table.count < this.#options.states) {
        this.#meet(next, taken, number, choice);
      }
      choice += 1;
    });
  }

  #meet(next: World, taken: Taken, parent: number, choice: number): void {
    this.#transitions += 1;
    this.#tally(taken);
    if (taken.violation !== null) {
      const path = [...this.#trail.to(parent), choice];
      this.#violation = {
        what: taken.violation,
        trace: this.#trail.tell(this.#things, this.#expansion, path),
      };
      return;
    }
    this.#canon.choose(next, this.#chosen);
    if (!this.#table.add(this.#canon.high, this.#canon.low)) {
      return;
    }
    const number = this.#table.count - 1;
    this.#trail.add(number, parent, choice);
    this.#frontier.push(number, this.#chosen.words.subarray(0, this.#chosen.length));
    if (number % PROGRESS_EVERY === 0) {
      this.#options.onProgress?.(this.#progress());
    }
  }

  #tally({ outcome }: Taken): void {
    if (outcome === null) {
      this.#crashesTaken += 1;
      return;
    }
    this.#commits += outcome.commit >= 0 ? 1 : 0;
    this.#openings += outcome.opened === null ? 0 : 1;
    this.#reconfigurations += outcome.reconfigured ? 1 : 0;
  }

  #progress(): Progress {
    return {
      states: this.#table.count,
      depth: this.#depth,
      waiting: this.#frontier.count,
      transitions: this.#transitions,
    };
  }

  #result(): Exploration {
    const { epochs, writes, crashes, claims, questions } = this.#options;
    return {
      ...this.#progress(),
      bounds: { epochs, writes, crashes, claims, questions },
      exhausted: this.#violation === null && this.#frontier.count === 0,
      violation: this.#violation,
      parts: this.#things.count,
      steps: this.#expansion.steps,
      surprises: this.#expansion.surprises,
      commits: this.#commits,
      openings: this.#openings,
      reconfigurations: this.#reconfigurations,
      crashesTaken: this.#crashesTaken,
      bytes: this.#table.bytes + this.#frontier.bytes + this.#trail.bytes,
    };
  }
}
