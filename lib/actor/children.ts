/**
 * The children of one supervisor, in start order, and how they are found: by key, by pid, by id.
 *
 * The table of the supervision machine (`supervision.ts`), which decides; this only keeps.
 */
import type { CompleteSpec } from "./child-spec.ts";
import { isPid, type Pid } from "./pid.ts";
import type { Child, ChildCount, ChildKey, ChildRow } from "./supervision-types.ts";

export class Children {
  /** Dynamic children have no ids and are forgotten when they stop for good. */
  readonly #dynamic: boolean;
  readonly #byKey = new Map<ChildKey, Child>();
  readonly #byPid = new Map<Pid, Child>();
  readonly #byId = new Map<string, Child>();
  #lastKey = 0;

  constructor(dynamic: boolean) {
    this.#dynamic = dynamic;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** In start order. */
  [Symbol.iterator](): IterableIterator<Child> {
    return this.#byKey.values();
  }

  newestFirst(): Child[] {
    return [...this.#byKey.values()].reverse();
  }

  get(key: ChildKey): Child | undefined {
    return this.#byKey.get(key);
  }

  withPid(pid: Pid): Child | undefined {
    return this.#byPid.get(pid);
  }

  withId(id: string): Child | undefined {
    return this.#byId.get(id);
  }

  /** By what the API names a child with: its id, or for dynamic children its pid. */
  find(name: string): Child | undefined {
    if (this.#dynamic) {
      return isPid(name) ? this.#byPid.get(name) : undefined;
    }
    return this.#byId.get(name);
  }

  add(spec: CompleteSpec): Child {
    this.#lastKey += 1;
    const child: Child = { key: this.#lastKey, spec, status: "stopped", pid: undefined, restarts: 0 };
    this.#byKey.set(child.key, child);
    if (!this.#dynamic) {
      this.#byId.set(spec.id, child);
    }
    return child;
  }

  started(child: Child, pid: Pid): void {
    child.pid = pid;
    child.status = "running";
    this.#byPid.set(pid, child);
  }

  /** The child's process is gone. */
  detach(child: Child): void {
    if (child.pid !== undefined) {
      this.#byPid.delete(child.pid);
      child.pid = undefined;
    }
  }

  /** The child is down; its spec stays, unless it is temporary or dynamic (otp 6, 18). */
  stopped(child: Child): void {
    child.status = "stopped";
    if (child.spec.restart === "temporary" || this.#dynamic) {
      this.forget(child);
    }
  }

  forget(child: Child): void {
    this.detach(child);
    this.#byKey.delete(child.key);
    if (this.#byId.get(child.spec.id) === child) {
      this.#byId.delete(child.spec.id);
    }
  }

  row(child: Child): ChildRow {
    return {
      id: this.#dynamic ? undefined : child.spec.id,
      child: child.pid ?? (child.status === "restarting" ? "restarting" : undefined),
      type: child.spec.type,
      modules: child.spec.modules,
      restarts: child.restarts,
    };
  }

  count(): ChildCount {
    let active = 0;
    let supervisors = 0;
    for (const child of this) {
      active += child.pid === undefined ? 0 : 1;
      supervisors += child.spec.type === "supervisor" ? 1 : 0;
    }
    return { specs: this.size, active, supervisors, workers: this.size - supervisors };
  }
}
