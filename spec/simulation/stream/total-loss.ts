/**
 * The loss that no protocol survives: so many members lose all they hold, at once, that no seal quorum is left.
 * It has to be an honest one: nobody opens an epoch on what is left, nobody acknowledges anything, and nobody
 * passes off an empty replica as the stream.
 */
import type { Random } from "../../../lib/base/random.ts";
import { shuffled } from "./draw.ts";
import type { Finding, Recorded } from "./history.ts";
import type { Host } from "./host.ts";
import type { Hosts } from "./hosts.ts";
import { configurationsAtRisk } from "./quorums.ts";
import { epochKey, shortId } from "./world.ts";

/** A writer that is left alone gives up after its step-down time; its clock may be slow, and answers travel. */
const NOTICED_AFTER_MS = 1_500;

export class TotalLoss {
  /** When it happened, in virtual time. */
  #atMs: number | null = null;
  readonly #hosts: Hosts;
  readonly #random: Random;
  /** Epochs that were proposed before it. */
  readonly #proposed = new Set<string>();

  constructor(hosts: Hosts) {
    this.#hosts = hosts;
    this.#random = hosts.sim.random.fork("loss");
  }

  begin(): void {
    const { plan, sim } = this.#hosts;
    if (plan.loss !== null) {
      const { all } = plan.loss;
      this.#hosts.later(plan.loss.atMs - sim.clock.now(), () => this.#strike(all));
    }
  }

  #strike(all: boolean): void {
    const { sim, trace, observer } = this.#hosts;
    const victims = all ? [...this.#hosts.all.values()] : this.#majority();
    trace.note("nemesis", `LOSS of ${victims.map(({ name }) => name).join(", ")}`);
    this.#atMs = sim.clock.now();
    for (const key of observer.world.proposed.keys()) {
      this.#proposed.add(key);
    }
    for (const host of victims) {
      this.#hosts.kill(host, { power: true, wipe: true });
      this.#hosts.later(200 + this.#random.next() * 2_000, () => this.#hosts.start(host));
    }
  }

  /** As few as it takes that no configuration that could still matter has a quorum left, and no more. */
  #majority(): Host[] {
    const { observer, all } = this.#hosts;
    const { world } = observer;
    const victims = new Set<Host>();
    for (const { members, sealQuorum, writeQuorum } of configurationsAtRisk(world)) {
      const holders = shuffled(this.#random, [...all.values()]).filter(
        ({ replica }) =>
          replica !== null && members.includes(replica) && world.replicas.get(replica)?.lost !== true,
      );
      const left = holders.filter((host) => !victims.has(host));
      const spared = Math.min(sealQuorum, writeQuorum) - 1;
      for (const host of left.slice(0, Math.max(0, left.length - spared))) {
        victims.add(host);
      }
    }
    return [...victims];
  }

  /** What must not have happened since. */
  judge(records: readonly Recorded[]): Finding[] {
    const { observer, live, plan } = this.#hosts;
    const { world } = observer;
    const atMs = this.#atMs;
    if (atMs === null) {
      return [{ rule: "loss", message: "nothing was lost" }];
    }
    const findings: string[] = [];
    for (const { epoch } of world.opened) {
      if (!this.#proposed.has(epochKey(epoch))) {
        findings.push(`the epoch ${epochKey(epoch)} was begun after the loss and has opened`);
      }
    }
    for (const { home } of live) {
      if (home?.replica.role === "open") {
        findings.push(`${shortId(home.replica.self)} still writes`);
      }
    }
    for (const record of records.filter(({ calledAtMs, outcome }) => calledAtMs > atMs && outcome === "ok")) {
      const { asked, seq, calledAtMs, clientId } = record;
      const early = asked.kind === "request" ? plan.mode === "async" : asked.mode === "primary";
      const local = asked.kind === "read" && asked.mode === "local";
      const noticed =
        calledAtMs > atMs + plan.settings.stepDownTicks * plan.settings.heartbeatMs + NOTICED_AFTER_MS;
      const what = asked.kind === "request" ? "an operation" : `a ${asked.mode} read`;
      if (local ? seq === 0 : !early || noticed) {
        const as = local ? "out of an empty replica" : `at ${seq}`;
        findings.push(`${clientId} was answered ${what} ${as}, ${calledAtMs - atMs} ms after the loss`);
      }
    }
    return findings.map((message) => ({ rule: "loss", message }));
  }
}
