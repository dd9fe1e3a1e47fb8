/**
 * Walking through a Map that changes meanwhile.
 *
 * A Map's iterator goes by insertion, meets what is put in on the way, and does not meet what is gone.
 * Whatever is inserted after the walk has begun has a higher order than all that was there and stands behind
 * it. So the walk meets everything that was there at its beginning and still is, each once, and ends at the
 * first newcomer, however fast the Map grows. It holds for a Map of which every value counts, in `order`, the
 * insertions so far, and keeps its place when it changes.
 */

/** `last`: the highest order given out so far. */
export function* walkOf(
  things: ReadonlyMap<string, { readonly order: number }>,
  last: number,
): Generator<string, void> {
  for (const [name, { order }] of things) {
    if (order > last) {
      return;
    }
    yield name;
  }
}
