/**
 * Changes that lie above a state and are not yet part of it: what count and keys of both together are.
 *
 * Both cost what the layer holds, in addition to what the state below costs.
 */
import type { ReadView } from "./definition.ts";

/** `changed`: the keys of the layer, each once; `isDeleted` says of one of them whether it is gone. */
export function countOver(
  below: ReadView,
  changed: Iterable<string>,
  isDeleted: (key: string) => boolean,
): number {
  let count = below.count();
  for (const key of changed) {
    count += Number(!isDeleted(key)) - Number(below.get(key) !== undefined);
  }
  return count;
}

/** The keys of both, in order; as `ReadView.keys`. */
export function* keysOver(
  below: ReadView,
  changed: Iterable<string>,
  isDeleted: (key: string) => boolean,
  after: string | null,
): Generator<string, void> {
  // The order of an Array without a comparison is that of code units.
  const own = [...changed].filter((key) => after === null || key > after).sort();
  let next = 0;
  for (const key of below.keys(after)) {
    for (let ahead = own[next]; ahead !== undefined && ahead <= key; ahead = own[next]) {
      next += 1;
      if (ahead !== key && !isDeleted(ahead)) {
        yield ahead;
      }
    }
    if (own[next - 1] !== key || !isDeleted(key)) {
      yield key;
    }
  }
  for (const key of own.slice(next)) {
    if (!isDeleted(key)) {
      yield key;
    }
  }
}
