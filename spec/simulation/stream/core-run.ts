/**
 * The protocol alone: pure replicas on a network that does whatever it likes, with the observer of the simulator
 * and the witness of the random walks on every step. The driver is that of the walks (`replicas.ts`); here things
 * happen in time.
 *
 * There are no actors, no node floor and no clients here, so letters are lost, repeated, delayed and overtaken
 * one by one, which the node floor never lets happen, and a run costs a few milliseconds. What it does not
 * have (answers to callers, the replicated state, storage) is the business of `run.ts`.
 */
import { type Random, seededRandom } from "../../../lib/base/random.ts";
import { majorityOf } from "../../../lib/stream/configuration.ts";
import { nodeOf, type ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { StreamEvent, StreamSettings } from "../../../lib/stream/replica-state.ts";
import { coreSettings } from "../../../lib/stream/settings.ts";
import { createReplica } from "../../../lib/stream/step.ts";
import { canPropose } from "../../../lib/stream/writer.ts";
import { Witness } from "../../stream/walk/witness.ts";
import { Agenda } from "./agenda.ts";
import { CoreCluster } from "./core-cluster.ts";
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
  readonly #cluster: CoreCluster;
  readonly #witness = new Witness();
  readonly #observer: Observer;
  readonly #world: World;
  readonly #trace: Trace;
  readonly #network: CoreNetwork;
  #serial = 0;
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
    this.#cluster = new CoreCluster({
      agenda: this.#agenda,
      random: this.#random,
      settings: this.#settings,
      network: this.#network,
      observer: this.#observer,
      witness: this.#witness,
    });
  }

  run(): CoreResult {
    const nodes = ["a", "b", "c", "d", "e"].slice(0, between(this.#random, 3, 5));
    const first = nodes.slice(0, nodes.length === 5 && chance(this.#random, 0.5) ? 5 : 3);
    const ids = first.map((node) => this.#cluster.newId(node));
    const genesis = majorityOf(ids);
    for (const [index, node] of nodes.entries()) {
      const id = ids[index] ?? this.#cluster.newId(node);
      const origin = { genesis: index < ids.length ? genesis : null };
      this.#cluster.add(node, createReplica(id, this.#settings, origin));
    }
    for (const cell of this.#cluster.cells) {
      this.#agenda.at(this.#random.next() * 100, () => this.#cluster.tick(cell));
    }
    this.#agenda.at(0, () => this.#work());
    this.#agenda.at(1_000, () => this.#harm(nodes));
    this.#agenda.at(500, () => this.#keep(nodes));
    this.#agenda.runUntil(HEAL_AT_MS);
    this.#heal(nodes);
    this.#agenda.runUntil(RUN_MS);
    expectLife(this.#world, this.#writer(), this.#cluster.cells);
    for (const { line } of this.#witness.violations) {
      this.#world.violate("witness", line);
    }
    const { violations } = this.#world;
    return {
      seed: this.#seed,
      violations,
      hash: this.#trace.hash(),
      trace: this.#trace,
      world: this.#world,
      steps: this.#cluster.steps,
    };
  }

  // --- work, harm, members ------------------------------------------------------------------------

  #writer(): Cell | undefined {
    const open = this.#cluster.cells.filter(({ alive, state }) => alive && state.role === "open");
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
      this.#cluster.step(writer, { type: "propose", payloads });
    }
    this.#cluster.later(this.#random.next() * 300, () => this.#work());
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
        this.#crash(this.#cluster.on(aimed), lasts);
        break;
      case 1:
        this.#pause(this.#cluster.on(aimed), lasts);
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
        this.#moveRole(this.#cluster.on(aimed));
    }
    this.#cluster.later(spread(this.#random, 100, 4_000), () => this.#harm(nodes));
  }

  #pause(cell: Cell | undefined, lasts: number): void {
    if (cell !== undefined) {
      this.#trace.note("net", `pause ${shortId(cell.id)} for ${lasts}`);
      cell.pausedUntil = this.#agenda.now + lasts;
    }
  }

  #moveRole(cell: Cell | undefined): void {
    const to = pick(this.#random, this.#cluster.cells);
    if (cell?.alive === true && to !== undefined) {
      const event: StreamEvent = chance(this.#random, 0.5)
        ? { type: "claim", configuration: null, force: true }
        : { type: "handOver", to: to.id };
      this.#cluster.step(cell, event);
    }
  }

  #cutOff(links: readonly string[], lasts: number): void {
    this.#trace.note("net", `cut ${links.join(" ")} for ${lasts}`);
    for (const link of links) {
      this.#network.cut.add(link);
      this.#cluster.later(lasts, () => this.#network.cut.delete(link));
    }
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
    this.#cluster.end(cell, !disk);
    const { life } = cell;
    this.#cluster.later(downMs, () => {
      if (cell.life === life) {
        this.#cluster.restart(cell);
      }
    });
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
        this.#cluster.step(writer, { type: "claim", configuration: majorityOf(changed), force: false });
      }
    }
    this.#cluster.later(300 + this.#random.next() * 2_000, () => this.#keep(nodes));
  }

  /** Lost members are replaced by those that run in their place, as an operator would do. */
  #withoutLost(members: readonly ReplicaId[]): ReplicaId[] {
    return members.map((member) => {
      const here = this.#cluster.on(nodeOf(member));
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
    const old = this.#cluster.on(node);
    if (old === undefined || !keepsQuorums(this.#world, old.id)) {
      return null;
    }
    this.#cluster.refresh(old);
    return old.id;
  }

  // --- the end ------------------------------------------------------------------------------------

  #heal(nodes: readonly string[]): void {
    this.#trace.note("net", "heal");
    this.#healing = true;
    this.#network.heal();
    for (const node of nodes) {
      const cell = this.#cluster.on(node);
      if (cell !== undefined) {
        cell.pausedUntil = 0;
        if (!cell.alive) {
          this.#cluster.restart(cell);
        }
      }
    }
  }
}

/** One seed; `keptTrace`: records of the trace that are kept. */
export function runCore(seed: number, keptTrace: number = RECORDS_KEPT): CoreResult {
  return new CoreRun(seed, keptTrace).run();
}
