/** The messages of a walk that are on their way, and who hears whom. */
import type { Random } from "../../../lib/base/random.ts";
import type { Position } from "../../../lib/stream/entry.ts";
import type { Message } from "../../../lib/stream/messages.ts";
import { nodeOf, type ReplicaId } from "../../../lib/stream/replica-id.ts";

export type Parcel =
  | { readonly kind: "message"; readonly from: ReplicaId; readonly to: ReplicaId; readonly message: Message }
  | { readonly kind: "snapshot"; readonly from: ReplicaId; readonly to: ReplicaId; readonly base: Position };

const REPEATED = 0.1;
const DRAWS = 5;
const PARCELS_MAX = 400;
const PARCELS_LOST = 100;

export class Post {
  readonly #random: Random;
  #parcels: Parcel[] = [];
  /** By node: only those with the same number hear each other. */
  #sides = new Map<string, number>();
  /** The node that stands still: it hears nothing, and no time passes for it. */
  #asleep: string | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  push(parcel: Parcel): void {
    this.#parcels.push(parcel);
  }

  /** Any parcel whose receiver hears its sender, if a few draws find one; sometimes it stays and comes again. */
  takeAny(): Parcel | undefined {
    const { length } = this.#parcels;
    for (let draws = 0; draws < DRAWS && length > 0; draws++) {
      const index = this.#random.below(length);
      const parcel = this.#parcels[index];
      if (parcel !== undefined && this.#hears(parcel)) {
        if (this.#random.next() >= REPEATED) {
          this.#parcels[index] = this.#parcels[length - 1] ?? parcel;
          this.#parcels.pop();
        }
        return parcel;
      }
    }
    return undefined;
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

  /** Draws anew who hears whom; now and then all do. Often it is the writer that is alone or stands still. */
  cut(nodes: readonly string[], writer: string | undefined): void {
    const kind = this.#random.below(4);
    const side = (node: string): number =>
      kind === 1 ? this.#random.below(2) : Number(kind === 2 && node === writer);
    this.#sides = new Map(nodes.map((node) => [node, side(node)]));
    this.#asleep = kind === 3 ? writer : undefined;
  }

  heal(): void {
    this.#sides = new Map();
    this.#asleep = undefined;
  }

  isAsleep(node: string): boolean {
    return node === this.#asleep;
  }

  #hears({ from, to }: Parcel): boolean {
    const receiver = nodeOf(to);
    return receiver !== this.#asleep && this.#sides.get(nodeOf(from)) === this.#sides.get(receiver);
  }
}
