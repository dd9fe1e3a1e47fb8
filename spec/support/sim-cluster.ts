/**
 * A cluster in one process, on virtual time, over the in-process transport: nodes that can be killed,
 * paused, cut off and kept apart. All that happens follows from the seed.
 */
import type { Clock, Timer } from "../../lib/base/clock.ts";
import { SupercastError } from "../../lib/base/errors.ts";
import { type Random, seededRandom } from "../../lib/base/random.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import type { NodeOptions } from "../../lib/config/options.ts";
import { SimulatedDisk } from "../../lib/disk/simulated-disk.ts";
import type { NodeEvent } from "../../lib/node/node-floor.ts";
import type { Node } from "../../lib/runtime/node.ts";
import { startNode } from "../../lib/runtime/start-node.ts";
import { collectLog, type LogLine } from "../../lib/telemetry/log.ts";
import { MemoryHub, type MemoryHubOptions } from "../../lib/transport/memory.ts";
import type { Transport } from "../../lib/transport/transport.ts";

/** The clock of one simulated process: it stops with it, does nothing while it is paused, and may run fast or slow. */
export class MortalClock implements Clock {
  readonly #clock: VirtualClock;
  readonly #rate: number;
  #alive = true;
  #paused = false;
  #held: (() => void)[] = [];
  readonly #mourners: (() => void)[] = [];
  #wallOffsetMs: number;

  /** `rate`: how much this clock counts in one true millisecond; `wallOffsetMs`: how far its wall clock is off. */
  constructor(clock: VirtualClock, rate: number = 1, wallOffsetMs: number = 0) {
    this.#clock = clock;
    this.#rate = rate;
    this.#wallOffsetMs = wallOffsetMs;
  }

  now(): number {
    return this.#clock.now() * this.#rate;
  }

  wallNow(): number {
    return this.#clock.wallNow() + this.#wallOffsetMs;
  }

  /** The wall clock is set; monotonic time goes on. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    return this.#clock.setTimer(() => this.#run(callback), delayMs / this.#rate);
  }

  clearTimer(timer: Timer): void {
    this.#clock.clearTimer(timer);
  }

  microtask(callback: () => void): void {
    this.#clock.microtask(() => this.#run(callback));
  }

  immediate(callback: () => void): void {
    this.#clock.immediate(() => this.#run(callback));
  }

  die(): void {
    this.#alive = false;
    this.#held = [];
    for (const tell of this.#mourners) {
      tell();
    }
  }

  /** Calls `tell` when the process is killed. */
  onDeath(tell: () => void): void {
    this.#mourners.push(tell);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const callback of this.#held.splice(0)) {
      this.#clock.immediate(() => this.#run(callback));
    }
  }

  #run(callback: () => void): void {
    if (this.#paused && this.#alive) {
      this.#held.push(callback);
    } else if (this.#alive) {
      callback();
    }
  }
}

export interface SimNode {
  readonly node: Node;
  readonly name: string;
  /** Its name at the hub. */
  readonly client: string;
  readonly clock: MortalClock;
  readonly transport: Transport;
  readonly lines: LogLine[];
  /** Its node events, in order. */
  readonly events: NodeEvent[];
}

export class SimCluster {
  readonly clock: VirtualClock;
  readonly hub: MemoryHub;
  readonly random: Random;
  readonly nodes = new Map<string, SimNode>();
  /** Of the nodes that were given a dataDir: what they find again when they start anew. */
  readonly disks = new Map<string, SimulatedDisk>();
  #started = 0;

  constructor(
    seed: number | string = 1,
    clock: VirtualClock = new VirtualClock(),
    hub: Partial<MemoryHubOptions> = {},
  ) {
    this.clock = clock;
    this.random = seededRandom(seed);
    this.hub = new MemoryHub({ ...hub, clock: this.clock, random: this.random.fork("hub") });
  }

  /**
   * Starts a node, which takes part in the replicated data only with `actorsOnly: false`. `client`: its name at
   * the hub, where that must differ from its own.
   */
  async start(name: string, options: Partial<NodeOptions> = {}, client: string = name): Promise<SimNode> {
    return await this.clock.run(this.begin(name, options, client));
  }

  /** The same for those who move time themselves. */
  async begin(
    name: string,
    options: Partial<NodeOptions> = {},
    client: string = name,
    clock: MortalClock = new MortalClock(this.clock),
  ): Promise<SimNode> {
    this.#started += 1;
    const transport = this.hub.connect(client);
    const { log, lines } = collectLog();
    const random = this.random.fork(`${name} ${this.#started}`);
    const disk = options.dataDir === undefined ? {} : { disk: this.#diskOf(name).mount() };
    const node = await startNode(
      { name, actorsOnly: true, ...options },
      { clock, random, log, transport, ...disk },
    );
    const events: NodeEvent[] = [];
    node.onNodeEvent((event) => events.push(event));
    const started: SimNode = { node, name, client, clock, transport, lines, events };
    this.nodes.set(name, started);
    return started;
  }

  async startAll(names: readonly string[], options: Partial<NodeOptions> = {}): Promise<SimNode[]> {
    const nodes: SimNode[] = [];
    for (const name of names) {
      nodes.push(await this.start(name, { peers: [...names], ...options }));
    }
    await this.advance(200);
    return nodes;
  }

  get(name: string): SimNode {
    const found = this.nodes.get(name);
    if (found === undefined) {
      throw new Error(`no node ${name}`);
    }
    return found;
  }

  /** SIGKILL: nothing of it runs any more, and its connection is gone at once. With `power` its machine dies. */
  kill(name: string, power: boolean = false): void {
    const { clock, client } = this.get(name);
    clock.die();
    this.hub.kill(client);
    this.nodes.delete(name);
    const disk = this.disks.get(name);
    if (power) {
      disk?.crash();
    } else {
      disk?.killProcess();
    }
  }

  /** Stops a node in good order. */
  async stop(name: string): Promise<void> {
    const { node } = this.get(name);
    await this.clock.run(node.stop());
    this.nodes.delete(name);
  }

  #diskOf(name: string): SimulatedDisk {
    const disk = this.disks.get(name) ?? new SimulatedDisk(this.random.fork(`disk ${name}`));
    this.disks.set(name, disk);
    return disk;
  }

  /** SIGSTOP. */
  pause(name: string): void {
    const { clock, client } = this.get(name);
    clock.pause();
    this.hub.pause(client);
  }

  /** SIGCONT. */
  resume(name: string): void {
    const { clock, client } = this.get(name);
    clock.resume();
    this.hub.resume(client);
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  until(condition: () => boolean, limitMs?: number): Promise<void> {
    return this.clock.until(condition, limitMs);
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.run(promise);
  }

  /** Whether every node sees all others. */
  whole(): boolean {
    return [...this.nodes.values()].every(({ node }) => node.nodes().length === this.nodes.size);
  }

  async stopAll(): Promise<void> {
    for (const name of this.nodes.keys()) {
      this.resume(name);
    }
    for (const { node } of this.nodes.values()) {
      await this.clock.run(node.stop());
    }
  }
}

/** The code with which a promise rejects, or "ok". Never rejects itself. */
export async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "ok";
  } catch (thrown) {
    if (thrown instanceof SupercastError) {
      return thrown.code;
    }
    throw thrown;
  }
}
