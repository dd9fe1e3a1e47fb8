/** Which protocol stands behind which name: an interface that users extend. */

/**
 * The protocols behind well-known names. Extend it by declaration merging, and messages to
 * `{ name: "counter" }` are checked wherever they are sent from:
 *
 *     declare module "supercast" { interface Names { counter: CounterProtocol } }
 */
// biome-ignore lint/suspicious/noEmptyInterface: its members come by declaration merging.
export interface Names {}
