/** Who subscribes to what at a memory hub. */
import { isPattern, matches } from "./subject.ts";

const FOUND_MAX = 1024;

export interface Subscribed {
  readonly subject: string;
}

interface Entry<Owner, Interest> {
  readonly owner: Owner;
  readonly interest: Interest;
  readonly tokens: readonly string[];
}

export class InterestTable<Owner, Interest extends Subscribed> {
  readonly #all = new Map<Interest, Entry<Owner, Interest>>();
  readonly #bySubject = new Map<string, Set<Entry<Owner, Interest>>>();
  readonly #patterns = new Set<Entry<Owner, Interest>>();
  /** What `matching` has found since the last change: few subjects are published on, again and again. */
  readonly #found = new Map<string, readonly Entry<Owner, Interest>[]>();

  add(owner: Owner, interest: Interest): void {
    const entry = { owner, interest, tokens: interest.subject.split(".") };
    this.#found.clear();
    this.#all.set(interest, entry);
    if (isPattern(interest.subject)) {
      this.#patterns.add(entry);
      return;
    }
    const entries = this.#bySubject.get(interest.subject) ?? new Set();
    this.#bySubject.set(interest.subject, entries.add(entry));
  }

  has(interest: Interest): boolean {
    return this.#all.has(interest);
  }

  remove(interest: Interest): void {
    const entry = this.#all.get(interest);
    if (entry === undefined) {
      return;
    }
    this.#found.clear();
    this.#all.delete(interest);
    this.#patterns.delete(entry);
    const entries = this.#bySubject.get(interest.subject);
    entries?.delete(entry);
    if (entries?.size === 0) {
      this.#bySubject.delete(interest.subject);
    }
  }

  removeAllOf(owner: Owner): void {
    for (const entry of [...this.#all.values()]) {
      if (entry.owner === owner) {
        this.remove(entry.interest);
      }
    }
  }

  /** All that match, those of the subject itself first, each group in the order of subscribing. */
  matching(subject: string): readonly Entry<Owner, Interest>[] {
    let found = this.#found.get(subject);
    if (found === undefined) {
      found = this.#search(subject);
      if (this.#found.size === FOUND_MAX) {
        this.#found.clear();
      }
      this.#found.set(subject, found);
    }
    return found;
  }

  #search(subject: string): Entry<Owner, Interest>[] {
    const found = [...(this.#bySubject.get(subject) ?? [])];
    if (this.#patterns.size > 0) {
      const tokens = subject.split(".");
      for (const entry of this.#patterns) {
        if (matches(entry.tokens, tokens)) {
          found.push(entry);
        }
      }
    }
    return found;
  }
}
