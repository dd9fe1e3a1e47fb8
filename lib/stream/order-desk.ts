/** Orders to change epoch or members: checked, turned into events, answered when it is decided. */
import type { From } from "../actor/from.ts";
import type { CallMessage } from "../actor/protocol.ts";
import { SupercastError } from "../base/errors.ts";
import { mayClaim } from "./claim.ts";
import { type Configuration, isMember, majorityOf, problemOf } from "./configuration.ts";
import { Orders } from "./orders.ts";
import type { ReplicaHome } from "./replica-home.ts";
import type { StreamEffect, StreamEvent } from "./replica-state.ts";
import type { OrderAnswer, StreamProtocol } from "./requests.ts";

export type OrderMessage = Extract<
  CallMessage<StreamProtocol>,
  { readonly type: "reconfigure" | "claim" | "handOver" }
>;

export class OrderDesk {
  readonly #home: ReplicaHome;
  readonly #orders = new Orders();

  constructor(home: ReplicaHome) {
    this.#home = home;
  }

  /** The event that carries an order out; null when it has been answered already. */
  take(message: OrderMessage, from: From<StreamProtocol>): StreamEvent | null {
    const { replica, settings, ports } = this.#home;
    const answer = (value: OrderAnswer): void => from.reply(message, value);
    const able = message.type === "handOver" ? replica.role === "open" : mayClaim(replica);
    if (!able) {
      answer({ status: "redirect", primary: this.#home.primary });
      return null;
    }
    try {
      const wanted = message.type === "reconfigure" ? this.#wanted(message) : null;
      const event = this.#event(message, wanted);
      const deadlineAt = ports.clock.now() + settings.orderTimeoutMs;
      this.#orders.add({ wanted, leaves: message.type === "handOver", deadlineAt, answer });
      return event;
    } catch (thrown) {
      if (!(thrown instanceof SupercastError)) {
        throw thrown;
      }
      from.fail(thrown);
      return null;
    }
  }

  /** An effect that decides orders. */
  decided(effect: Extract<StreamEffect, { readonly type: "opened" | "closed" | "claimFailed" }>): void {
    switch (effect.type) {
      case "opened":
        this.#orders.opened(effect.epoch, effect.configuration);
        break;
      case "closed":
        this.#orders.closed(effect.epoch);
        break;
      case "claimFailed":
        this.#orders.failed(effect.reason);
        break;
    }
  }

  /** A claim that nobody wants ends without a word: then neither question nor claim is left. */
  tick(): void {
    const { preseal, claim } = this.#home.replica;
    if (preseal === null && claim === null) {
      this.#orders.failed("too few agreed to a new epoch");
    }
    this.#orders.tick(this.#home.ports.clock.now());
  }

  #event(message: OrderMessage, configuration: Configuration | null): StreamEvent {
    if (message.type === "handOver") {
      const { activated } = this.#home.replica.hard;
      if (activated === null || !isMember(activated.configuration, message.to)) {
        throw new SupercastError("invalid_message", `to: ${message.to} is no member`);
      }
      return { type: "handOver", to: message.to };
    }
    const force = message.type === "claim" && message.force === true;
    return { type: "claim", configuration, force };
  }

  #wanted(message: Extract<OrderMessage, { readonly type: "reconfigure" }>): Configuration {
    const { configuration, members } = message;
    if ((configuration === undefined) === (members === undefined)) {
      throw new SupercastError("invalid_message", "give either configuration or members");
    }
    const wanted = configuration ?? majorityOf(members ?? []);
    const problem = problemOf(wanted);
    const { self } = this.#home.replica;
    if (problem !== null || !isMember(wanted, self)) {
      throw new SupercastError(
        "invalid_message",
        problem ?? `members must name ${self}, which is to be the writer`,
      );
    }
    return wanted;
  }
}
