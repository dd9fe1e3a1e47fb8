/**
 * A walk through faults over whole clusters: nodes are killed, restarted, paused, cut off, taken out and put in
 * by hand, while clients write unique values and read them in quorum mode at any node. Then everything heals,
 * and the cluster has to come to rest as its map wants it, with a history that is linearizable.
 *
 * In memory a node is killed only while every member of every stream lives: more would be a loss that nobody
 * can prevent. All that happens follows from the seed.
 */
import { SupercastError } from "../../../lib/base/errors.ts";
import { type Random, seededRandom } from "../../../lib/base/random.ts";
import type { NodeOptions } from "../../../lib/config/options.ts";
import { checkLinearizability, explain } from "../../checkers/linearizability.ts";
import { keyValueModel } from "../../checkers/models.ts";
import { agreed, mapOf, replicaAt, unsettled, writerOf } from "../../support/data.ts";
import { SimCluster } from "../../support/sim-cluster.ts";
import { WalkClients } from "./walk-clients.ts";

export interface WalkOptions {
  readonly seed: number;
  readonly durability: "memory" | "disk";
  readonly faultsMs?: number;
  /** Called with what happens, for whoever looks for the cause of a failure. */
  readonly trace?: (text: string) => void;
}

export interface WalkResult {
  /** What went wrong; empty when nothing did. */
  readonly problems: readonly string[];
  readonly acknowledged: number;
  readonly unknown: number;
  readonly reads: number;
  readonly faults: number;
}

const CLIENTS = 3;
const KEYS = 3;
const PARTITIONS = 2;
const HEAL_LIMIT_MS = 60_000;
const FAULTS_MS = 10_000;
const STEP_MS = 100;

export async function walk(options: WalkOptions): Promise<WalkResult> {
  const run = new Walk(options);
  return await run.go();
}

class Walk {
  readonly #sim: SimCluster;
  readonly #random: Random;
  readonly #options: WalkOptions;
  readonly #names: readonly string[];
  readonly #clients: WalkClients;
  readonly #problems: string[] = [];
  readonly #paused = new Set<string>();
  readonly #starting = new Set<string>();
  #takenOut: string | null = null;
  #faults = 0;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#sim = new SimCluster(`walk ${options.seed}`);
    this.#random = seededRandom(`walk ${options.seed}`);
    this.#names = this.#random.below(2) === 0 ? ["a", "b", "c", "d"] : ["a", "b", "c", "d", "e"];
    const isHeld = (name: string): boolean => this.#paused.has(name);
    this.#clients = new WalkClients(this.#sim, { keys: KEYS, partitions: PARTITIONS, isHeld });
  }

  async go(): Promise<WalkResult> {
    const { faultsMs = FAULTS_MS } = this.#options;
    await this.#begin();
    const clients = Array.from({ length: CLIENTS }, (_, index) =>
      this.#clients.work(index, this.#random.fork(`client ${index}`)),
    );
    const endAt = this.#sim.clock.now() + faultsMs;
    while (this.#sim.clock.now() < endAt) {
      await this.#sim.advance(STEP_MS + this.#random.below(900));
      await this.#fault();
    }
    await this.#heal();
    this.#clients.end();
    await this.#sim.run(Promise.all(clients));
    await this.#readAll();
    await this.#compareCopies();
    this.#judge();
    await this.#sim.stopAll();
    return this.#result();
  }

  async #begin(): Promise<void> {
    this.#sim.hub.setFaults({ delayMs: [0, 2] });
    await Promise.all(this.#names.map((name) => this.#start(name)).map((start) => this.#sim.run(start)));
    await this.#sim.until(() => agreed(this.#sim), 20_000);
  }

  async #start(name: string): Promise<void> {
    const data = this.#options.durability === "disk" ? { dataDir: "/data" } : {};
    const node: Partial<NodeOptions> = {
      ...{ partitions: PARTITIONS, actorsOnly: false, peers: [...this.#names], evictAfterMs: 4_000 },
      ...data,
    };
    this.#starting.add(name);
    try {
      await this.#sim.begin(name, node);
    } catch (thrown) {
      this.#problems.push(`${name} did not start: ${String(thrown)}`);
    } finally {
      this.#starting.delete(name);
    }
  }

  // --- faults -------------------------------------------------------------------------------------

  async #fault(): Promise<void> {
    const name = this.#names[this.#random.below(this.#names.length)] ?? "";
    const other = this.#names[this.#random.below(this.#names.length)] ?? "";
    const lives = this.#sim.nodes.has(name) && !this.#starting.has(name);
    switch (this.#random.below(8)) {
      case 0:
      case 1:
        if (lives && (await this.#mayBeKilled())) {
          this.#kill(name);
        }
        break;
      case 2:
        if (lives && !this.#paused.has(name)) {
          this.#hold(name, 200 + this.#random.below(4_000));
        }
        break;
      case 3:
        this.#cut([name], this.#names, false);
        break;
      case 4:
        this.#cut([name], name === other ? this.#names : [other], this.#random.below(2) === 0);
        break;
      case 5:
        this.#cut(this.#names.slice(0, 2), this.#names.slice(2), this.#random.below(3) === 0);
        break;
      case 6:
        this.#trace("heals");
        this.#sim.hub.clearFaults();
        this.#sim.hub.setFaults({ delayMs: [0, 2] });
        break;
      case 7:
        await this.#byHand(name);
        break;
      default:
        break;
    }
  }

  #kill(name: string): void {
    const power = this.#options.durability === "disk" && this.#random.below(2) === 0;
    this.#trace(`kills ${name}${power ? " with its machine" : ""}`);
    this.#faults += 1;
    this.#sim.resume(name);
    this.#paused.delete(name);
    this.#sim.kill(name, power);
    this.#starting.add(name);
    this.#sim.clock.setTimer(() => {
      this.#trace(`starts ${name}`);
      void this.#start(name);
    }, 100 + this.#random.below(4_000));
  }

  #hold(name: string, ms: number): void {
    this.#trace(`pauses ${name} for ${ms}`);
    this.#faults += 1;
    const held = this.#sim.get(name);
    this.#sim.pause(name);
    this.#paused.add(name);
    this.#sim.clock.setTimer(() => {
      if (this.#paused.has(name) && this.#sim.nodes.get(name) === held) {
        this.#sim.resume(name);
        this.#paused.delete(name);
      }
    }, ms);
  }

  #cut(left: readonly string[], all: readonly string[], oneWay: boolean): void {
    const right = all.filter((name) => !left.includes(name));
    this.#trace(`cuts ${left.join()} ${oneWay ? ">" : "|"} ${right.join()}`);
    this.#faults += 1;
    this.#sim.hub.partition(left, right, oneWay);
    this.#sim.clock.setTimer(() => this.#sim.hub.heal(left, right), 300 + this.#random.below(4_000));
  }

  async #byHand(name: string): Promise<void> {
    const at = this.#clients.anyNode(this.#random);
    const node = this.#takenOut ?? name;
    const type = this.#takenOut === null ? "nodeDown" : "nodeUp";
    if (at === null || at === node || this.#starting.size > 0) {
      return;
    }
    this.#trace(`${type} of ${node} by hand at ${at}`);
    this.#faults += 1;
    const outcome = await this.#sim.run(this.#byHandAt(at, type, node));
    this.#trace(`${type} of ${node}: ${outcome}`);
    if (outcome === "ok") {
      this.#takenOut = type === "nodeDown" ? node : null;
    }
  }

  async #byHandAt(at: string, type: "nodeDown" | "nodeUp", node: string): Promise<string> {
    const asked = this.#sim
      .get(at)
      .node.call({ name: "manager" }, { type, node })
      .then(
        () => "ok",
        (thrown: unknown) => (thrown instanceof SupercastError ? thrown.code : "broken"),
      );
    return await Promise.race([asked, this.#clients.silence()]);
  }

  /** In memory: only while all members of all streams live, as those say who have the newest word. */
  async #mayBeKilled(): Promise<boolean> {
    if (this.#starting.size > 0) {
      return false;
    }
    if (this.#options.durability === "disk") {
      return true;
    }
    if (this.#paused.size > 0) {
      return false;
    }
    const streams = ["root", ...Array.from({ length: PARTITIONS }, (_, index) => `partition-${index}`)];
    const whole = await this.#sim.run(Promise.all(streams.map((stream) => this.#isWhole(stream))));
    return whole.every((each) => each);
  }

  async #isWhole(stream: string): Promise<boolean> {
    const known = await Promise.all(
      [...this.#sim.nodes.keys()].map((name) => replicaAt(this.#sim, name, stream)),
    );
    const living = new Set(known.map((status) => status?.self));
    const configurations = known.map((status) => status?.members ?? []);
    const writer = await writerOf(this.#sim, stream);
    return (
      writer !== null && configurations.every((members) => members.every((member) => living.has(member)))
    );
  }

  async #heal(): Promise<void> {
    this.#trace("heals for good");
    this.#sim.hub.clearFaults();
    for (const name of this.#paused) {
      this.#sim.resume(name);
    }
    this.#paused.clear();
    await this.#sim.until(() => this.#starting.size === 0, 20_000);
    const endAt = this.#sim.clock.now() + HEAL_LIMIT_MS;
    let rest: readonly string[] = ["not looked"];
    while (rest.length > 0 && this.#sim.clock.now() < endAt) {
      await this.#sim.advance(300);
      if (this.#takenOut !== null) {
        const node = this.#takenOut;
        const at = this.#names.find((name) => name !== node && this.#sim.nodes.has(name)) ?? "";
        if ((await this.#sim.run(this.#byHandAt(at, "nodeUp", node))) === "ok") {
          this.#takenOut = null;
        }
        continue;
      }
      const [first = ""] = [...this.#sim.nodes.keys()].sort();
      rest = await this.#sim.run(unsettled(this.#sim, first));
    }
    this.#problems.push(
      ...rest.map((text) => `not at rest ${HEAL_LIMIT_MS} ms after the last fault: ${text}`),
    );
  }

  // --- the judgement ------------------------------------------------------------------------------

  async #readAll(): Promise<void> {
    for (const at of this.#sim.nodes.keys()) {
      for (let index = 0; index < KEYS; index++) {
        const key = `k${index}`;
        const problem = await this.#sim.run(this.#clients.read("final", key, at));
        if (problem !== null) {
          this.#problems.push(`no final read of ${key} at ${at}: ${problem}`);
        }
      }
    }
  }

  /** All copies of a partition hold the same. */
  async #compareCopies(): Promise<void> {
    await this.#sim.advance(1_000);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const stream = `partition-${partition}`;
      const copies = new Set<string>();
      for (const name of this.#sim.nodes.keys()) {
        const status = await this.#sim.run(replicaAt(this.#sim, name, stream));
        if (status !== null) {
          copies.add(`${status.appliedSeq} ${status.stateHash}`);
        }
      }
      if (copies.size !== 1) {
        this.#problems.push(`${stream}: copies differ: ${[...copies].join(" | ")}`);
      }
    }
  }

  #judge(): void {
    const verdict = checkLinearizability(keyValueModel(), this.#clients.history);
    if (verdict.verdict !== "linearizable") {
      this.#problems.push(explain(verdict));
    }
    for (const [name, { lines }] of this.#sim.nodes) {
      const broken = lines.filter(({ message }) => /broke a rule|internal/.test(message));
      this.#problems.push(...broken.map(({ message }) => `${name}: ${message}`));
    }
    const [name = ""] = this.#sim.nodes.keys();
    const generations = mapOf(this.#sim, name)?.partitions.map(({ generation }) => generation) ?? [];
    if (generations.some((generation) => generation > 1)) {
      this.#problems.push(`a founded partition was begun anew: ${generations.join()}`);
    }
  }

  #result(): WalkResult {
    const writes = this.#clients.history.filter(({ input }) => input.op === "put");
    const unknown = writes.filter((write) => write.return === Number.POSITIVE_INFINITY).length;
    return {
      problems: this.#problems,
      acknowledged: writes.length - unknown,
      unknown,
      reads: this.#clients.history.length - writes.length,
      faults: this.#faults,
    };
  }

  #trace(text: string): void {
    this.#options.trace?.(`${this.#sim.clock.now().toFixed(0)} ${text}`);
  }
}
