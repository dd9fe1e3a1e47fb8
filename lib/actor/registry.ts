/**
 * Registry: keys under which processes of this node can be found (Elixir's Registry).
 *
 * With `unique` keys at most one living process holds a key, and the registry can stand in an address
 * wherever a name can: `{ via: registry, name }`. With `duplicate` keys any number of processes hold a
 * key, each with a value of its own, and `dispatch` reaches them all: a local publish and subscribe.
 *
 * What a process registered is gone before anyone is told of its end, and a dead owner's key can be
 * taken at once, even before that. Reading is a look-up and asks no process.
 */
import { SupercastError } from "../base/errors.ts";
import { Listeners } from "./listeners.ts";
import type { Pid } from "./pid.ts";
import type { Process } from "./process.ts";
import type { ViaRegistration } from "./ref.ts";
import { type ActorSystem, noproc } from "./system.ts";

export interface RegistryOptions {
  readonly keys: "unique" | "duplicate";
}

export interface RegistryEntry<Value> {
  readonly pid: Pid;
  readonly value: Value;
}

/** What listeners are told. An owner's end unregisters all its keys. */
export type RegistryEvent<Key, Value> =
  | { readonly type: "register"; readonly key: Key; readonly pid: Pid; readonly value: Value }
  | { readonly type: "unregister"; readonly key: Key; readonly pid: Pid };

/** The value may be left out where `Value` allows undefined. */
type ValueArgument<Value> = undefined extends Value ? [value?: Value] : [value: Value];

interface Registration<Key, Value> {
  readonly key: Key;
  readonly owner: Process;
  value: Value;
}

/**
 * `Registry<string>` is a `Via`; a registry with other keys, or whose `Value` cannot be undefined, does
 * not compile as one. Keys compare as in a Map.
 */
export class Registry<Key, Value = undefined> {
  readonly #system: ActorSystem;
  readonly #unique: boolean;
  readonly #byKey = new Map<Key, Set<Registration<Key, Value>>>();
  readonly #byOwner = new Map<Process, Set<Registration<Key, Value>>>();
  readonly #listeners: Listeners<RegistryEvent<Key, Value>>;

  constructor(system: ActorSystem, options: RegistryOptions) {
    this.#system = system;
    this.#unique = options.keys === "unique";
    this.#listeners = new Listeners(system.log);
  }

  /**
   * Registers `owner`, a living process of this node, under `key`. With unique keys the answer is
   * `{ ok: false, owner }` when a living process holds the key already, be it `owner` itself (OTP's
   * already_registered). Throws `noproc` when `owner` does not live here.
   */
  register(key: Key, owner: Pid, ...value: ValueArgument<Value>): ViaRegistration;
  register(key: Key, owner: Pid, value: Value): ViaRegistration {
    const process = this.#system.processAt(owner);
    if (process === undefined) {
      throw noproc(`${owner}, which should own a key of a registry of node ${this.#system.node}`);
    }
    for (const held of this.#unique ? (this.#byKey.get(key) ?? []) : []) {
      if (held.owner.alive) {
        return { ok: false, owner: held.owner.pid };
      }
      this.#remove(held);
    }
    this.#add({ key, owner: process, value });
    return { ok: true };
  }

  /** Takes all that `owner` registered under `key` out again; harmless when there is nothing. */
  unregister(key: Key, owner: Pid): void {
    for (const held of this.#byKey.get(key) ?? []) {
      if (held.owner.pid === owner) {
        this.#remove(held);
      }
    }
  }

  /** The living process that holds `key`. Only for unique keys: throws `config_mismatch` otherwise. */
  whereis(key: Key): Pid | undefined {
    this.#mustBeUnique("whereis, and with it an address { via, name },");
    return this.lookup(key)[0]?.pid;
  }

  /** All who hold `key`, in the order in which they registered; at most one with unique keys. */
  lookup(key: Key): readonly RegistryEntry<Value>[] {
    const entries: RegistryEntry<Value>[] = [];
    for (const { owner, value } of this.#byKey.get(key) ?? []) {
      if (owner.alive) {
        entries.push({ pid: owner.pid, value });
      }
    }
    return entries;
  }

  /** Hands all who hold `key` to `visit`, which is not called when there are none. */
  dispatch(key: Key, visit: (entries: readonly RegistryEntry<Value>[]) => void): void {
    const entries = this.lookup(key);
    if (entries.length > 0) {
      visit(entries);
    }
  }

  /**
   * Replaces the value that `owner` holds under `key` by `change(value)`. Undefined when it holds none.
   * Only for unique keys: throws `config_mismatch` otherwise. What `change` throws changes nothing.
   */
  updateValue(
    key: Key,
    owner: Pid,
    change: (value: Value) => Value,
  ): { readonly value: Value; readonly previous: Value } | undefined {
    this.#mustBeUnique("updateValue");
    for (const held of this.#byKey.get(key) ?? []) {
      if (held.owner.alive && held.owner.pid === owner) {
        const previous = held.value;
        held.value = change(previous);
        return { value: held.value, previous };
      }
    }
    return undefined;
  }

  /** The keys of one process, in the order in which it registered; a key held twice comes twice. */
  keys(owner: Pid): readonly Key[] {
    const process = this.#system.processAt(owner);
    const held = process === undefined ? undefined : this.#byOwner.get(process);
    return [...(held ?? [])].map(({ key }) => key);
  }

  /** How many registrations there are. */
  get count(): number {
    let count = 0;
    for (const held of this.#byOwner.values()) {
      count += held.size;
    }
    return count;
  }

  /** Tells `listener` of each registration and its end, at once; returns what stops it. */
  listen(listener: (event: RegistryEvent<Key, Value>) => void): () => void {
    return this.#listeners.add(listener);
  }

  #add(registration: Registration<Key, Value>): void {
    const { key, owner, value } = registration;
    const holders = this.#byKey.get(key);
    if (holders === undefined) {
      this.#byKey.set(key, new Set([registration]));
    } else {
      holders.add(registration);
    }
    const held = this.#byOwner.get(owner);
    if (held === undefined) {
      this.#byOwner.set(owner, new Set([registration]));
      owner.onEnd(() => this.#removeOwner(owner));
    } else {
      held.add(registration);
    }
    this.#listeners.emit({ type: "register", key, pid: owner.pid, value });
  }

  #remove(registration: Registration<Key, Value>): void {
    const { key, owner } = registration;
    const holders = this.#byKey.get(key);
    holders?.delete(registration);
    if (holders?.size === 0) {
      this.#byKey.delete(key);
    }
    this.#byOwner.get(owner)?.delete(registration);
    this.#listeners.emit({ type: "unregister", key, pid: owner.pid });
  }

  #removeOwner(owner: Process): void {
    for (const registration of this.#byOwner.get(owner) ?? []) {
      this.#remove(registration);
    }
    this.#byOwner.delete(owner);
  }

  #mustBeUnique(what: string): void {
    if (!this.#unique) {
      throw new SupercastError(
        "config_mismatch",
        `${what} needs a registry with unique keys; with duplicate keys use lookup or dispatch`,
      );
    }
  }
}
