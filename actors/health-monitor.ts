/**
 * HealthMonitor: measures, each `intervalMs`, how the wanted nodes fare, and raises alerts.
 *
 * A node's status comes from what it does: it must answer in time, its event loop must run, its own
 * rounds must go on, its calls must succeed. Each round goes out on the health-check subject, each
 * breach and the end of each breach on the health-alert subject; a node that goes down raises its alert
 * at once, without waiting for the round.
 */
import { Actor } from "../lib/actor/actor.ts";
import type { From } from "../lib/actor/from.ts";
import type { Info } from "../lib/actor/info.ts";
import type { CallMessage, CastMessage } from "../lib/actor/protocol.ts";
import type { CallResult } from "../lib/actor/result.ts";
import { isoTime } from "../lib/base/clock.ts";
import { messageOf, SupercastError } from "../lib/base/errors.ts";
import {
  assessCluster,
  assessNode,
  type Breach,
  type HealthThresholds,
  type Measurement,
  type NodeHealth,
  type SelfReport,
} from "../lib/cluster/health.ts";
import { API_METRICS } from "../lib/node/foreign-gateway.ts";
import { publishEvent } from "../lib/telemetry/events.ts";
import { type ClusterHealth, type HealthMonitorProtocol, healthMonitorProtocol } from "./health-protocol.ts";
import type { NodeServices } from "./services.ts";

export interface HealthOptions {
  readonly intervalMs: number;
  readonly thresholds: HealthThresholds;
}

export interface HealthMonitorArgs {
  readonly services: NodeServices;
  /**
   * The options in force and the alerts raised. They outlive the process, so that a restart neither undoes
   * a reconfigure nor raises an alert again, nor forgets to clear one.
   */
  readonly kept: { options: HealthOptions; readonly alerts: Map<string, RaisedAlert> };
}

export interface RaisedAlert {
  readonly node: string;
  readonly breach: Breach;
}

interface HealthState {
  readonly nodes: readonly NodeHealth[];
  /** On the monotonic clock. */
  readonly roundAt: number | undefined;
  readonly checkedAt: string | null;
}

const LAG_SAMPLE_MS = 100;
/** Of fewer calls in a round, one failure would look like a calamity. */
const CALLS_FOR_A_RATE = 20;
/** Nodes that start together get this long to find each other before the first round. */
const FIRST_ROUND_MS = 1_000;

export class HealthMonitor extends Actor<HealthMonitorProtocol, HealthState, HealthMonitorArgs> {
  static override readonly protocol = healthMonitorProtocol;
  #args: HealthMonitorArgs | undefined;
  /** Raised by reconfigure, so that the timer of an older interval counts no more. */
  #generation = 0;
  /** The round under way, which everyone who asks meanwhile joins. */
  #round: Promise<ClusterHealth> | undefined;
  #worstLagMs = 0;
  #counted = { calls: 0, failures: 0, crashes: 0 };
  #rates = { errorRate: 0, crashes: 0 };

  init(args: HealthMonitorArgs): HealthState {
    this.#args = args;
    args.services.floor.monitorNodes(this.process);
    this.#countRates();
    this.#rates = { errorRate: 0, crashes: 0 }; // what was before this process is no rate
    this.#sampleLag();
    const firstInMs = Math.min(FIRST_ROUND_MS, args.kept.options.intervalMs);
    this.castAfter(firstInMs, { type: "round", generation: this.#generation });
    return { nodes: [], roundAt: undefined, checkedAt: null };
  }

  override handleCall(
    message: CallMessage<HealthMonitorProtocol>,
    from: From<HealthMonitorProtocol>,
  ): CallResult {
    switch (message.type) {
      case "clusterHealth":
        return this.reply(message, this.#clusterHealth());
      case "nodeHealth":
        return this.reply(message, this.#nodeHealth(message.node));
      case "selfReport":
        return this.reply(message, this.#selfReport());
      case "reconfigure":
        return this.reply(message, this.#reconfigure(message));
      case "forceCheck":
        this.#runRound().then(
          (health) => from.reply(message, health),
          (error: unknown) => from.fail(asSupercastError(error)),
        );
        return this.noReply();
    }
  }

  override handleCast(message: CastMessage<HealthMonitorProtocol>): void {
    if (message.generation !== this.#generation) {
      return;
    }
    this.castAfter(this.#use.kept.options.intervalMs, message);
    this.#runRound().catch((error: unknown) => this.#roundFailed(error));
  }

  override handleInfo(info: Info): void {
    if (info.type === "nodeDown") {
      const error = `node down: ${info.reason}`;
      this.#update(this.#assess({ node: info.node, rttMs: undefined, report: undefined, error }));
    } else if (info.type === "nodeUp" && this.state.roundAt !== undefined) {
      // Before the first round, which is near, nodes that start together are still finding each other.
      // A round that is under way may have found it gone; only one that begins now says how it is.
      const next = (): Promise<ClusterHealth> => this.#runRound();
      (this.#round ?? Promise.resolve()).then(next, next).catch((error: unknown) => this.#roundFailed(error));
    }
  }

  #roundFailed(error: unknown): void {
    if (this.process.alive) {
      this.log.error(`a health round failed: ${messageOf(error)}`);
    }
  }

  get #use(): HealthMonitorArgs {
    if (this.#args === undefined) {
      throw new SupercastError("internal", "the health monitor has not been initialised");
    }
    return this.#args;
  }

  // --- measuring --------------------------------------------------------------------------------

  /** How late a timer of this process fires is how late everything else is. */
  #sampleLag(): void {
    const dueAt = this.now() + LAG_SAMPLE_MS;
    this.after(LAG_SAMPLE_MS, () => {
      this.#worstLagMs = Math.max(this.#worstLagMs, this.now() - dueAt);
      this.#sampleLag();
    });
  }

  #runRound(): Promise<ClusterHealth> {
    this.#round ??= this.#measureAll().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  async #measureAll(): Promise<ClusterHealth> {
    const { healthTimeoutMs } = this.process.system.limits;
    const { wanted, node: self } = await this.call(
      { name: "manager" },
      { type: "status" },
      { timeoutMs: healthTimeoutMs },
    );
    this.#countRates();
    const measured = await Promise.all(
      wanted.map((node) =>
        node === self ? Promise.resolve(this.#measureSelf(self)) : this.#measure(node, healthTimeoutMs),
      ),
    );
    if (!this.process.alive) {
      throw new SupercastError("exit", "the health monitor ended during its round", {
        details: { reason: "killed" },
      });
    }
    this.#worstLagMs = 0;
    const { clock } = this.process.system;
    const nodes = measured.map((each) => this.#assess(this.#withPresent(each)));
    this.state = { nodes, roundAt: clock.now(), checkedAt: isoTime(clock.wallNow()) };
    this.#updateAlerts(nodes);
    const health = this.#clusterHealth();
    const { services } = this.#use;
    services.publishJson(services.subjects.healthCheck(self), health);
    publishEvent("supercast:health:check", () => health);
    return health;
  }

  #measureSelf(node: string): Measurement {
    return { node, rttMs: 0, report: this.#selfReport(), error: undefined };
  }

  async #measure(node: string, timeoutMs: number): Promise<Measurement> {
    const startedAt = this.now();
    try {
      const report = await this.call({ name: "health_monitor", node }, { type: "selfReport" }, { timeoutMs });
      return { node, rttMs: this.now() - startedAt, report, error: undefined };
    } catch (thrown) {
      return { node, rttMs: undefined, report: undefined, error: messageOf(thrown) };
    }
  }

  /** A node that went down after it had answered has no answer that counts. */
  #withPresent(measured: Measurement): Measurement {
    const { node } = measured;
    if (measured.report === undefined || this.#use.services.floor.isUp(node)) {
      return measured;
    }
    return { node, rttMs: undefined, report: undefined, error: "it went down during the round" };
  }

  #selfReport(): SelfReport {
    const { roundAt } = this.state;
    return {
      eventLoopLagMs: this.#worstLagMs,
      ...this.#rates,
      roundAgeMs: roundAt === undefined ? null : this.now() - roundAt,
      intervalMs: this.#use.kept.options.intervalMs,
    };
  }

  /** Error rate and crashes since the round before. */
  #countRates(): void {
    const { metrics } = this.#use.services;
    const counted = {
      calls: metrics.counter(API_METRICS, "calls"),
      failures: metrics.counter(API_METRICS, "failures"),
      crashes: this.process.system.crashes,
    };
    const calls = counted.calls - this.#counted.calls;
    const failures = Math.min(calls, counted.failures - this.#counted.failures);
    this.#rates = {
      errorRate: calls >= CALLS_FOR_A_RATE ? failures / calls : 0,
      crashes: counted.crashes - this.#counted.crashes,
    };
    this.#counted = counted;
  }

  // --- judging ----------------------------------------------------------------------------------

  #assess(measured: Measurement): NodeHealth {
    return assessNode(measured, this.#use.kept.options.thresholds);
  }

  /** Takes in what became known of one node between two rounds. */
  #update(health: NodeHealth): void {
    if (this.state.nodes.some((each) => each.node === health.node)) {
      const nodes = this.state.nodes.map((each) => (each.node === health.node ? health : each));
      this.state = { ...this.state, nodes };
      this.#updateAlerts(nodes);
    }
  }

  #clusterHealth(): ClusterHealth {
    const { nodes, roundAt, checkedAt } = this.state;
    const roundAgeMs = roundAt === undefined ? undefined : this.now() - roundAt;
    return {
      status: assessCluster(nodes, roundAgeMs, this.#use.kept.options.intervalMs),
      node: this.process.system.node,
      checkedAt,
      roundAgeMs: roundAgeMs === undefined ? null : Math.round(roundAgeMs),
      nodes,
    };
  }

  #nodeHealth(node: string): NodeHealth {
    const found = this.state.nodes.find((each) => each.node === node);
    return (
      found ??
      this.#assess({ node, rttMs: undefined, report: undefined, error: "not measured: it is not declared" })
    );
  }

  // --- alerts -----------------------------------------------------------------------------------

  #updateAlerts(nodes: readonly NodeHealth[]): void {
    const { alerts } = this.#use.kept;
    const present = new Set<string>();
    for (const { node, breaches } of nodes) {
      for (const breach of breaches) {
        const key = `${node} ${breach.check}`;
        present.add(key);
        const known = alerts.get(key);
        alerts.set(key, { node, breach });
        if (known?.breach.severity !== breach.severity) {
          this.#alert("raised", node, breach);
        }
      }
    }
    for (const [key, { node, breach }] of alerts) {
      if (!present.has(key)) {
        alerts.delete(key);
        this.#alert("cleared", node, breach);
      }
    }
  }

  #alert(state: "raised" | "cleared", node: string, breach: Breach): void {
    const { services } = this.#use;
    const at = isoTime(this.process.system.clock.wallNow());
    const alert = { state, node, at, ...breach };
    this.log[state === "raised" ? "warn" : "info"](`health alert ${state}: ${breach.message}`, {
      about: node,
    });
    services.publishJson(services.subjects.healthAlert(this.process.system.node), alert);
    publishEvent("supercast:health:alert", () => alert);
  }

  // --- reconfigure ------------------------------------------------------------------------------

  #reconfigure(message: Extract<CallMessage<HealthMonitorProtocol>, { type: "reconfigure" }>): HealthOptions {
    const { kept } = this.#use;
    const { intervalMs, type: _type, ...changes } = message;
    const defined = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
    kept.options = {
      intervalMs: intervalMs ?? kept.options.intervalMs,
      thresholds: { ...kept.options.thresholds, ...defined },
    };
    if (intervalMs !== undefined) {
      this.#generation += 1;
      this.castAfter(intervalMs, { type: "round", generation: this.#generation });
    }
    this.log.info("health options changed", {
      ...kept.options.thresholds,
      intervalMs: kept.options.intervalMs,
    });
    return kept.options;
  }
}

function asSupercastError(thrown: unknown): SupercastError {
  return thrown instanceof SupercastError ? thrown : new SupercastError("internal", messageOf(thrown));
}
