/**
 * One seed from beginning to end: a cluster over the real actors, node floor, stream and journal, in one
 * process and on virtual time. First the faults of its plan with the world watching, then everything is
 * healed and the stream has to come back to life and to rest, then the checkers look at what clients saw.
 *
 * The same seed gives the same run, event by event; `hash` of the result says so.
 */
import { compareEpochs } from "../../../lib/journal/epoch.ts";
import { nodeOf } from "../../../lib/stream/replica-id.ts";
import { checkAtRest } from "../../checkers/state-hash.ts";
import { SimCluster } from "../../support/sim-cluster.ts";
import { CalmClock } from "./calm-clock.ts";
import { Clients } from "./clients.ts";
import { judgeCommitted } from "./committed.ts";
import { judge } from "./history.ts";
import { Holders } from "./holders.ts";
import { Hosts, STREAM } from "./hosts.ts";
import { Letters } from "./letters.ts";
import { Members } from "./members.ts";
import { Nemesis } from "./nemesis.ts";
import { Observer } from "./observer.ts";
import { drawPlan, FAULT_KINDS, type FaultClass, isFaultKind, type Plan, RUN_MS, SAFETY_MS } from "./plan.ts";
import { Reports } from "./reports.ts";
import type { Figures, SeedResult } from "./result.ts";
import { TotalLoss } from "./total-loss.ts";
import { RECORDS_KEPT, Trace } from "./trace.ts";
import { DISTURBED_AFTER_MS, whyInvalid } from "./validity.ts";
import { epochKey, World } from "./world.ts";

export interface RunOptions {
  /** Records of the trace that are kept. Default `RECORDS_KEPT`. */
  readonly keptTrace?: number;
  /** In place of what the plan has drawn. */
  readonly loss?: Plan["loss"];
}

type Checked = Figures["checked"];

/** Liveness: an epoch opens within so many failure timeouts after everything is healed. */
const OPENS_WITHIN = 10;
const STEP_MS = 100;
const REST_MS = 1_500;

export async function runSeed(seed: number, options: RunOptions = {}): Promise<SeedResult> {
  const plan = drawPlan(seed);
  const { loss = plan.loss } = options;
  return await new Run({ ...plan, loss }, options).run();
}

class Run {
  readonly #plan: Plan;
  readonly #clock: CalmClock;
  readonly #sim: SimCluster;
  readonly #trace: Trace;
  readonly #world: World;
  readonly #hosts: Hosts;
  readonly #members: Members;
  readonly #letters: Letters;
  readonly #nemesis: Nemesis;
  readonly #clients: Clients;
  readonly #reports: Reports;
  readonly #loss: TotalLoss;
  #final = new Map<string, unknown>();

  constructor(plan: Plan, { keptTrace = RECORDS_KEPT }: RunOptions) {
    this.#plan = plan;
    this.#clock = new CalmClock();
    const sim = new SimCluster(`stream ${plan.seed}`, this.#clock);
    this.#sim = sim;
    const now = (): number => sim.clock.now();
    this.#trace = new Trace(now, keptTrace);
    this.#world = new World(this.#trace, now, (replica) => this.#hosts.clockOf(replica));
    if (plan.mode === "sync" && plan.durability === "disk") {
      this.#world.holders = new Holders();
    }
    this.#reports = new Reports(STREAM);
    const observer = new Observer(this.#world);
    this.#hosts = new Hosts(sim, plan, this.#trace, observer);
    this.#members = new Members(this.#hosts);
    this.#letters = new Letters(this.#hosts);
    this.#nemesis = new Nemesis(this.#hosts, this.#members, this.#letters, (size) => {
      this.#clients.wave(size);
    });
    this.#clients = new Clients(this.#hosts);
    this.#loss = new TotalLoss(this.#hosts);
    this.#hosts.hooks.onStep = (after, effects) => this.#letters.sent(after, effects);
    this.#hosts.onDown = (host) => this.#clients.hostDown(host);
  }

  async run(): Promise<SeedResult> {
    const startedAt = process.cpuUsage();
    const { clock } = this.#sim;
    await clock.run(this.#hosts.startAll());
    this.#members.begin();
    this.#clients.begin();
    this.#nemesis.begin();
    this.#loss.begin();
    await clock.advance(SAFETY_MS - clock.now());
    const verdicts = this.#clock.stormAt === null ? await this.#healAndJudge() : this.#storm();
    await this.#stop();
    const used = process.cpuUsage(startedAt);
    return this.#result(verdicts, (used.user + used.system) / 1_000);
  }

  async #healAndJudge(): Promise<Checked> {
    if (this.#plan.loss === null) {
      await this.#heal();
      await this.#rest();
    } else {
      await this.#healInVain();
    }
    return this.#clock.stormAt === null ? this.#judge() : this.#storm();
  }

  #storm(): Checked {
    const at = this.#clock.stormAt?.toFixed(3);
    this.#world.violate("storm", `at ${at} ms messages answer each other without end`);
    return { histories: 0, steps: 0, lost: 0 };
  }

  // --- the liveness phase -------------------------------------------------------------------------

  async #heal(): Promise<void> {
    const { clock } = this.#sim;
    const { settings } = this.#plan;
    const world = this.#world;
    this.#members.settle();
    this.#nemesis.heal();
    const limitMs = OPENS_WITHIN * settings.failureTicks * settings.heartbeatMs;
    const healedAt = clock.now();
    while (this.#members.writer === null && clock.now() < healedAt + limitMs) {
      await clock.advance(STEP_MS);
    }
    world.expect(this.#members.writer !== null, "liveness", () => {
      return `no epoch opened within ${limitMs} ms after all faults ended: ${this.#roles()}`;
    });
    this.#clients.wave(10);
    await clock.advance(Math.max(STEP_MS, RUN_MS - 2 * REST_MS - clock.now()));
    this.#members.stop();
    this.#clients.wave(10);
    await clock.advance(REST_MS);
    this.#everythingEnds();
    const last = this.#clients.records.slice(-10);
    world.expect(
      last.some(({ outcome }) => outcome === "ok"),
      "liveness",
      () => `none of the last ${last.length} operations was acknowledged: ${this.#roles()}`,
    );
  }

  /** A stream that is lost stays so when all faults have ended; nobody waits for it for ever. */
  async #healInVain(): Promise<void> {
    const { clock } = this.#sim;
    this.#members.settle();
    this.#nemesis.heal();
    for (let left = 5; left > 0; left--) {
      this.#clients.wave(10);
      await clock.advance((RUN_MS - REST_MS - clock.now()) / left);
    }
    await clock.advance(REST_MS);
    this.#everythingEnds();
  }

  #everythingEnds(): void {
    const { open } = this.#clients;
    this.#world.expect(open === 0, "liveness", () => `${open} operations have no answer`);
  }

  /** All members have applied everything and have the same state. */
  async #rest(): Promise<void> {
    const { clock } = this.#sim;
    await clock.advance(REST_MS);
    const writer = this.#members.writer;
    const members = writer?.home?.replica.writer?.configuration.members ?? [];
    const samples = members.flatMap((member) => {
      const { home } = this.#hosts.get(nodeOf(member));
      const there = home?.replica.self === member ? [home] : [];
      return there.map(({ replicated }) => ({
        stream: STREAM,
        replica: member,
        position: replicated.appliedSeq,
        hash: replicated.stateHash(),
      }));
    });
    const found = checkAtRest(samples, new Map([[STREAM, members.length]]));
    for (const { kind, message } of found.violations) {
      this.#world.violate("rest", `${kind}: ${message}; ${this.#roles()}`);
    }
    for (const key of this.#clients.keys) {
      this.#final.set(key, writer?.home?.replicated.query({ op: "get", key }, false) ?? null);
    }
    for (const host of this.#hosts.all.values()) {
      this.#hosts.hooks.look(host);
    }
  }

  #roles(): string {
    const shown = [...this.#hosts.all.values()].map(({ name, sim, home }) => {
      const replica = home?.replica;
      return `${name} ${sim === null ? "down" : (replica?.role ?? "-")} ${replica?.commitSeq ?? ""}`.trim();
    });
    return shown.join(", ");
  }

  async #stop(): Promise<void> {
    this.#hosts.ended = true;
    for (const host of this.#hosts.all.values()) {
      this.#hosts.kill(host);
    }
    await this.#sim.clock.settle();
    this.#reports.stop();
  }

  // --- verdicts -----------------------------------------------------------------------------------

  #judge(): Checked {
    const { mode, durability, settings } = this.#plan;
    const lasting = mode === "strong" || (mode === "sync" && durability === "memory");
    const showsUncommitted = mode !== "strong";
    const committed = judgeCommitted({
      committed: this.#world.committed,
      records: this.#clients.records,
      lasting,
      showsUncommitted,
      reports: this.#reports.losses,
      silent: this.#silent(),
      mayNotLose: (seq, epoch) => this.#mayNotLose(seq, epoch),
      final: this.#final,
    });
    const promises = { leases: settings.leaseMs > 0, showsUncommitted };
    const final = this.#plan.loss === null ? this.#final : committed.table;
    const { findings, histories, steps } = judge(committed.survived, promises, final);
    const lost = this.#plan.loss === null ? [] : this.#loss.judge(this.#clients.records);
    for (const { rule, message } of [...findings, ...committed.findings, ...lost]) {
      this.#world.violate(rule, message);
    }
    return { histories, steps, lost: committed.lost };
  }

  /** Epochs whose writer has died since, or has not yet learned what became of all its batches. */
  #silent(): Set<string> {
    const found = new Set<string>();
    for (const { epoch } of this.#world.opened) {
      const writer = [...this.#world.replicas.values()].find(({ state }) => state.owner === epoch.owner);
      const home = writer === undefined ? null : this.#hosts.get(nodeOf(writer.self)).home;
      const waits = home !== null && home.replica.self === writer?.self && home.batches.undecided > 0;
      if (writer === undefined || waits || compareEpochs(writer.endedIn, epoch) >= 0) {
        found.add(epochKey(epoch));
      }
    }
    return found;
  }

  /** In `sync` on disk: what a write quorum has held may be lost only when so many have lost it from memory. */
  #mayNotLose(seq: number, epoch: string): string | null {
    const { holders, opened } = this.#world;
    const configuration = opened.find((each) => epochKey(each.epoch) === epoch)?.configuration;
    if (this.#plan.mode === "async" || holders === null || configuration === undefined) {
      return null;
    }
    const kept = holders.keptBy(seq, epoch, configuration);
    const spared = configuration.members.length - configuration.sealQuorum;
    return kept > spared ? `${kept} have kept it, and no seal could pass by more than ${spared}` : null;
  }

  #result(checked: Checked, cpuMs: number): SeedResult {
    const { seed } = this.#plan;
    const figures = this.#figures(checked, cpuMs);
    const { violations, violationCount } = this.#world;
    const invalid = whyInvalid({
      operations: figures.operations,
      acknowledged: figures.acknowledged,
      disturbed: figures.disturbed,
      faults: this.#nemesis.total,
    });
    const verdict = violationCount > 0 ? "failed" : invalid.length > 0 ? "invalid" : "passed";
    return {
      seed,
      verdict,
      violations,
      violationCount,
      invalid,
      hash: this.#trace.hash(),
      setting: this.#setting(),
      figures,
      trace: this.#trace.lines(),
    };
  }

  #setting(): string {
    const { nodes, founders, mode, durability, settings, clients, loss } = this.#plan;
    const lost = loss === null ? "" : `, loses ${loss.all ? "all" : "a majority"}`;
    const leases = settings.leaseMs > 0 ? `, leases of ${settings.leaseMs} ms` : "";
    const size = `${nodes.length} nodes, ${founders.length} founders, ${clients.length} clients`;
    return `${size}, ${mode}, ${durability}${leases}${lost}`;
  }

  #figures(checked: Checked, cpuMs: number): Figures {
    const { records, inFlight } = this.#clients;
    const count = (outcome: string): number => records.filter((each) => each.outcome === outcome).length;
    const disturbed = records.filter(({ outcome, returnedAtMs, calledAtMs }) => {
      return outcome !== "ok" || returnedAtMs - calledAtMs > DISTURBED_AFTER_MS;
    });
    const { dropped, duplicated, delayed } = this.#sim.hub.faultCounts;
    const sorted = inFlight.toSorted((left, right) => left - right);
    return {
      nodes: this.#plan.nodes.length,
      virtualMs: this.#sim.clock.now(),
      cpuMs,
      events: this.#trace.count,
      operations: records.length,
      acknowledged: count("ok"),
      unknown: count("unknown") + count("open"),
      refused: count("refused"),
      disturbed: disturbed.length,
      inFlight: sorted[Math.floor(sorted.length / 2)] ?? 0,
      faults: this.#nemesis.counts,
      faultsByClass: byClass(this.#nemesis.counts),
      messages: { dropped, duplicated, delayed, replayed: this.#letters.replayed },
      coverage: this.#world.coverage,
      checked,
    };
  }
}

function byClass(counts: Nemesis["counts"]): Record<FaultClass, number> {
  const sums = { network: 0, process: 0, disk: 0, clock: 0, membership: 0, code: 0 };
  for (const [kind, count] of Object.entries(counts)) {
    if (isFaultKind(kind)) {
      sums[FAULT_KINDS[kind]] += count;
    }
  }
  return sums;
}
