/**
 * Letters that come again: some of what replicas say is sent once more, later, out of order, as after a
 * reconnect. The node floor keeps the order of what it carries, so only here do old letters overtake.
 */
import type { Random } from "../../../lib/base/random.ts";
import { type Letter, PROTOCOL_VERSION } from "../../../lib/stream/messages.ts";
import { nodeOf } from "../../../lib/stream/replica-id.ts";
import type { ReplicaState, StreamEffect } from "../../../lib/stream/replica-state.ts";
import { streamActorName } from "../../../lib/stream/requests.ts";
import { chance, spread } from "./draw.ts";
import { type Hosts, LINEAGE, STREAM } from "./hosts.ts";

/** An old letter may be so late. */
const LATE_MS_MAX = 15_000;

export class Letters {
  /** The share of letters that come again. */
  rate = 0;
  replayed = 0;
  readonly #hosts: Hosts;
  readonly #random: Random;

  constructor(hosts: Hosts) {
    this.#hosts = hosts;
    this.#random = hosts.sim.random.fork("letters");
  }

  sent({ self }: ReplicaState, effects: readonly StreamEffect[]): void {
    if (this.rate === 0) {
      return;
    }
    for (const effect of effects) {
      if (effect.type === "send" && chance(this.#random, this.rate)) {
        const { to, message } = effect;
        const letter: Letter = {
          v: PROTOCOL_VERSION,
          stream: STREAM,
          lineage: LINEAGE,
          from: self,
          to,
          message,
        };
        this.#hosts.later(spread(this.#random, 1, LATE_MS_MAX), () => this.#again(letter));
      }
    }
  }

  /** From the node where it was written, as long as that replica still runs there. */
  #again(letter: Letter): void {
    const host = this.#hosts.get(nodeOf(letter.from));
    if (host.sim === null || host.replica !== letter.from) {
      return;
    }
    this.replayed += 1;
    for (const to of letter.to) {
      host.sim.node.cast({ name: streamActorName(STREAM), node: nodeOf(to) }, { type: "letter", letter });
    }
  }
}
