/**
 * The protocol alone: pure replicas on a network that does whatever it likes, with the observer on every step.
 *
 * There are no actors, no node floor and no clients here, so letters are lost, repeated, delayed and overtaken
 * one by one, which the node floor never lets happen, and a run costs a few milliseconds. What it does not
 * have (answers to callers, the replicated state, storage) is the business of `run.ts`.
 */
import { type Random, seededRandom } from "../../../lib/base/random.ts";
import { majorityOf } from "../../../lib/stream/configuration.ts";
import type { Position } from "../../../lib/stream/entry.ts";
import type { Message } from "../../../lib/stream/messages.ts";
import { nodeOf, type ReplicaId, replicaId } from "../../../lib/stream/replica-id.ts";
import type {
  ReplicaState,
  StreamEffect,
  StreamEvent,
  StreamSettings,
} from "../../../lib/stream/replica-state.ts";
import { coreSettings } from "../../../lib/stream/settings.ts";
import { createReplica, step } from "../../../lib/stream/step.ts";
import { canPropose } from "../../../lib/stream/writer.ts";
import { Agenda } from "./agenda.ts";
import { expectLife } from "./core-life.ts";
import { CoreNetwork } from "./core-network.ts";
import type { Cell, CoreResult } from "./core-types.ts";
import { between, chance, pick, spread } from "./draw.ts";
import { Observer } from "./observer.ts";
import { drawSettings } from "./plan.ts";
import { keepsQuorums } from "./quorums.ts";
import { RECORDS_KEPT, Trace } from "./trace.ts";
import { shortId, World } from "./world.ts";

const RUN_MS = 60_000;
const HEAL_AT_MS = 45_000;
/** Then nothing new is asked for any more. */
const REST_AT_MS = 55_000;

class CoreRun {
  readonly #seed: number;
  readonly #random: Random;
  readonly #agenda = new Agenda();
  readonly #settings: StreamSettings;
  readonly #cells = new Map<ReplicaId, Cell>();
  readonly #onNode = new Map<string, Cell>();
  readonly #observer: Observer;
  readonly #world: World;
  readonly #trace: Trace;
  readonly #network: CoreNetwork;
  #serial = 0;
  #steps = 0;
  #healing = false;

  constructor(seed: number, keptTrace: number) {
    this.#seed = seed;
    this.#random = seededRandom(`core ${seed}`);
    this.#trace = new Trace(() => this.#agenda.now, keptTrace);
    this.#world = new World(
      this.#trace,
      () => this.#agenda.now,
      () => this.#agenda.now,
    );
    this.#observer = new Observer(this.#world);
    const durability = chance(this.#random, 0.4) ? "disk" : "memory";
    this.#settings = coreSettings(drawSettings(this.#random.fork("settings")), durability, "strong");
    this.#network = new CoreNetwork(this.#random.fork("network"));
  }

  run(): CoreResult {
    const nodes = ["a", "b", "c", "d", "e"].slice(0, between(this.#random, 3, 5));
    const first = nodes.slice(0, nodes.length === 5 && chance(this.#random, 0.5) ? 5 : 3);
    const ids = first.map((node) => this.#newId(node));
    for (const id of ids) {
      this.#begin(id, createReplica(id, this.#settings, { genesis: majorityOf(ids) }));
    }
    for (const node of nodes) {
      this.#agenda.at(this.#random.next() * 100, () => this.#tick(node));
    }
    this.#agenda.at(0, () => this.#work());
    this.#agenda.at(1_000, () => this.#harm(nodes));
    this.#agenda.at(500, () => this.#keep(nodes));
    this.#agenda.runUntil(HEAL_AT_MS);
    this.#heal(nodes);
    this.#agenda.runUntil(RUN_MS);
    expectLife(this.#world, this.#writer(), this.#onNode);
    const { violations } = this.#world;
    return {
      seed: this.#seed,
      violations,
      hash: this.#trace.hash(),
      trace: this.#trace,
      world: this.#world,
      steps: this.#steps,
    };
  }

  // --- replicas -----------------------------------------------------------------------------------

  #newId(node: string): ReplicaId {
    return replicaId(node, this.#random.token(8));
  }

  #begin(id: ReplicaId, state: ReplicaState): Cell {
    const probe = this.#observer.probe();
    const cell: Cell = { id, state, pausedUntil: 0, alive: true, probe, durable: state, nudged: false };
    this.#cells.set(id, cell);
    this.#onNode.set(nodeOf(id), cell);
    return cell;
  }

  #tick(node: string): void {
    const cell = this.#onNode.get(node);
    if (cell?.alive === true && cell.pausedUntil <= this.#agenda.now) {
      this.#step(cell, { type: "tick", draw: this.#random.next() });
      const { role } = cell.state;
      const to = pick(this.#random, [...this.#onNode.values()]);
      if (role === "empty" && to !== undefined && to !== cell) {
        this.#step(cell, { type: "join", to: to.id });
      }
    }
    this.#agenda.at(this.#agenda.now + 100, () => this.#tick(node));
  }

  #step(cell: Cell, event: StreamEvent): void {
    if (!cell.alive) {
      return;
    }
    if (cell.pausedUntil > this.#agenda.now) {
      this.#agenda.at(cell.pausedUntil, () => this.#step(cell, event));
      return;
    }
    this.#steps += 1;
    const before = cell.state;
    let effects: readonly StreamEffect[];
    try {
      ({ state: cell.state, effects } = step(before, event, this.#agenda.now));
    } catch (thrown) {
      this.#world.violate("step", `${shortId(cell.id)} at ${event.type}: ${String(thrown)}`);
      this.#lose(cell);
      return;
    }
    cell.probe(before, event, cell.state, effects);
    for (const effect of effects) {
      this.#perform(cell, effect);
    }
  }

  #perform(cell: Cell, effect: StreamEffect): void {
    switch (effect.type) {
      case "send":
        for (const to of effect.to) {
          this.#send(cell.id, to, effect.message);
        }
        return;
      case "store":
        this.#store(cell, effect.mark);
        return;
      case "sendSnapshot":
        this.#transfer(cell, effect.to);
        return;
      case "nudge":
        if (!cell.nudged) {
          cell.nudged = true;
          this.#later(5, () => {
            cell.nudged = false;
            this.#step(cell, { type: "nudged" });
          });
        }
        return;
      default:
        return;
    }
  }

  /** Stores end in their order, each a little later. */
  #store(cell: Cell, mark: number): void {
    const { state } = cell;
    this.#later(1 + this.#random.next() * 10, () => {
      if (cell.alive && mark > cell.durable.mark) {
        cell.durable = state;
        this.#step(cell, { type: "stored", mark });
      }
    });
  }

  #transfer(cell: Cell, to: ReplicaId): void {
    const { log, commitSeq } = cell.state;
    const base = log.position(commitSeq);
    const receiver = this.#cells.get(to);
    const lost = receiver === undefined || this.#network.delays(nodeOf(cell.id), nodeOf(to)).length === 0;
    this.#later(20 + this.#random.next() * 200, () => {
      if (!lost && base !== null) {
        this.#step(receiver, { type: "snapshotReceived", base: copyOf(base) });
      }
      this.#step(cell, { type: "snapshotSent", to, seq: lost || base === null ? null : base.seq });
    });
  }

  #later(ms: number, run: () => void): void {
    this.#agenda.at(this.#agenda.now + ms, run);
  }

  // --- the network --------------------------------------------------------------------------------

  #send(from: ReplicaId, to: ReplicaId, message: Message): void {
    for (const delayMs of this.#network.delays(nodeOf(from), nodeOf(to))) {
      this.#later(delayMs, () => {
        const cell = this.#cells.get(to);
        if (cell !== undefined) {
          this.#step(cell, { type: "message", from, message });
        }
      });
    }
  }

  // --- work, harm, members ------------------------------------------------------------------------

  #writer(): Cell | undefined {
    const open = [...this.#onNode.values()].filter(({ alive, state }) => alive && state.role === "open");
    return pick(this.#random, open);
  }

  #work(): void {
    if (this.#agenda.now > REST_AT_MS) {
      return;
    }
    const writer = this.#writer();
    if (writer !== undefined && canPropose(writer.state)) {
      const payloads = Array.from({ length: between(this.#random, 1, 3) }, () => {
        this.#serial += 1;
        return Uint8Array.from(String(this.#serial), (digit) => digit.charCodeAt(0));
      });
      this.#step(writer, { type: "propose", payloads });
    }
    this.#later(this.#random.next() * 300, () => this.#work());
  }

  #harm(nodes: readonly string[]): void {
    if (this.#healing) {
      return;
    }
    const node = pick(this.#random, nodes) ?? "a";
    const other = pick(this.#random, nodes) ?? "b";
    const aimed = chance(this.#random, 0.4) ? nodeOf(this.#writer()?.id ?? `${node}/`) : node;
    const lasts = spread(this.#random, 100, 5_000);
    switch (this.#random.below(6)) {
      case 0:
        this.#crash(this.#onNode.get(aimed), lasts);
        break;
      case 1:
        this.#pause(this.#onNode.get(aimed), lasts);
        break;
      case 2:
        this.#cutOff([`${node}>${other}`], lasts);
        break;
      case 3:
        this.#cutOff([`${node}>${other}`, `${other}>${node}`], lasts);
        break;
      case 4:
        this.#cutOff(
          nodes.flatMap((each) => [`${aimed}>${each}`, `${each}>${aimed}`]),
          lasts,
        );
        break;
      default:
        this.#moveRole(this.#onNode.get(aimed));
    }
    this.#later(spread(this.#random, 100, 4_000), () => this.#harm(nodes));
  }

  #pause(cell: Cell | undefined, lasts: number): void {
    if (cell !== undefined) {
      this.#trace.note("net", `pause ${shortId(cell.id)} for ${lasts}`);
      cell.pausedUntil = this.#agenda.now + lasts;
    }
  }

  #moveRole(cell: Cell | undefined): void {
    const to = pick(this.#random, [...this.#onNode.values()]);
    if (cell?.alive === true && to !== undefined) {
      const event: StreamEvent = chance(this.#random, 0.5)
        ? { type: "claim", configuration: null, force: true }
        : { type: "handOver", to: to.id };
      this.#step(cell, event);
    }
  }

  #cutOff(links: readonly string[], lasts: number): void {
    this.#trace.note("net", `cut ${links.join(" ")} for ${lasts}`);
    for (const link of links) {
      this.#network.cut.add(link);
      this.#later(lasts, () => this.#network.cut.delete(link));
    }
  }

  #lose(cell: Cell): void {
    cell.alive = false;
    this.#observer.ended(cell.id, true);
  }

  #crash(cell: Cell | undefined, downMs: number): void {
    if (cell === undefined || !cell.alive) {
      return;
    }
    const disk = this.#settings.durability === "disk";
    if (!disk && !keepsQuorums(this.#world, cell.id)) {
      return;
    }
    this.#trace.note("net", `crash of ${shortId(cell.id)}`);
    cell.alive = false;
    this.#observer.ended(cell.id, !disk);
    this.#later(downMs, () => this.#restart(cell, disk));
  }

  #restart(cell: Cell, disk: boolean): void {
    const node = nodeOf(cell.id);
    if (this.#onNode.get(node) !== cell) {
      return;
    }
    if (disk) {
      const { hard, log, commitSeq, tailCertain } = cell.durable;
      const stored = { hard, log, commitSeq, tailCertain };
      const nowMs = this.#agenda.now;
      this.#begin(cell.id, createReplica(cell.id, this.#settings, { stored, nowMs, life: `${nowMs}` }));
    } else {
      const id = this.#newId(node);
      this.#begin(id, createReplica(id, this.#settings));
    }
  }

  #keep(nodes: readonly string[]): void {
    if (this.#agenda.now > REST_AT_MS) {
      return;
    }
    const writer = this.#writer();
    const configuration = writer?.state.writer?.configuration;
    if (writer !== undefined && configuration !== undefined) {
      const members = this.#withoutLost(configuration.members);
      const changed = this.#healing ? members : this.#change(nodes, members);
      if (changed.join() !== configuration.members.join() && changed.includes(writer.id)) {
        this.#step(writer, { type: "claim", configuration: majorityOf(changed), force: false });
      }
    }
    this.#later(300 + this.#random.next() * 2_000, () => this.#keep(nodes));
  }

  /** Lost members are replaced by those that run in their place, as an operator would do. */
  #withoutLost(members: readonly ReplicaId[]): ReplicaId[] {
    return members.map((member) => {
      const here = this.#onNode.get(nodeOf(member));
      const lost = this.#world.replicas.get(member)?.lost === true;
      return lost && here?.alive === true ? here.id : member;
    });
  }

  #change(nodes: readonly string[], members: readonly ReplicaId[]): ReplicaId[] {
    const spare = nodes.filter((node) => !members.some((member) => nodeOf(member) === node));
    const add = pick(this.#random, spare);
    if (add !== undefined && chance(this.#random, 0.3)) {
      const fresh = this.#fresh(add);
      return fresh === null ? [...members] : [...members, fresh];
    }
    const gone = members.length > 3 && chance(this.#random, 0.4) ? pick(this.#random, members) : undefined;
    return members.filter((member) => member !== gone);
  }

  /** An empty replica in place of the one on a node that is no member; null when that one is still needed. */
  #fresh(node: string): ReplicaId | null {
    const old = this.#onNode.get(node);
    if (old !== undefined && !keepsQuorums(this.#world, old.id)) {
      return null;
    }
    if (old !== undefined) {
      this.#lose(old);
    }
    const id = this.#newId(node);
    this.#begin(id, createReplica(id, this.#settings));
    return id;
  }

  // --- the end ------------------------------------------------------------------------------------

  #heal(nodes: readonly string[]): void {
    this.#trace.note("net", "heal");
    this.#healing = true;
    this.#network.heal();
    for (const node of nodes) {
      const cell = this.#onNode.get(node);
      if (cell !== undefined) {
        cell.pausedUntil = 0;
        if (!cell.alive) {
          this.#restart(cell, this.#settings.durability === "disk");
        }
      }
    }
  }
}

function copyOf({ seq, epoch, chain }: Position): Position {
  return { seq, epoch, chain };
}

/** One seed; `keptTrace`: records of the trace that are kept. */
export function runCore(seed: number, keptTrace: number = RECORDS_KEPT): CoreResult {
  return new CoreRun(seed, keptTrace).run();
}
