/** Orders that wait: claims and changes of members, answered when an epoch opens, or a claim is given up. */
import type { Epoch } from "../journal/epoch.ts";
import { type Configuration, configurationKey } from "./configuration.ts";
import type { OrderAnswer } from "./requests.ts";

interface Order {
  /** What is to be the configuration; null: whatever it is. */
  readonly wanted: Configuration | null;
  /** Whether the end of the own epoch is what was ordered. */
  readonly leaves: boolean;
  readonly deadlineAt: number;
  answer(answer: OrderAnswer): void;
}

export class Orders {
  #orders: readonly Order[] = [];

  get count(): number {
    return this.#orders.length;
  }

  add(order: Order): void {
    this.#orders = [...this.#orders, order];
  }

  /** An own epoch has opened. */
  opened(epoch: Epoch, configuration: Configuration): void {
    this.#end(
      ({ leaves }) => !leaves,
      ({ wanted }) =>
        wanted === null || configurationKey(wanted) === configurationKey(configuration)
          ? { status: "ok", epoch }
          : { status: "failed", reason: "an epoch with other members has opened" },
    );
  }

  /** The own epoch has ended. */
  closed(epoch: Epoch): void {
    this.#end(
      ({ leaves }) => leaves,
      () => ({ status: "ok", epoch }),
    );
  }

  /** The claim that was to carry them out was given up. */
  failed(reason: string): void {
    this.#end(
      ({ leaves }) => !leaves,
      () => ({ status: "failed", reason }),
    );
  }

  tick(nowMs: number): void {
    this.#end(
      ({ deadlineAt }) => deadlineAt <= nowMs,
      () => ({ status: "unknown" }),
    );
  }

  #end(chosen: (order: Order) => boolean, answer: (order: Order) => OrderAnswer): void {
    const over = this.#orders.filter(chosen);
    this.#orders = this.#orders.filter((order) => !chosen(order));
    for (const order of over) {
      order.answer(answer(order));
    }
  }
}
