/**
 * The simulated machines: each runs a node with one replica of the stream, has a clock of its own and, in disk
 * mode, a disk. They are started, killed, paused and wiped here, and whatever fails on the way is noted.
 */
import type { Random } from "../../../lib/base/random.ts";
import { SimulatedDisk } from "../../../lib/disk/simulated-disk.ts";
import { openFolder } from "../../../lib/journal/open.ts";
import { type Configuration, majorityOf } from "../../../lib/stream/configuration.ts";
import { type ReplicaId, replicaId } from "../../../lib/stream/replica-id.ts";
import type { FaultPoint, ReplicaOptions } from "../../../lib/stream/replica-options.ts";
import { startReplica } from "../../../lib/stream/start-replica.ts";
import { journalStorage, type StreamStorage } from "../../../lib/stream/storage.ts";
import { MortalClock, type SimCluster } from "../../support/sim-cluster.ts";
import { between, spread } from "./draw.ts";
import type { Host } from "./host.ts";
import { HostHooks } from "./host-hooks.ts";
import type { Observer } from "./observer.ts";
import type { Plan } from "./plan.ts";
import { couldGoOn, keepsCertainty, keepsQuorums, risksOf, survivesBlackout } from "./quorums.ts";
import type { Trace } from "./trace.ts";
import { workload } from "./workload.ts";
import { shortId } from "./world.ts";

export const STREAM = "s";
export const LINEAGE = "first";
/** A start that failed is tried again after so long, as an operator or a service manager would. */
const RETRY_MS = 300;

export class Hosts {
  readonly sim: SimCluster;
  readonly plan: Plan;
  readonly trace: Trace;
  readonly observer: Observer;
  readonly hooks: HostHooks;
  readonly all = new Map<string, Host>();
  /** Called when a node has come up, or has gone. */
  onUp: (host: Host) => void = () => undefined;
  onDown: (host: Host) => void = () => undefined;
  ended = false;
  readonly #random: Random;
  readonly #journal: Readonly<Record<string, number>>;

  constructor(sim: SimCluster, plan: Plan, trace: Trace, observer: Observer) {
    this.sim = sim;
    this.plan = plan;
    this.trace = trace;
    this.observer = observer;
    this.#random = sim.random.fork("hosts");
    this.hooks = new HostHooks(observer, trace, sim.random.fork("storms"), {
      now: () => sim.clock.now(),
      mayStrike: (host, point, whole) => this.#mayStrike(host, point, whole),
      end: (host) => {
        this.kill(host);
        this.later(between(this.#random, 100, 4_000), () => this.start(host));
      },
    });
    this.#journal = {
      segmentBytes: 64 * 1024,
      preallocateBytes: 8 * 1024,
      bufferBytes: 4 * 1024,
      recordsPerSegment: spread(this.#random, 20, 2_000),
    };
    for (const [index, name] of plan.nodes.entries()) {
      this.all.set(name, {
        name,
        rate: plan.clockRates[index] ?? 1,
        sim: null,
        disk: plan.durability === "disk" ? this.#newDisk(name) : null,
        replica: null,
        home: null,
        wanted: plan.founders.includes(name),
        starting: false,
        paused: false,
        life: 0,
        doomed: false,
        doubtful: false,
        armed: [],
        storm: null,
        wallOffsetMs: 0,
        linesSeen: 0,
        appliedSeen: 0,
        stateSeen: null,
      });
    }
  }

  get(name: string): Host {
    const host = this.all.get(name);
    if (host === undefined) {
      throw new Error(`there is no host ${name}`);
    }
    return host;
  }

  get live(): Host[] {
    return [...this.all.values()].filter(({ sim }) => sim !== null);
  }

  /** The own clock of a replica, as its process reads it. */
  clockOf(replica: ReplicaId): number {
    const host = [...this.all.values()].find((each) => each.replica === replica);
    return this.sim.clock.now() * (host?.rate ?? 1);
  }

  /** Whether the stream survives the loss of all that this host holds. */
  mayLose({ replica, doomed }: Host): boolean {
    return doomed || replica === null || keepsQuorums(this.observer.world, replica, risksOf(this.all));
  }

  /** Whether these members would do: no operator leaves a stream to those whose disks are failing. */
  couldGoOn(members: readonly ReplicaId[]): boolean {
    return couldGoOn(this.observer.world, members, risksOf(this.all));
  }

  /** Whether it survives the sudden end of this host's process, or of the machine. */
  mayEnd(host: Host, power: boolean): boolean {
    const { disk, doomed, doubtful, replica } = host;
    if (disk === null || doomed || doubtful || replica === null || !(power || disk.isWriting)) {
      return disk !== null || this.mayLose(host);
    }
    return keepsCertainty(this.observer.world, replica, risksOf(this.all));
  }

  /** Whether the stream survives that all machines lose power at once. */
  get mayBlackOut(): boolean {
    return survivesBlackout(this.observer.world, risksOf(this.all));
  }

  // --- beginnings ---------------------------------------------------------------------------------

  /** The whole cluster at the beginning; resolves when every founder has its replica. */
  async startAll(): Promise<void> {
    const incarnations = new Map(this.plan.founders.map((name) => [name, this.#random.token(12)]));
    const ids = [...incarnations].map(([name, incarnation]) => replicaId(name, incarnation));
    const genesis = majorityOf(ids);
    for (const host of this.all.values()) {
      await this.#startNode(host);
    }
    for (const [name, incarnation] of incarnations) {
      await this.#startReplica(this.get(name), incarnation, genesis);
    }
  }

  /** Starts the process of a host that is down, and its replica if one belongs there. Tries until it succeeds. */
  start(host: Host): void {
    if (host.sim === null && !host.starting && !this.ended) {
      host.starting = true;
      const life = host.life;
      this.#start(host).then(
        () => {
          host.starting = host.life === life ? false : host.starting;
        },
        (thrown: unknown) => this.#startFailed(host, life, thrown),
      );
    }
  }

  /** An empty replica on a host whose process runs. */
  startReplica(host: Host): void {
    if (host.sim !== null && host.home === null && !host.starting) {
      host.starting = true;
      host.wanted = true;
      const life = host.life;
      this.#startReplica(host, this.#random.token(12), null).then(
        () => {
          host.starting = host.life === life ? false : host.starting;
        },
        (thrown: unknown) => this.#startFailed(host, life, thrown),
      );
    }
  }

  async #start(host: Host): Promise<void> {
    await this.#startNode(host);
    if (host.wanted && host.sim !== null) {
      await this.#startReplica(host, this.#random.token(12), null);
    }
  }

  async #startNode(host: Host): Promise<void> {
    const { name, rate, life } = host;
    const clock = new MortalClock(this.sim.clock, rate, host.wallOffsetMs);
    const options = {
      peers: [...this.plan.nodes],
      limits: this.plan.limits,
      restartIntensity: 1_000,
      health: { intervalMs: 30_000 },
    };
    const sim = await this.sim.begin(name, options, name, clock);
    if (host.life !== life) {
      return;
    }
    host.sim = sim;
    host.linesSeen = 0;
    this.trace.note(name, "node is up");
    void sim.node.closed.then((error) => {
      if (error !== undefined && host.sim === sim && !this.ended) {
        this.trace.note(name, `node ended by itself: ${error.message}`);
        this.kill(host);
        this.later(RETRY_MS, () => this.start(host));
      }
    });
    this.onUp(host);
  }

  async #startReplica(host: Host, incarnation: string, genesis: Configuration | null): Promise<void> {
    const { sim, life } = host;
    if (sim === null) {
      return;
    }
    const options: ReplicaOptions = {
      stream: STREAM,
      lineage: LINEAGE,
      definition: workload,
      mode: this.plan.mode,
      incarnation,
      genesis,
      nodes: this.plan.nodes,
      storage: await this.#storage(host),
      settings: this.plan.settings,
      probe: this.hooks.probe(host),
      faultPoint: (point) => this.hooks.pass(host, life, point),
    };
    if (host.life !== life) {
      return;
    }
    const home = await startReplica(sim.node, options);
    if (host.life !== life) {
      return;
    }
    host.home = home;
    host.replica = home.replica.self;
    host.doomed = false;
    host.doubtful = false;
    this.hooks.begun(host);
    host.appliedSeen = home.replicated.appliedSeq;
    host.stateSeen = home.replicated;
    this.trace.note(host.name, `replica ${shortId(home.replica.self)} is up as ${home.replica.role}`);
  }

  async #storage(host: Host): Promise<StreamStorage | null> {
    const { disk, sim } = host;
    if (disk === null || sim === null) {
      return null;
    }
    const random = this.#random.fork(`journal ${host.name} ${host.life}`);
    const ports = { disk: disk.mount(), clock: sim.clock, random };
    return journalStorage(await openFolder("/journal", { ...ports, sync: "batch", ...this.#journal }));
  }

  /** A start that fails is tried again; a journal that is damaged goes, and with it whatever the replica was. */
  #startFailed(host: Host, life: number, thrown: unknown): void {
    if (host.life !== life) {
      return;
    }
    const text = thrown instanceof Error ? thrown.message : String(thrown);
    this.trace.note(host.name, `does not start: ${text}`);
    this.kill(host);
    if (host.disk !== null && isDamage(thrown)) {
      this.wipe(host);
    }
    this.later(RETRY_MS, () => this.start(host));
  }

  // --- ends ---------------------------------------------------------------------------------------

  /** SIGKILL; with `power` the whole machine. Without a disk, or with `wipe`, the replica is lost. */
  kill(host: Host, { power = false, wipe = false }: { power?: boolean; wipe?: boolean } = {}): void {
    this.hooks.look(host);
    host.life += 1;
    host.starting = false;
    host.paused = false;
    host.armed = [];
    host.storm = null;
    if (host.sim !== null) {
      this.sim.kill(host.name);
      host.sim = null;
      this.trace.note(host.name, power ? "loses power" : "is killed");
    } else if (this.sim.hub.names.includes(host.name)) {
      this.sim.hub.kill(host.name);
    }
    host.home = null;
    host.doubtful ||= host.disk !== null && (power || host.disk.isWriting);
    if (power && host.disk !== null) {
      host.disk.crash();
    } else {
      host.disk?.killProcess();
    }
    if (host.replica !== null) {
      this.observer.ended(host.replica, host.disk === null);
    }
    if (wipe) {
      this.wipe(host);
    }
    this.onDown(host);
  }

  /** The disk of a host that is down is replaced by an empty one. */
  wipe(host: Host): void {
    if (host.disk !== null) {
      this.trace.note(host.name, "has its disk wiped");
      host.disk = this.#newDisk(`${host.name} ${host.life}`);
      if (host.replica !== null) {
        this.observer.ended(host.replica, true);
      }
    }
  }

  pause(host: Host): void {
    if (host.sim !== null && !host.paused) {
      host.paused = true;
      this.trace.note(host.name, "is paused");
      this.sim.pause(host.name);
    }
  }

  resume(host: Host): void {
    if (host.sim !== null && host.paused) {
      host.paused = false;
      this.trace.note(host.name, "goes on");
      this.sim.resume(host.name);
    }
  }

  /** Runs `what` after so much true time. */
  later(ms: number, what: () => void): void {
    this.sim.clock.setTimer(() => {
      if (!this.ended) {
        what();
      }
    }, ms);
  }

  /** The wall clock of a machine jumps; nobody else notices. */
  jumpWall(host: Host, ms: number): void {
    host.wallOffsetMs += ms;
    host.sim?.clock.jumpWall(ms);
  }

  /** An actor that crashes costs nothing but time; a storage that fails costs its replica. */
  #mayStrike(host: Host, point: FaultPoint, whole: boolean): boolean {
    return whole ? this.mayEnd(host, false) : !point.startsWith("store:") || this.mayLose(host);
  }

  #newDisk(label: string): SimulatedDisk {
    const { diskLatencyMs } = this.plan;
    const options = diskLatencyMs === 0 ? {} : { clock: this.sim.clock, latencyMsMax: diskLatencyMs };
    return new SimulatedDisk(this.sim.random.fork(`disk ${label}`), options);
  }
}

function isDamage(thrown: unknown): boolean {
  return (
    typeof thrown === "object" &&
    thrown !== null &&
    "code" in thrown &&
    typeof thrown.code === "string" &&
    (thrown.code === "journal_damaged" || thrown.code === "journal_format")
  );
}
