/**
 * startNode: composes ports, actor floor, node floor and the tree of named actors into a running node.
 *
 * Every port can be given, which is how whole clusters run in one process on virtual time.
 */
import type { HealthOptions } from "../../actors/health-monitor.ts";
import "../../actors/names.ts";
import type { NodeSource } from "../../actors/node-monitor.ts";
import type { ReplicatorArgs } from "../../actors/replicator.ts";
import type { NodeServices } from "../../actors/services.ts";
import { rootTree } from "../../supervisors/root.ts";
import { Groups } from "../actor/groups.ts";
import type { Process } from "../actor/process.ts";
import { Supervisor } from "../actor/supervisor.ts";
import { ActorSystem } from "../actor/system.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf, SupercastError } from "../base/errors.ts";
import { formatReason } from "../base/reason.ts";
import type { Expected } from "../cluster/bootstrap-messages.ts";
import { DEFAULT_THRESHOLDS } from "../cluster/health.ts";
import { NOTHING_BY_HAND } from "../cluster/membership.ts";
import { StreamWire } from "../cluster/stream-wire.ts";
import { checkOptions, type NodeOptions, type NodeSettings } from "../config/options.ts";
import { ForeignGateway } from "../node/foreign-gateway.ts";
import { receiveGroups, syncGroups } from "../node/group-sync.ts";
import { NodeFloor } from "../node/node-floor.ts";
import { type Subjects, subjectsOf } from "../node/subjects.ts";
import { publishEvent } from "../telemetry/events.ts";
import type { Logger } from "../telemetry/log.ts";
import { MetricsStore } from "../telemetry/metrics.ts";
import type { AnnouncedService, Transport, TransportEvent } from "../transport/transport.ts";
import { decode, encode } from "../wire/codec.ts";
import { announceNode } from "./announce.ts";
import { dataArgs, makeData, type NodeData, type OpenedData, openData } from "./data.ts";
import { discoveryTable } from "./discovery.ts";
import { checkNameIsFree } from "./name-check.ts";
import { Node } from "./node.ts";
import { basePorts, type NodePorts, type OpenedTransport, openTransport } from "./ports.ts";
import { Shutdown } from "./shutdown.ts";

/** Every node beats once within this many intervals, so whoever is there has been heard. */
const DISCOVERY_BEATS = 1.5;

/**
 * Starts a node and resolves when its tree runs and the declared nodes that are up have been heard.
 * Rejects with `config_mismatch` (an option is wrong, or the name is taken), `forbidden` (NATS refused the
 * credentials) or `start_failed`. While no NATS server answers it keeps trying and says so.
 */
export async function startNode(options: NodeOptions, ports: NodePorts = {}): Promise<Node> {
  const settings = checkOptions(options);
  const subjects = subjectsOf(settings.cluster, settings.subjectPrefix);
  const base = basePorts(ports);
  const log = base.log.child({ node: settings.name });
  const opened = await openTransport(settings, { ...base, log }, ports.transport);
  let stored: OpenedData | undefined;
  try {
    await checkNameIsFree(opened.transport, subjects, settings.name, log);
    stored = await openData(settings, { ...base, log }, ports.disk);
    return await compose(settings, subjects, { ...base, log }, opened, stored);
  } catch (error) {
    await stored?.folder?.close();
    await opened.transport.close();
    await opened.close?.();
    throw error;
  }
}

async function compose(
  settings: NodeSettings,
  subjects: Subjects,
  { clock, random, log }: Required<Pick<NodePorts, "clock" | "random" | "log">>,
  opened: OpenedTransport,
  stored: OpenedData,
): Promise<Node> {
  const { transport } = opened;
  const system = new ActorSystem({
    node: settings.name,
    incarnation: newIncarnation(clock, random.token(8)),
    clock,
    random,
    log,
    limits: settings.checkedLimits,
    ...(usesLocalCodec(settings) ? { copy: throughCodec } : {}),
  });
  const metrics = new MetricsStore();
  const groups = new Groups(system);
  const floor: NodeFloor = new NodeFloor({
    system,
    transport,
    subjects,
    handlers: { groups: (peer, change) => receiveGroups(groups, floor, peer, change) },
  });
  syncGroups(groups, floor);
  const services = makeServices(settings, subjects, transport, floor, metrics, log);
  floor.start();
  const gateway = new ForeignGateway({ system, transport, subjects, metrics });
  const refusals: SupercastError[] = [];
  let refuse = (error: SupercastError): unknown => refusals.push(error);
  const data = settings.actorsOnly
    ? null
    : makeData({
        ...{ settings, system, floor, opened: stored },
        wire: new StreamWire({ system, transport, subjects }),
        expected: expectedOf(settings, opened),
        refuse: (error) => refuse(error),
      });
  let root: Process;
  let service: AnnouncedService | undefined;
  try {
    root = await startTree(system, settings, services, data);
    gateway.start();
    service = await announceNode({ transport, subjects, system, cluster: settings.cluster });
  } catch (error) {
    gateway.stop();
    floor.stop();
    system.close();
    throw error;
  }
  const shutdown = new Shutdown({
    system,
    floor,
    gateway,
    transport,
    root,
    service,
    ...(data === null ? {} : { handOver: () => data.handOver(), closeStorage: () => data.close() }),
    ...after(opened),
  });
  const fail = endWith({ root, floor, transport, shutdown, log, system });
  await settled(transport);
  await hearPeers(floor, settings, clock);
  const [refused] = refusals;
  if (refused !== undefined) {
    await shutdown.stop(refused);
    throw refused;
  }
  refuse = fail;
  log.info(`node ${settings.name} is ready`, { cluster: settings.cluster, incarnation: system.incarnation });
  return new Node({
    ...{ system, floor, groups, cluster: settings.cluster, servers: opened.servers, shutdown },
    map: data?.services.view ?? null,
    wal: data?.services.commits ?? null,
  });
}

/** Which nodes found a cluster with this one: those that it was given, or, on its own server, it alone. */
function expectedOf(
  { peers, bootstrapExpect, servers }: NodeSettings,
  { founds }: OpenedTransport,
): Expected {
  if (peers !== undefined) {
    return { peers };
  }
  if (bootstrapExpect !== undefined) {
    return { count: bootstrapExpect };
  }
  return servers === undefined && founds === true ? { count: 1 } : null;
}

function eventsOf({ floor, subjects, publishJson }: NodeServices): Pick<ReplicatorArgs, "up" | "publish"> {
  const subject = subjects.clusterEvent(floor.system.node);
  return { up: () => upNodes(floor), publish: (event) => publishJson(subject, event) };
}

function upNodes(floor: NodeFloor): ReadonlySet<string> {
  return new Set([floor.system.node, ...floor.liveNodes().map(({ node }) => node)]);
}

function after({ close }: OpenedTransport): { after?: () => Promise<void> } {
  return close === undefined ? {} : { after: close };
}

/** Waits until the subscriptions stand. A connection that breaks now makes them again when it is back. */
async function settled(transport: Transport): Promise<void> {
  try {
    await transport.flush();
  } catch (error) {
    if (!(error instanceof SupercastError && error.code === "noconnection")) {
      throw error;
    }
  }
}

/** Sorts by time of birth, so that of two live nodes with one name the younger prevails. */
function newIncarnation(clock: Clock, token: string): string {
  return `${Math.floor(clock.wallNow()).toString(36).padStart(9, "0")}${token}`;
}

function usesLocalCodec({ localCodec }: NodeSettings): boolean {
  return localCodec ?? process.env["NODE_ENV"] !== "production";
}

function throughCodec(value: unknown): unknown {
  return decode(encode(value));
}

function makeServices(
  settings: NodeSettings,
  subjects: Subjects,
  transport: Transport,
  floor: NodeFloor,
  metrics: MetricsStore,
  log: Logger,
): NodeServices {
  const { partitions, replicationFactor, replicationMode } = settings;
  return {
    floor,
    metrics,
    subjects,
    cluster: { partitions, replicationFactor, replicationMode },
    publishJson: (subject, body) => {
      try {
        transport.publish(subject, Buffer.from(JSON.stringify(body)));
      } catch (error) {
        metrics.increment("transport", "unpublished");
        log.debug(`nothing was published on ${subject}: ${messageOf(error)}`);
      }
    },
  };
}

async function startTree(
  system: ActorSystem,
  settings: NodeSettings,
  services: NodeServices,
  data: NodeData | null,
): Promise<Process> {
  const { source, discoveries } = nodeSource(settings);
  const tree = rootTree({
    services,
    manager: { services, kept: { byHand: NOTHING_BY_HAND }, data: data?.services ?? null },
    nodeMonitor: {
      services,
      kept: { source },
      discoveries: discoveryTable(discoveries, settings.checkedLimits.discoveryTimeoutMs),
    },
    health: { services, kept: { options: healthOptions(settings), alerts: new Map() } },
    data: data === null ? null : dataArgs(data.services, eventsOf(services)),
    actors: { intensity: settings.restartIntensity, periodMs: settings.restartPeriodMs },
  });
  const outcome = await system.start(Supervisor, tree, { name: "root" });
  if (outcome.status !== "started") {
    const why = outcome.status === "failed" ? formatReason(outcome.reason) : outcome.status;
    throw new SupercastError("start_failed", `the node's tree did not start: ${why}`);
  }
  return outcome.process;
}

/** The name under which a function given as `nodeMonitor.discover` is known. */
const GIVEN_DISCOVERY = "given";

function nodeSource({ nodeMonitor, peers, discoveries = {}, checkedLimits }: NodeSettings): {
  source: NodeSource;
  discoveries: Readonly<Record<string, () => readonly string[] | Promise<readonly string[]>>>;
} {
  const { nodes = peers, discover, refreshMs = checkedLimits.discoveryRefreshMs } = nodeMonitor ?? {};
  if (discover !== undefined) {
    const named = typeof discover === "string" ? discover : GIVEN_DISCOVERY;
    const functions =
      typeof discover === "string" ? discoveries : { ...discoveries, [GIVEN_DISCOVERY]: discover };
    return { source: { kind: "discover", discover: named, refreshMs }, discoveries: functions };
  }
  const all = nodeMonitor?.all === true || nodes === undefined;
  return { source: all ? { kind: "all" } : { kind: "nodes", nodes }, discoveries };
}

function healthOptions({ health, checkedLimits }: NodeSettings): HealthOptions {
  const { intervalMs = checkedLimits.healthIntervalMs, ...thresholds } = health;
  const given = Object.entries(thresholds).filter(([, value]) => value !== undefined);
  return { intervalMs, thresholds: { ...DEFAULT_THRESHOLDS, ...Object.fromEntries(given) } };
}

/** What ends the node without being asked: the end of its tree, of its connection, or a younger namesake. Returns what ends it for another reason. */
function endWith(parts: {
  root: Process;
  floor: NodeFloor;
  transport: Transport;
  shutdown: Shutdown;
  log: Logger;
  system: ActorSystem;
}): (error: SupercastError) => void {
  const { root, floor, transport, shutdown, log, system } = parts;
  const fail = (error: SupercastError): void => {
    log.error(`the node ends: ${error.message}`);
    shutdown.stop(error).catch((thrown: unknown) => log.error(`stopping failed: ${messageOf(thrown)}`));
  };
  root.onEnd(() => {
    if (!shutdown.underWay) {
      fail(
        new SupercastError(
          "start_failed",
          `its root supervisor ended: ${formatReason(root.exitReason ?? "killed")}`,
        ),
      );
    }
  });
  floor.onNodeEvent((event) => {
    if (event.type === "nameConflict") {
      const text = `a younger incarnation of ${system.node} (${event.incarnation}) runs in this cluster`;
      fail(new SupercastError("config_mismatch", text));
    }
  });
  transport.onEvent((event) => {
    reportTransport(event, system.node, log);
    if (event.type === "closed" && !shutdown.underWay) {
      fail(event.error ?? new SupercastError("noconnection", "the connection to NATS was closed"));
    }
  });
  return fail;
}

function reportTransport(event: TransportEvent, node: string, log: Logger): void {
  const message = "error" in event && event.error !== undefined ? messageOf(event.error) : undefined;
  publishEvent("supercast:transport:event", () => ({ node, type: event.type, message }));
  const level = event.type === "error" || event.type === "handlerFailed" ? "error" : "info";
  const expected = event.type === "closed" && message === undefined;
  if (!expected) {
    log[event.type === "disconnected" ? "warn" : level](
      `NATS: ${event.type}${message === undefined ? "" : `: ${message}`}`,
    );
  }
}

/** Waits until the declared nodes have been heard, or as long as a live one can take to be. */
async function hearPeers(floor: NodeFloor, settings: NodeSettings, clock: Clock): Promise<void> {
  const wanted = settings.nodeMonitor?.nodes ?? settings.peers ?? [];
  const heard = (): boolean => wanted.length > 0 && wanted.every((node) => floor.isUp(node));
  if (heard()) {
    return;
  }
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      clock.clearTimer(timer);
      stop();
      resolve();
    };
    const timer = clock.setTimer(finish, DISCOVERY_BEATS * settings.checkedLimits.heartbeatMs);
    const stop = floor.onNodeEvent(() => {
      if (heard()) {
        finish();
      }
    });
  });
}
