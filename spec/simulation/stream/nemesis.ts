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
import { FAULT_KINDS, type Fault, type FaultKind, SAFETY_MS } from "./plan.ts";

export class Nemesis {
  /** What has happened, by kind. */
  readonly counts: Partial<Record<FaultKind, number>> = {};
  readonly #hosts: Hosts;
  readonly #members: Members;
  readonly #letters: Letters;
  readonly #wave: (size: number) => void;

  /** `wave`: lets so many operations come at once. */
  constructor(hosts: Hosts, members: Members, letters: Letters, wave: (size: number) => void) {
    this.#hosts = hosts;
    this.#wave = wave;
    this.#members = members;
    this.#letters = letters;
    hosts.onCrashPoint = (point) => {
      this.#count("faultPoint");
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
      host.armed = null;
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
        return this.#network(fault, host);
      case "process":
        return this.#process(fault, host);
      case "disk":
        return this.#disk(fault, host);
      case "membership":
        return this.#members.change(fault, host);
      case "code":
        host.armed = { point: at(FAULT_POINTS, fault.draw2) ?? "stepped", whole: fault.oneWay };
        // Counted when the point is passed.
        return false;
    }
  }

  // --- network ------------------------------------------------------------------------------------

  #network(fault: Fault, host: Host): boolean {
    const { hub } = this.#hosts.sim;
    const { kind, durationMs, amount, draw2, oneWay, late } = fault;
    const others = [...this.#hosts.plan.nodes].filter((name) => name !== host.name);
    const other = at(others, draw2) ?? host.name;
    switch (kind) {
      case "loss":
        return this.#everywhere({ dropProbability: amount }, fault, host.name, other);
      case "duplication":
        return this.#everywhere({ duplicateProbability: amount }, fault, host.name, other);
      case "delay":
        return this.#everywhere({ delayMs: [0, amount * 1_000] }, fault, host.name, other);
      case "pairCut":
        return this.#cut([[host.name, other]], oneWay, durationMs);
      case "isolation":
        return this.#cut(
          others.map((name) => (late ? [name, host.name] : [host.name, name])),
          oneWay,
          durationMs,
        );
      case "halves":
        return this.#halves(host.name, others, fault);
      case "ring":
        return this.#ring(oneWay, durationMs);
      case "bridge":
        return this.#bridge(host.name, others, durationMs);
      case "flapping":
        return this.#flap(host.name, other, durationMs);
      case "connectionCut":
        if (host.sim?.transport.connected !== true) {
          return false;
        }
        hub.cut(host.name, { reconnectAfterMs: Math.min(durationMs, 3_000), late });
        return true;
      case "serverRestart":
        hub.restart({ downMs: Math.min(durationMs, 2_000), spreadMs: 300 });
        return true;
      case "oldLetters":
        this.#letters.rate = amount * 0.2;
        this.#hosts.later(durationMs, () => {
          this.#letters.rate = 0;
        });
        return true;
      default:
        return false;
    }
  }

  /** On one link in one direction, or on all links; then as before. */
  #everywhere(
    faults: { dropProbability?: number; duplicateProbability?: number; delayMs?: readonly [number, number] },
    { oneWay, durationMs }: Fault,
    from: string,
    to: string,
  ): boolean {
    const { hub } = this.#hosts.sim;
    const link = oneWay ? { from, to } : undefined;
    hub.setFaults(faults, link);
    this.#hosts.later(durationMs, () => hub.setFaults({}, link));
    return true;
  }

  #cut(pairs: readonly (readonly string[])[], oneWay: boolean, durationMs: number): boolean {
    const { hub } = this.#hosts.sim;
    for (const [left, right] of pairs) {
      if (left !== undefined && right !== undefined) {
        hub.partition(left, right, oneWay);
        this.#hosts.later(durationMs, () => hub.heal(left, right));
      }
    }
    return pairs.length > 0;
  }

  #halves(one: string, others: readonly string[], { draw2, durationMs, oneWay }: Fault): boolean {
    const size = 1 + Math.floor(draw2 * (others.length - 1));
    const left = [one, ...others.slice(0, size - 1)];
    const right = others.filter((name) => !left.includes(name));
    return this.#cut(
      left.flatMap((each) => right.map((other) => [each, other])),
      oneWay,
      durationMs,
    );
  }

  /** Each sees its neighbours only. */
  #ring(oneWay: boolean, durationMs: number): boolean {
    const { nodes } = this.#hosts.plan;
    const pairs = nodes.flatMap((left, index) =>
      nodes
        .slice(index + 2)
        .filter((_, skip) => !(index === 0 && index + 2 + skip === nodes.length - 1))
        .map((right) => [left, right]),
    );
    return this.#cut(pairs, oneWay, durationMs);
  }

  /** Two halves that only one node sees both of. */
  #bridge(bridge: string, others: readonly string[], durationMs: number): boolean {
    const middle = Math.ceil(others.length / 2);
    const pairs = others
      .slice(0, middle)
      .flatMap((left) => others.slice(middle).map((right) => [left, right]));
    return bridge !== "" && this.#cut(pairs, false, durationMs);
  }

  #flap(left: string, right: string, durationMs: number): boolean {
    const periods = 6;
    for (let period = 0; period < periods; period++) {
      this.#hosts.later((period * durationMs) / periods, () => {
        this.#cut([[left, right]], false, durationMs / periods / 2);
      });
    }
    return true;
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
      default:
        return false;
    }
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
    this.#cut([[writer.name, lagging.name]], false, lagMs);
    this.#hosts.later(lagMs / 2, () => this.#wave(8));
    this.#hosts.later(lagMs - 1, () => this.#wave(8));
    this.#hosts.later(lagMs, () => {
      if (late || !this.#kill(writer, lasting, false)) {
        const names = this.#hosts.plan.nodes.filter((name) => name !== writer.name);
        this.#cut(
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
