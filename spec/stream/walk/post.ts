/** The messages of a walk that are on their way, and who hears whom. */
import type { Random } from "../../../lib/base/random.ts";
import type { Position } from "../../../lib/stream/entry.ts";
import type { Message } from "../../../lib/stream/messages.ts";
import { nodeOf, type ReplicaId } from "../../../lib/stream/replica-id.ts";

export type Parcel =
  | { readonly kind: "message"; readonly from: ReplicaId; readonly to: ReplicaId; readonly message: Message }
  | { readonly kind: "snapshot"; readonly from: ReplicaId; readonly to: ReplicaId; readonly base: Position };

const REPEATED = 0.1;
const PARCELS_MAX = 400;
const PARCELS_LOST = 100;
const SIDES = 3;

export class Post {
  readonly #random: Random;
  #parcels: Parcel[] = [];
  /** By node: only those with the same number hear each other. */
  #sides = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  push(parcel: Parcel): void {
    this.#parcels.push(parcel);
  }

  /** Any parcel whose receiver hears its sender; sometimes it stays and comes again. */
  takeAny(): Parcel | undefined {
    const index = this.#random.below(Math.max(1, this.#parcels.length));
    const parcel = this.#parcels[index];
    if (parcel === undefined || !this.#hears(parcel)) {
      return undefined;
    }
    if (this.#random.next() >= REPEATED) {
      this.#parcels[index] = this.#parcels[this.#parcels.length - 1] ?? parcel;
      this.#parcels.pop();
    }
    return parcel;
  }

  takeAll(): Parcel[] {
    return this.#parcels.splice(0);
  }

  /** When too many are on their way, the oldest are lost. */
  bound(): void {
    if (this.#parcels.length > PARCELS_MAX) {
      this.#parcels = this.#parcels.filter(({ kind }, index) => kind === "snapshot" || index >= PARCELS_LOST);
    }
  }

  /** Draws anew who hears whom; sometimes all do. */
  cut(nodes: readonly string[]): void {
    const whole = this.#random.below(4) === 0;
    this.#sides = new Map(nodes.map((node) => [node, whole ? 0 : this.#random.below(SIDES)]));
  }

  heal(): void {
    this.#sides = new Map();
  }

  #hears({ from, to }: Parcel): boolean {
    return this.#sides.get(nodeOf(from)) === this.#sides.get(nodeOf(to));
  }
}
