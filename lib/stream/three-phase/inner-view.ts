/** What an operation of the stream itself sees of the state: all but the ledger; and what it has looked at. */
import type { ReadView } from "../definition.ts";
import { RESERVED, RESERVED_END } from "./ledger.ts";

export function isReserved(key: string): boolean {
  return key.startsWith(RESERVED);
}

export class InnerView implements ReadView {
  /** The keys that have been asked for. A walk over keys counts only where it asks for values. */
  readonly touched = new Set<string>();
  readonly #view: ReadView;
  readonly #hidden: number;

  /** `hidden`: the number of the ledger's records. */
  constructor(view: ReadView, hidden: number) {
    this.#view = view;
    this.#hidden = hidden;
  }

  get(key: string): unknown {
    if (isReserved(key)) {
      return undefined;
    }
    this.touched.add(key);
    return this.#view.get(key);
  }

  count(): number {
    return this.#view.count() - this.#hidden;
  }

  *keys(after: string | null = null): Generator<string, void> {
    if (after === null || after < RESERVED) {
      for (const key of this.#view.keys(after)) {
        if (key >= RESERVED) {
          break;
        }
        yield key;
      }
    }
    yield* this.#view.keys(after === null || after < RESERVED_END ? RESERVED_END : after);
  }
}
