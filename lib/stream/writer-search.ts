/**
 * How a replica that nobody feeds finds the writer: it asks the nodes on which replicas may live, one after
 * the other, whom they take for it.
 */
import type { ReplicaId } from "./replica-id.ts";
import type { ReplicaState } from "./replica-state.ts";

/** What a node has answered. */
export class WriterFound {
  readonly primary: ReplicaId | null;

  private constructor(primary: ReplicaId | null) {
    this.primary = primary;
  }

  /** From another replica's status; of another lineage it says nothing. */
  static in(status: unknown, lineage: string): WriterFound {
    const fields: Readonly<Record<string, unknown>> =
      typeof status === "object" && status !== null ? { ...status } : {};
    const { primary } = fields;
    return new WriterFound(fields["lineage"] === lineage && typeof primary === "string" ? primary : null);
  }
}

export class WriterSearch {
  readonly #nodes: () => readonly string[];
  readonly #everyTicks: number;
  readonly #isWanted: () => boolean;
  #ticks = 0;
  #asked = 0;

  /** `nodes`: where replicas may live at present; `isWanted`: whether one that was retired is to be fed again. */
  constructor(
    nodes: () => readonly string[],
    self: string,
    everyTicks: number,
    isWanted: () => boolean = () => false,
  ) {
    this.#nodes = () => nodes().filter((node) => node !== self);
    this.#everyTicks = everyTicks;
    this.#isWanted = isWanted;
    this.#ticks = everyTicks; // the first question at once
  }

  /** Whether nobody feeds this replica, and somebody should. */
  seeks({ role, silentTicks, settings }: ReplicaState): boolean {
    switch (role) {
      case "empty":
        return true;
      case "learner":
        return silentTicks >= settings.failureTicks;
      case "gone":
        return this.#isWanted();
      default:
        return false;
    }
  }

  /** The node to be asked at this tick, or null. */
  tick(state: ReplicaState): string | null {
    if (!this.seeks(state)) {
      return null;
    }
    this.#ticks += 1;
    if (this.#ticks < this.#everyTicks) {
      return null;
    }
    const nodes = this.#nodes();
    if (nodes.length === 0) {
      return null;
    }
    this.#ticks = 0;
    this.#asked += 1;
    return nodes[(this.#asked - 1) % nodes.length] ?? null;
  }
}
