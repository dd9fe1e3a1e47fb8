/**
 * Immutable sequences of which equal ones are the same object: states of queues, stacks and lists can be
 * compared with `===` and kept as keys of a Map.
 *
 * A sequence is a node of a trie: its parent plus one last element. Two sequences are comparable only when
 * they grew from the same empty one, which lives as long as one check. `push`, `pop` and, on average,
 * `shift` take constant time; a node remembers what `shift` gave.
 */

/** What sequences and models hold: plain, and equal when it is the same key of a Map. */
export type Scalar = string | number | boolean;

export class Sequence {
  readonly length: number;
  readonly first: Scalar | undefined;
  readonly last: Scalar | undefined;
  readonly #parent: Sequence | undefined;
  readonly #children = new Map<Scalar, Sequence>();
  #rest: Sequence | undefined;

  private constructor(parent: Sequence | undefined, last: Scalar | undefined) {
    this.#parent = parent;
    this.last = last;
    this.length = parent === undefined ? 0 : parent.length + 1;
    this.first = this.length === 1 ? last : parent?.first;
  }

  static empty(): Sequence {
    return new Sequence(undefined, undefined);
  }

  push(value: Scalar): Sequence {
    const known = this.#children.get(value);
    if (known !== undefined) {
      return known;
    }
    const child = new Sequence(this, value);
    this.#children.set(value, child);
    return child;
  }

  /** Without the last element; the empty sequence stays. */
  pop(): Sequence {
    return this.#parent ?? this;
  }

  /** Without the first element; the empty sequence stays. */
  shift(): Sequence {
    const pending = this.#withoutKnownRest();
    for (const node of pending.reverse()) {
      node.#rest = node.#shifted();
    }
    return this.#rest ?? this;
  }

  /** From this node downwards, those whose rest must be made, the shortest last. */
  #withoutKnownRest(): Sequence[] {
    const nodes: Sequence[] = [];
    for (
      let node: Sequence | undefined = this;
      node !== undefined && node.#rest === undefined;
      node = node.#parent
    ) {
      nodes.push(node);
    }
    return nodes;
  }

  /** Its rest, when the parent's is known. */
  #shifted(): Sequence {
    if (this.#parent === undefined || this.last === undefined) {
      return this;
    }
    return this.length === 1 ? this.#parent : (this.#parent.#rest ?? this.#parent).push(this.last);
  }

  toArray(): Scalar[] {
    const values: Scalar[] = [];
    for (let node: Sequence | undefined = this; node?.last !== undefined; node = node.#parent) {
      values.push(node.last);
    }
    return values.reverse();
  }
}
