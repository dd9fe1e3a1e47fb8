/**
 * The operator of a simulated stream: replaces members that are lost by those that run in their place, and
 * carries out the changes of members that the plan asks for, learner first, then one epoch change.
 *
 * It gives its orders as an operator would, by calls to the replica that writes, and sees what a god sees when
 * it chooses. An order may fail or be forgotten: the next look at the cluster gives another.
 */

import type { Random } from "../../../lib/base/random.ts";
import { compareEpochs } from "../../../lib/journal/epoch.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import { nodeOf } from "../../../lib/stream/replica-id.ts";
import { streamActorName } from "../../../lib/stream/requests.ts";
import { at, chance, shuffled } from "./draw.ts";
import type { Host } from "./host.ts";
import { type Hosts, STREAM } from "./hosts.ts";
import { isReleased } from "./observed-keeping.ts";
import type { Fault } from "./plan.ts";
import { shortId } from "./world.ts";

/** How long a wish for other members is kept. */
const WISH_MS = 12_000;
const ORDER_TIMEOUT_MS = 6_000;

/** A change of members that is still to come. Nodes, because a replica may restart meanwhile. */
interface Wish {
  readonly add: string | null;
  readonly remove: string | null;
  readonly until: number;
}

export class Members {
  readonly actorName = streamActorName(STREAM);
  readonly #hosts: Hosts;
  readonly #random: Random;
  /** Whether replicas are made members before they have caught up. */
  readonly #hasty: boolean;
  #wishes: Wish[] = [];
  #ordered = false;
  #settling = false;
  #stopped = false;

  constructor(hosts: Hosts) {
    this.#hosts = hosts;
    this.#random = hosts.sim.random.fork("members");
    this.#hasty = chance(this.#random, 0.3);
  }

  /** The host of the open writer with the newest epoch, as a god knows it. */
  get writer(): Host | null {
    let best: Host | null = null;
    for (const host of this.#hosts.live) {
      const replica = host.home?.replica;
      const than = best?.home?.replica.hard.promise;
      if (replica?.role === "open" && (than === undefined || compareEpochs(replica.hard.promise, than) > 0)) {
        best = host;
      }
    }
    return best;
  }

  begin(): void {
    this.#hosts.later(200 + this.#random.next() * 500, () => {
      if (!this.#stopped) {
        this.#look();
        this.begin();
      }
    });
  }

  /** No more orders. */
  stop(): void {
    this.#stopped = true;
  }

  /** No more changes but those that the stream needs to be whole. */
  settle(): void {
    this.#settling = true;
    this.#wishes = [];
  }

  /** What a fault of the class "membership" asks for; whether anything comes of it. */
  change({ kind, draw, draw2, oneWay }: Fault, host: Host): boolean {
    const { writer } = this;
    const members = this.#memberNodes();
    const spare = this.#hosts.plan.nodes.filter((name) => !members.includes(name));
    const add = at(spare, draw2) ?? null;
    const remove = at(members, draw) ?? null;
    switch (kind) {
      case "add":
        return this.#wish(add, null);
      case "remove":
        return members.length > 2 && this.#wish(null, remove);
      case "replace":
        return add !== null && this.#wish(add, remove);
      case "race":
        return this.#race(draw, draw2);
      case "handOver": {
        const to = at(this.#memberIds(), draw2);
        if (writer === null || to === undefined || to === writer.replica) {
          return false;
        }
        this.#order(writer, { type: "handOver", to });
        return true;
      }
      case "claim":
        if (host.home === null) {
          return false;
        }
        this.#order(host, { type: "claim", force: oneWay });
        return true;
      default:
        return false;
    }
  }

  #wish(add: string | null, remove: string | null): boolean {
    if (add === null && remove === null) {
      return false;
    }
    this.#wishes.push({ add, remove, until: this.#hosts.sim.clock.now() + WISH_MS });
    if (add !== null) {
      this.#prepare(this.#hosts.get(add));
    }
    return true;
  }

  /** A replica that waits to be fed: none yet, or one that is out of the stream makes room for a new one. */
  #prepare(host: Host): void {
    host.wanted = true;
    const replica = host.home?.replica;
    const released = replica?.role === "gone" && isReleased(replica);
    if (host.home === null) {
      this.#hosts.startReplica(host);
    } else if ((released || replica?.role === "damaged") && this.#hosts.mayLose(host)) {
      if (released) {
        this.#hosts.observer.deletes(replica.self);
      }
      this.#hosts.kill(host, { wipe: true });
      this.#hosts.later(50, () => this.#hosts.start(host));
    }
  }

  /** Two changes at once: the writer is asked for other members while somebody else claims. */
  #race(draw: number, draw2: number): boolean {
    const { writer } = this;
    const members = this.#memberIds();
    const other = at(
      this.#hosts.live.filter((host) => host !== writer && host.home !== null),
      draw2,
    );
    if (writer === null || other === undefined || members.length < 3) {
      return false;
    }
    const without = members.filter((member) => member !== at(members, draw) || member === writer.replica);
    this.#order(writer, { type: "reconfigure", members: without.length < 2 ? members : without });
    this.#order(other, { type: "claim", force: true });
    return true;
  }

  // --- what the stream needs ----------------------------------------------------------------------

  #look(): void {
    const { writer } = this;
    const now = this.#hosts.sim.clock.now();
    this.#wishes = this.#wishes.filter(({ until }) => until > now);
    for (const host of this.#hosts.all.values()) {
      this.#hosts.hooks.look(host);
      this.#replaceDamaged(host);
    }
    if (writer === null || this.#ordered) {
      return;
    }
    const present = this.#configuration(writer);
    if (this.#settling) {
      this.#dismissLearners(present);
    }
    const wanted = this.#wanted(writer, present);
    if (wanted.join() !== present.join() && wanted.length > 0) {
      this.#ordered = true;
      const message = { type: "reconfigure", members: this.#inSomeOrder(wanted) };
      this.#order(writer, message, () => {
        this.#ordered = false;
      });
    }
  }

  /** A damaged replica is wiped and begins anew, as an operator would do after the alarm. */
  #replaceDamaged(host: Host): void {
    const { home } = host;
    if (home?.replica.role === "damaged" && !host.starting && host.disk !== null) {
      this.#hosts.kill(host, { wipe: true });
      this.#hosts.later(300, () => this.#hosts.start(host));
    }
  }

  /** Replicas that wait to be fed and are not needed would stand in the way of those that are. */
  #dismissLearners(present: readonly ReplicaId[]): void {
    const { founders } = this.#hosts.plan;
    for (const host of this.#hosts.live) {
      const belongs = present.some((member) => nodeOf(member) === host.name);
      const needed = belongs || (present.length < founders.length && founders.includes(host.name));
      if (!needed && host.home !== null && this.#hosts.mayLose(host)) {
        host.wanted = false;
        this.#hosts.kill(host, { wipe: true });
        this.#hosts.start(host);
      }
    }
  }

  #wanted(writer: Host, present: readonly ReplicaId[]): ReplicaId[] {
    const replaced = present.map((member) => this.#successorOf(member, writer));
    if (replaced.join() !== present.join()) {
      return replaced;
    }
    for (const wish of this.#wishes) {
      const wanted = this.#withWish(wish, writer, present);
      if (wanted !== null) {
        this.#wishes = this.#wishes.filter((each) => each !== wish);
        return wanted;
      }
    }
    return this.#settling ? this.#enough(writer, present) : [...present];
  }

  /** The replica that runs where a lost member did, once it is fit to be one. */
  #successorOf(member: ReplicaId, writer: Host): ReplicaId {
    const host = this.#hosts.get(nodeOf(member));
    const lost = this.#hosts.observer.world.replicas.get(member)?.lost === true || host.replica !== member;
    const fit = lost && host.replica !== null && host.replica !== member && this.#isFit(host, writer);
    return fit && host.replica !== null ? host.replica : member;
  }

  #withWish({ add, remove }: Wish, writer: Host, present: readonly ReplicaId[]): ReplicaId[] | null {
    const rest = present.filter((member) => nodeOf(member) !== remove);
    if (remove !== null && rest.length === present.length && add === null) {
      return null;
    }
    if (add === null) {
      // A writer cannot leave by itself: it hands over first.
      return rest.length < 2 || nodeOf(writer.replica ?? "") === remove ? null : rest;
    }
    const host = this.#hosts.get(add);
    const isNew = !present.some((member) => nodeOf(member) === add);
    const stays = nodeOf(writer.replica ?? "") === remove ? present : rest;
    return isNew && host.replica !== null && this.#isFit(host, writer) ? [...stays, host.replica] : null;
  }

  /** At rest there are as many members as in the beginning, as far as nodes are there. */
  #enough(writer: Host, present: readonly ReplicaId[]): ReplicaId[] {
    const { founders } = this.#hosts.plan;
    if (present.length >= founders.length) {
      return [...present];
    }
    const missing = founders
      .map((name) => this.#hosts.get(name))
      .find(({ name }) => !present.some((member) => nodeOf(member) === name));
    if (missing === undefined) {
      return [...present];
    }
    this.#prepare(missing);
    return missing.replica !== null && this.#isFit(missing, writer)
      ? [...present, missing.replica]
      : [...present];
  }

  /** Whether a replica may become a member: it has caught up, or nobody cares. */
  #isFit(host: Host, writer: Host): boolean {
    const replica = host.home?.replica;
    const progress = writer.home?.replica.writer?.progress.get(host.replica ?? "");
    if (replica === undefined || replica.role === "gone" || replica.role === "damaged") {
      return false;
    }
    return (this.#hasty && !this.#settling) || progress?.caughtUp === true || progress?.member === true;
  }

  #inSomeOrder(members: readonly ReplicaId[]): ReplicaId[] {
    return chance(this.#random, 0.3) ? shuffled(this.#random, members) : [...members];
  }

  #configuration(writer: Host): readonly ReplicaId[] {
    return writer.home?.replica.writer?.configuration.members ?? [];
  }

  #memberIds(): readonly ReplicaId[] {
    return this.#hosts.observer.world.newest?.configuration.members ?? [];
  }

  #memberNodes(): string[] {
    return this.#memberIds().map(nodeOf);
  }

  #order(
    host: Host,
    message: { type: string; members?: readonly ReplicaId[]; [field: string]: unknown },
    done: () => void = () => undefined,
  ): void {
    const { sim, name } = host;
    const { trace } = this.#hosts;
    if (sim === null || (message.members !== undefined && !this.#hosts.couldGoOn(message.members))) {
      done();
      return;
    }
    const shown = JSON.stringify(message, (_, value: unknown) => {
      return typeof value === "string" && value.includes("/") ? shortId(value) : value;
    });
    trace.note(name, `ORDER ${shown}`);
    let open = true;
    const finish = (how: string): void => {
      if (open) {
        open = false;
        trace.note(name, `order ${message.type}: ${how}`);
        done();
      }
    };
    const { system } = sim.node;
    system.call({ name: this.actorName, node: name }, message, { timeoutMs: ORDER_TIMEOUT_MS }).then(
      (answer) => finish(JSON.stringify(answer)),
      (thrown: unknown) => finish(thrown instanceof Error ? thrown.message : String(thrown)),
    );
    // A node that dies or sleeps never says so.
    this.#hosts.later(ORDER_TIMEOUT_MS + 500, () => finish("nobody answered"));
  }
}
