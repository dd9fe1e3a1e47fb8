/**
 * A cluster that is only played: it has nodes, links and servers to do harm to, and holds its data in one map. With
 * a defect it breaks one promise, which a chaos run must notice.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Damage } from "../../scripts/chaos/damage.ts";
import type { Link } from "../../scripts/chaos/proxy.ts";
import type { Stage } from "../../scripts/chaos/stage.ts";
import type { Change, ClusterView, Outcome, Patience, Target, Written } from "../../scripts/chaos/target.ts";

export type Defect =
  | "loses the last write of each key when a node is killed"
  | "reads the value before the last"
  | "does not come back after a kill"
  | "comes back slowly"
  | "a node ends by itself after a reset"
  | "tears what is written together";

interface Cell {
  readonly value: string | null;
  readonly before: string | null;
}

const POLL_MS = 1;
const OPERATION_MS = 1;
export const SLOW_MS = 400;

export class PlayCluster implements Stage, ClusterView, Target {
  readonly nodes: readonly string[];
  readonly serverCount = 1;
  readonly done: string[] = [];
  readonly #defect: Defect | undefined;
  readonly #cells = new Map<string, Cell>();
  /** Requests that took effect already. */
  readonly #applied = new Map<string, Written>();
  /** What is wrong at present, by the name of the fault. */
  readonly #wrong = new Map<string, Set<string>>();
  readonly #refusing = new Set<string>();
  #ends: { node: string; how: string }[] = [];
  #deadUntil = 0;
  #reads = 0;

  constructor(nodes: readonly string[], defect?: Defect) {
    this.nodes = nodes;
    this.#defect = defect;
  }

  // --- what faults do ---------------------------------------------------------------------------

  killNode(node: string): Promise<void> {
    this.#begin("dead", node);
    if (this.#defect === "loses the last write of each key when a node is killed") {
      for (const [key, { before }] of this.#cells) {
        this.#cells.set(key, { value: before, before });
      }
    }
    return Promise.resolve();
  }

  startNode(node: string): void {
    if (this.#refusing.has(node)) {
      this.done.push(`refused ${node}`);
      this.#ends.push({ node, how: "exit code 1" });
      return;
    }
    this.#end("dead", node);
    if (this.#defect === "does not come back after a kill") {
      this.#deadUntil = Number.POSITIVE_INFINITY;
    } else if (this.#defect === "comes back slowly") {
      this.#deadUntil = performance.now() + SLOW_MS;
    }
  }

  pauseNode(node: string): void {
    this.#begin("paused", node);
  }

  resumeNode(node: string): void {
    this.#end("paused", node);
  }

  isAlive(node: string): boolean {
    return this.#wrong.get("dead")?.has(node) !== true;
  }

  damage(node: string, how: Damage): Promise<string> {
    this.done.push(`damaged ${node}`);
    this.#refusing.add(node);
    return Promise.resolve(`${how} of ${node}`);
  }

  wipe(node: string): Promise<void> {
    this.done.push(`wiped ${node}`);
    this.#refusing.delete(node);
    return Promise.resolve();
  }

  link(node: string): Link {
    return {
      cut: () => this.#begin("cut", node),
      reset: () => {
        this.done.push(`reset ${node}`);
        if (this.#defect === "a node ends by itself after a reset") {
          this.#ends.push({ node, how: "SIGSEGV" });
        }
      },
      delay: () => this.done.push(`delayed ${node}`),
      stall: () => this.#begin("stalled", node),
      heal: () => {
        this.#end("cut", node);
        this.#end("stalled", node);
      },
    };
  }

  killServer(index: number): Promise<void> {
    this.#begin("server", String(index));
    return Promise.resolve();
  }

  startServer(index: number): Promise<void> {
    this.#end("server", String(index));
    return Promise.resolve();
  }

  takeUnexpectedEnds() {
    return this.#ends.splice(0);
  }

  /** Kinds of harm that are still there. */
  get harm(): readonly string[] {
    return [...this.#wrong].filter(([, nodes]) => nodes.size > 0).map(([kind]) => kind);
  }

  #begin(kind: string, node: string): void {
    this.done.push(`${kind} ${node}`);
    this.#wrong.set(kind, (this.#wrong.get(kind) ?? new Set()).add(node));
  }

  #end(kind: string, node: string): void {
    this.#wrong.get(kind)?.delete(node);
  }

  // --- what clients see -------------------------------------------------------------------------

  writers(): Promise<readonly string[]> {
    return Promise.resolve(this.nodes.slice(0, 1));
  }

  answers(node: string): Promise<boolean> {
    return Promise.resolve(this.isAlive(node));
  }

  lacks(): Promise<string | undefined> {
    const dead = this.nodes.find((node) => !this.isAlive(node));
    return Promise.resolve(dead === undefined ? undefined : `${dead} is dead`);
  }

  async write(
    requestId: string,
    partition: number,
    changes: readonly Change[],
    patience: Patience,
  ): Promise<Outcome<Written>> {
    if (!(await this.#available(patience))) {
      return { status: "unknown", why: "no majority" };
    }
    const written = this.#applied.get(requestId) ?? this.#apply(partition, changes);
    this.#applied.set(requestId, written);
    await sleep(OPERATION_MS);
    return { status: "ok", value: written };
  }

  #apply(partition: number, changes: readonly Change[]): Written {
    const torn = this.#defect === "tears what is written together" && changes.length > 1;
    let deleted = 0;
    for (const change of torn ? changes.slice(1) : changes) {
      const key = `${partition}/${change.key}`;
      const before = this.#cells.get(key)?.value ?? null;
      deleted += change.op === "delete" && before !== null ? 1 : 0;
      this.#cells.set(key, { value: change.op === "put" ? change.value : null, before });
    }
    return { deleted };
  }

  async read(partition: number, key: string, patience: Patience): Promise<Outcome<string | null>> {
    if (!(await this.#available(patience))) {
      return { status: "unknown", why: "no majority" };
    }
    const cell = this.#cells.get(`${partition}/${key}`);
    this.#reads += 1;
    const stale = this.#defect === "reads the value before the last" && this.#reads % 20 === 0;
    await sleep(OPERATION_MS);
    return { status: "ok", value: (stale ? cell?.before : cell?.value) ?? null };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #available({ deadlineMs }: Patience): Promise<boolean> {
    const deadline = performance.now() + deadlineMs;
    while (!this.#hasMajority()) {
      if (performance.now() > deadline) {
        return false;
      }
      await sleep(POLL_MS);
    }
    return true;
  }

  #hasMajority(): boolean {
    const away = new Set(
      ["dead", "paused", "cut", "stalled"].flatMap((kind) => [...(this.#wrong.get(kind) ?? [])]),
    );
    const serverDown = (this.#wrong.get("server")?.size ?? 0) > 0;
    return !serverDown && performance.now() >= this.#deadUntil && 2 * away.size < this.nodes.length;
  }
}
