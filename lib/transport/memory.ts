/**
 * A transport inside one process, and the faults that a network has.
 *
 * Any number of clients connect to a hub; between them it does what a nats-server does: wildcards, queue
 * groups, "no responders", a bound of the payload, delivery from the event loop. Bytes are copied, so that no
 * two clients share memory. Everything that could happen by chance comes from the clock and the random source
 * it is given, so that under virtual time a run repeats itself exactly.
 */
import type { Clock } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import { checkLimits, type Limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import { type HubSide, type Interest, MemoryClient, type Parcel } from "./memory-client.ts";
import { type FaultCounts, Faults, type LinkFaults } from "./memory-faults.ts";
import { InterestTable } from "./memory-interest.ts";
import { Port } from "./memory-port.ts";
import { Schedule } from "./memory-schedule.ts";
import type { Transport } from "./transport.ts";

/** nats-server's defaults. */
const MAX_PAYLOAD = 1024 * 1024;
const PENDING_MAX = 64 * 1024 * 1024;

export interface MemoryHubOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Limits;
  /** Bytes of payload and headers in one message. Default 1 MiB. */
  readonly maxPayload?: number;
  /** Bytes that may wait for a paused client before it is cut off. Default 64 MiB. */
  readonly pendingMax?: number;
}

export interface CutOptions {
  /** Comes back by itself after so long. Without it only `reconnect` brings it back. */
  readonly reconnectAfterMs?: number;
  /** What was on its way to the client arrives after it has come back, instead of never. */
  readonly late?: boolean;
}

/** Messages of one client to another on one subject that are under way with a delay. */
interface Flow {
  lastAt: number;
  count: number;
}

export class MemoryHub {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: Limits;
  readonly #maxPayload: number;
  readonly #pendingMax: number;
  readonly #schedule: Schedule;
  readonly #faults: Faults;
  readonly #ports = new Map<string, Port>();
  readonly #interests = new InterestTable<Port, Interest>();
  readonly #flows = new Map<string, Flow>();

  constructor(options: MemoryHubOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#limits = options.limits ?? checkLimits();
    this.#maxPayload = options.maxPayload ?? MAX_PAYLOAD;
    this.#pendingMax = options.pendingMax ?? PENDING_MAX;
    this.#schedule = new Schedule(options.clock);
    this.#faults = new Faults(options.random);
  }

  /** The clients at the hub, connected or cut. */
  get names(): readonly string[] {
    return [...this.#ports.keys()];
  }

  /** A new client, connected. Throws `config_mismatch` while another one bears the name. */
  connect(name: string, limits: Limits = this.#limits): Transport {
    if (this.#ports.has(name)) {
      throw new SupercastError(
        "config_mismatch",
        `a client named ${JSON.stringify(name)} is at the hub already`,
      );
    }
    const inbox = `_INBOX.${this.#random.token(16)}`;
    const port = new Port(name, {
      clock: this.#clock,
      schedule: this.#schedule,
      pendingMax: this.#pendingMax,
      isWanted: (interest) => this.#interests.has(interest),
      makeClient: (self) => new MemoryClient(this.#clock, limits, inbox, this.#hubSide(self)),
    });
    this.#ports.set(name, port);
    return port.client;
  }

  // --- faults --------------------------------------------------------------------------------------

  /** What the faults did so far. */
  get faultCounts(): Readonly<FaultCounts> {
    return this.#faults.counts;
  }

  /** What may happen to every message; or, with `link`, to those from one client to another. */
  setFaults(faults: LinkFaults, link?: { readonly from: string; readonly to: string }): void {
    if (link === undefined) {
      this.#faults.setEverywhere(faults);
    } else {
      this.#faults.setLink(link.from, link.to, faults);
    }
  }

  /**
   * From now on nothing arrives between the two sides; with `oneWay` nothing from left to right. Nobody is
   * told: connections stand, and subscribers on the other side still count as such.
   */
  partition(
    left: string | readonly string[],
    right: string | readonly string[],
    oneWay: boolean = false,
  ): void {
    forPairs(left, right, (from, to) => {
      this.#faults.block(from, to);
      if (!oneWay) {
        this.#faults.block(to, from);
      }
    });
  }

  /** Ends a partition, in both directions. */
  heal(left: string | readonly string[], right: string | readonly string[]): void {
    forPairs(left, right, (from, to) => {
      this.#faults.unblock(from, to);
      this.#faults.unblock(to, from);
    });
  }

  /** Ends all partitions and all that happens by chance. */
  clearFaults(): void {
    this.#faults.clear();
  }

  /** Breaks a client's connection. */
  cut(name: string, options: CutOptions = {}): void {
    const port = this.#port(name);
    port.cut(options.late === true);
    if (options.reconnectAfterMs !== undefined) {
      this.#reconnectLater(port, options.reconnectAfterMs);
    }
  }

  /** Brings a client back that was cut. Harmless when it is connected. */
  reconnect(name: string): void {
    this.#port(name).reconnect();
  }

  /**
   * As when the server restarts: every connection breaks, and comes back after `downMs` and up to `spreadMs`
   * more, each by itself; meanwhile those that are back find no subscribers of the others.
   */
  restart(options: { readonly downMs: number; readonly spreadMs?: number }): void {
    for (const port of [...this.#ports.values()]) {
      port.cut(false);
      this.#reconnectLater(port, options.downMs + this.#random.below((options.spreadMs ?? 0) + 1));
    }
  }

  /**
   * As when a process is stopped: what it sends and what is sent to it waits. What waits for it beyond
   * `pendingMax` costs it its connection, as a slow consumer.
   */
  pause(name: string): void {
    this.#port(name).pause();
  }

  resume(name: string): void {
    this.#port(name).resume();
  }

  /**
   * As when a process dies: its subscriptions are gone at once, its transport is closed without an event, and
   * its name is free.
   */
  kill(name: string): void {
    const port = this.#port(name);
    this.#remove(port);
    port.client.onKilled();
  }

  // --- the server ----------------------------------------------------------------------------------

  #hubSide(port: Port): HubSide {
    return {
      name: port.name,
      maxPayload: this.#maxPayload,
      send: (parcel) => {
        port.send(() => this.#route(port, parcel));
      },
      roundTrip: () =>
        new Promise((resolve, reject) => {
          const lost = (): void => reject(new SupercastError("noconnection", "the connection broke"));
          port.send(resolve, lost);
        }),
      addInterest: (interest) => this.#interests.add(port, interest),
      removeInterest: (interest) => this.#interests.remove(interest),
      leave: () => this.#remove(port),
    };
  }

  #route(from: Port, parcel: Parcel): void {
    const found = this.#interests.matching(parcel.subject);
    const takers = found.every(isConnected) ? found : found.filter(isConnected);
    if (takers.length === 0) {
      this.#answerNoResponders(from, parcel.reply);
      return;
    }
    const chosen = this.#onePerQueue(takers);
    const alone = chosen.length === 1;
    for (const { owner, interest } of chosen) {
      const fate = this.#faults.fate(from.name, owner.name);
      for (const delayMs of fate) {
        // Nobody else has the bytes of the parcel itself: `publish` has copied them.
        const own = alone && fate.length === 1 ? parcel : copyOf(parcel);
        this.#forward(from, owner, interest, own, delayMs);
      }
    }
  }

  #onePerQueue<Taker extends { readonly interest: Interest }>(takers: readonly Taker[]): readonly Taker[] {
    if (takers.every(({ interest }) => interest.queue === undefined)) {
      return takers;
    }
    const members = new Map<string, Taker[]>();
    for (const taker of takers) {
      const { queue } = taker.interest;
      if (queue !== undefined) {
        members.set(queue, [...(members.get(queue) ?? []), taker]);
      }
    }
    const chosen = [...members.values()].flatMap((all) =>
      all.slice(this.#random.below(all.length)).slice(0, 1),
    );
    return [...takers.filter(({ interest }) => interest.queue === undefined), ...chosen];
  }

  #answerNoResponders(to: Port, reply: string | undefined): void {
    if (reply === undefined) {
      return;
    }
    const payload = new Uint8Array(0);
    const answer: Parcel = {
      subject: reply,
      payload,
      reply: undefined,
      headers: undefined,
      noResponders: true,
    };
    for (const { owner, interest } of this.#interests.matching(reply)) {
      if (owner === to) {
        to.hand(to.connection, interest, answer);
      }
    }
  }

  /** Hands over now, or later; never before what the same client sent there on the same subject. */
  #forward(from: Port, to: Port, interest: Interest, parcel: Parcel, delayMs: number): void {
    const { connection } = to;
    if (delayMs === 0 && this.#flows.size === 0) {
      to.hand(connection, interest, parcel);
      return;
    }
    const key = `${from.name} ${to.name} ${parcel.subject}`;
    const flow = this.#flows.get(key) ?? { lastAt: 0, count: 0 };
    this.#flows.set(key, flow);
    flow.lastAt = Math.max(flow.lastAt, this.#clock.now() + delayMs);
    flow.count += 1;
    this.#schedule.at(flow.lastAt, () => {
      flow.count -= 1;
      if (flow.count === 0) {
        this.#flows.delete(key);
      }
      to.hand(connection, interest, parcel);
    });
  }

  #reconnectLater(port: Port, waitMs: number): void {
    const { connection } = port;
    this.#clock.setTimer(() => {
      if (this.#ports.get(port.name) === port && port.connection === connection) {
        port.reconnect();
      }
    }, waitMs);
  }

  #remove(port: Port): void {
    this.#interests.removeAllOf(port);
    port.end();
    if (this.#ports.get(port.name) === port) {
      this.#ports.delete(port.name);
    }
  }

  #port(name: string): Port {
    const port = this.#ports.get(name);
    if (port === undefined) {
      throw new SupercastError("config_mismatch", `no client named ${JSON.stringify(name)} is at the hub`);
    }
    return port;
  }
}

function isConnected({ owner }: { readonly owner: Port }): boolean {
  return owner.connected;
}

function copyOf(parcel: Parcel): Parcel {
  return { ...parcel, payload: new Uint8Array(parcel.payload) };
}

function forPairs(
  left: string | readonly string[],
  right: string | readonly string[],
  act: (from: string, to: string) => void,
): void {
  for (const from of typeof left === "string" ? [left] : left) {
    for (const to of typeof right === "string" ? [right] : right) {
      act(from, to);
    }
  }
}
