/**
 * The nemesis carries out the faults of a plan, each at its time, on whoever is there then. A fault that finds
 * nobody to hit, or would destroy what no protocol could bring back, does not happen and does not count.
 */
import { FAULT_POINTS } from "../../../lib/stream/replica-options.ts";
import { at } from "./draw.ts";
import type { Host } from "./host.ts";
import type { Hosts } from "./hosts.ts";
import type { Letters } from "./letters.ts";
import type { Members } from "./members.ts";
import { NetworkFaults } from "./nemesis-network.ts";
import { FAULT_KINDS, type Fault, type FaultKind, SAFETY_MS } from "./plan.ts";

const STORM_CRASHES_MAX = 8;
const WALL_JUMP_MS_MAX = 600_000;

export class Nemesis {
  /** What has happened, by kind. */
  readonly counts: Partial<Record<FaultKind, number>> = {};
  readonly #hosts: Hosts;
  readonly #members: Members;
  readonly #letters: Letters;
  readonly #network: NetworkFaults;
  readonly #wave: (size: number) => void;

  /** `wave`: lets so many operations come at once. */
  constructor(hosts: Hosts, members: Members, letters: Letters, wave: (size: number) => void) {
    this.#hosts = hosts;
    this.#wave = wave;
    this.#members = members;
    this.#letters = letters;
    this.#network = new NetworkFaults(hosts, letters);
    hosts.hooks.onCrashPoint = (point, { kind }) => {
      this.#count(kind);
      const { crashesAt } = hosts.observer.world.coverage;
      crashesAt[point] = (crashesAt[point] ?? 0) + 1;
    };
  }

  get total(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }

  /** Sets a timer for each fault of the plan. */
  begin(): void {
    const { clock, hub } = this.#hosts.sim;
    for (const { from, to, delayMs } of this.#hosts.plan.slowLinks) {
      hub.setFaults({ delayMs: [delayMs / 2, delayMs] }, { from, to });
    }
    const now = clock.now();
    for (const fault of this.#hosts.plan.faults) {
      this.#hosts.later(Math.max(0, fault.atMs - now), () => this.#carryOut(fault));
    }
  }

  /** Ends all that lasts: everybody is up, awake and connected, and every disk works. */
  heal(): void {
    const { sim, all, trace } = this.#hosts;
    trace.note("nemesis", "heals everything");
    sim.hub.clearFaults();
    this.#letters.rate = 0;
    for (const host of all.values()) {
      host.armed = [];
      host.storm = null;
      host.disk?.clearFaults();
      if (host.disk !== null) {
        host.disk.spaceBytes = Number.POSITIVE_INFINITY;
      }
      this.#hosts.resume(host);
      if (sim.hub.names.includes(host.name)) {
        sim.hub.reconnect(host.name);
      }
      if (host.doomed && host.sim !== null) {
        this.#hosts.kill(host);
      }
      this.#hosts.start(host);
    }
  }

  #count(kind: FaultKind): void {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }

  #carryOut(fault: Fault): void {
    const host = this.#target(fault);
    if (host !== undefined && this.#act(fault, host)) {
      this.#count(fault.kind);
      const { kind, durationMs, amount, oneWay, late } = fault;
      const how = `${oneWay ? " one way" : ""}${late ? " late" : ""}`;
      const what = `${FAULT_KINDS[kind]} ${kind} for ${durationMs}, ${amount.toFixed(3)}${how}`;
      this.#hosts.trace.note(host.name, `FAULT ${what}`);
    }
  }

  /** The writer when the fault seeks it and there is one; else somebody of those who are up. */
  #target({ aim, draw }: Fault): Host | undefined {
    const { live } = this.#hosts;
    const writer = this.#members.writer;
    if (aim === "writer" && writer !== null) {
      return writer;
    }
    const others = live.filter((host) => host !== writer && host.home !== null);
    return at(aim === "follower" && others.length > 0 ? others : live, draw);
  }

  /** Whether it happened. */
  #act(fault: Fault, host: Host): boolean {
    switch (FAULT_KINDS[fault.kind]) {
      case "network":
        return this.#network.act(fault, host);
      case "process":
        return this.#process(fault, host);
      case "disk":
        return this.#disk(fault, host);
      case "membership":
        return this.#members.change(fault, host);
      case "code":
        this.#arm(fault, host);
        // Counted when the point is passed.
        return false;
      case "clock":
        this.#hosts.jumpWall(host, Math.round((2 * fault.amount - 1) * WALL_JUMP_MS_MAX));
        return true;
    }
  }

  // --- code ---------------------------------------------------------------------------------------

  /** Something is to be thrown: at one point of one host, at that of all, or at many for a while. */
  #arm({ kind, durationMs, amount, draw2, oneWay, late }: Fault, host: Host): void {
    const points = FAULT_POINTS.filter((point) => host.disk !== null || !point.startsWith("store:"));
    const inActor = points.filter((point) => !point.startsWith("store:"));
    if (kind === "faultPoint") {
      host.armed = [...host.armed, { point: at(points, draw2) ?? "stepped", whole: oneWay, kind }];
    } else if (kind === "faultEverywhere") {
      const point = at(inActor, draw2) ?? "stepped";
      for (const each of this.#hosts.live) {
        each.armed = [...each.armed, { point, whole: false, kind }];
      }
    } else {
      // A quarter of the points, or all; some fire nearly always when they are passed, some seldom.
      const quarter = inActor.filter((_, index) => index % 4 === Math.floor(4 * draw2));
      host.storm = {
        points: new Set(late ? inActor : quarter),
        probability: 0.5 * amount ** 2,
        untilMs: this.#hosts.sim.clock.now() + durationMs,
        left: STORM_CRASHES_MAX,
      };
    }
  }

  // --- processes ----------------------------------------------------------------------------------

  #process(fault: Fault, host: Host): boolean {
    const { kind, durationMs, draw2 } = fault;
    switch (kind) {
      case "kill":
      case "powerLoss":
        return this.#kill(host, durationMs, kind === "powerLoss");
      case "crashLoop":
        this.#crashLoop(host, 2 + Math.floor(draw2 * 3), 50 + Math.min(durationMs, 1_500));
        return this.#kill(host, 100, false);
      case "pause":
        if (host.paused || host.sim === null) {
          return false;
        }
        this.#hosts.pause(host);
        this.#hosts.later(durationMs, () => this.#hosts.resume(host));
        return true;
      case "strike":
        return this.#strike(host, fault);
      case "actorCrash":
        return this.#crashActor(host);
      case "restartOfAll":
        for (const each of this.#hosts.live) {
          this.#kill(each, draw2 * 1_500, false);
        }
        return true;
      case "blackout":
        return this.#blackOut(draw2);
      default:
        return false;
    }
  }

  /** All machines lose power in one moment; their disks keep what was synced. */
  #blackOut(spread: number): boolean {
    const { live, mayBlackOut } = this.#hosts;
    if (!mayBlackOut || live.length === 0) {
      return false;
    }
    for (const host of live) {
      this.#hosts.kill(host, { power: true });
    }
    for (const [index, host] of live.entries()) {
      this.#hosts.later(100 + index * spread * 700, () => this.#hosts.start(host));
    }
    return true;
  }

  /**
   * The writer is struck when the clients are busy and one of its followers lags: whoever takes over then must
   * not trust its own log.
   */
  #strike(writer: Host, { draw, draw2, durationMs, late }: Fault): boolean {
    const others = this.#hosts.live.filter(({ home, name }) => home !== null && name !== writer.name);
    const lagging = at(others, draw2);
    if (writer.home?.replica.role !== "open" || lagging === undefined) {
      return false;
    }
    const lagMs = 200 + draw * 800;
    const lasting = Math.min(4_000, 1_000 + durationMs);
    this.#network.cut([[writer.name, lagging.name]], false, lagMs);
    this.#hosts.later(lagMs / 2, () => this.#wave(8));
    this.#hosts.later(lagMs - 1, () => this.#wave(8));
    if (this.#hosts.plan.mode === "async") {
      // What it still acknowledges while it does not know that it is alone is to be lost, and reported.
      this.#hosts.later(lagMs + 50, () => this.#wave(8));
    }
    this.#hosts.later(lagMs, () => {
      if (late || !this.#kill(writer, lasting, false)) {
        const names = this.#hosts.plan.nodes.filter((name) => name !== writer.name);
        this.#network.cut(
          names.map((name) => [writer.name, name]),
          false,
          lasting,
        );
      }
    });
    return true;
  }

  #kill(host: Host, downMs: number, power: boolean): boolean {
    if (host.sim === null || !this.#hosts.mayEnd(host, power)) {
      return false;
    }
    this.#hosts.kill(host, { power });
    this.#hosts.later(Math.min(downMs, 6_000), () => this.#hosts.start(host));
    return true;
  }

  #crashLoop(host: Host, times: number, everyMs: number): void {
    for (let time = 1; time <= times; time++) {
      this.#hosts.later(time * everyMs, () => {
        if (this.#hosts.sim.clock.now() < SAFETY_MS) {
          this.#kill(host, 100, false);
        }
      });
    }
  }

  #crashActor(host: Host): boolean {
    const { sim } = host;
    const pid = sim?.node.whereis(this.#members.actorName);
    if (sim === null || pid === undefined) {
      return false;
    }
    sim.node.exit(pid, "kill");
    return true;
  }

  // --- disks --------------------------------------------------------------------------------------

  /** Whatever a disk does wrong may cost its replica everything, so the stream must survive that. */
  #disk(fault: Fault, host: Host): boolean {
    const { disk, home } = host;
    const { kind, durationMs, draw2 } = fault;
    if (disk === null || home === null || !this.#hosts.mayLose(host)) {
      return false;
    }
    host.doomed = true;
    const { life } = host;
    switch (kind) {
      case "syncError":
        disk.fail({ operation: "sync", code: "io", sticky: fault.late });
        break;
      case "writeError":
        disk.fail({ operation: "write", code: "io", skip: Math.floor(draw2 * 4), sticky: fault.late });
        break;
      case "noSpace":
        disk.spaceBytes = 1;
        break;
      default:
        this.#flipBit(host, fault);
        return true;
    }
    this.#hosts.later(durationMs, () => {
      disk.clearFaults();
      disk.spaceBytes = Number.POSITIVE_INFINITY;
      if (host.life === life) {
        this.#hosts.kill(host, { power: fault.oneWay });
        this.#hosts.later(200, () => this.#hosts.start(host));
      }
    });
    return true;
  }

  /** A bit of one of its files turns while the process is down. */
  #flipBit(host: Host, { draw, draw2, durationMs }: Fault): void {
    this.#hosts.kill(host);
    const { disk } = host;
    const paths = disk?.paths().filter((path) => (disk.fileAt(path).size ?? 0) > 0) ?? [];
    const path = at(paths, draw);
    if (disk !== null && path !== undefined) {
      disk.flipBit(path, Math.floor(draw2 * disk.fileAt(path).size * 8));
    }
    this.#hosts.later(Math.min(durationMs, 3_000), () => this.#hosts.start(host));
  }
}
