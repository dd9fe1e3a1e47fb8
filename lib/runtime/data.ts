/** The data floor of a node: its journal, the host of its replicas, and what the data actors share. */
import type { DataServices } from "../../actors/data-services.ts";
import type { ReplicatorArgs } from "../../actors/replicator.ts";
import type { TransactionStreams } from "../../actors/transaction-streams.ts";
import type { DataArgs } from "../../supervisors/root.ts";
import { Listeners } from "../actor/listeners.ts";
import type { ActorSystem } from "../actor/system.ts";
import { messageOf, type SupercastError } from "../base/errors.ts";
import type { Expected, Kept } from "../cluster/bootstrap-messages.ts";
import { nodesOfPartition } from "../cluster/cluster-map.ts";
import type { MapSettings } from "../cluster/cluster-map-schema.ts";
import { ClusterRoot } from "../cluster/cluster-root.ts";
import { Commits } from "../cluster/commits.ts";
import { handOverStreams, untilNoMember } from "../cluster/departure.ts";
import { KeptFile } from "../cluster/kept-file.ts";
import { MapView } from "../cluster/map-view.ts";
import { PartitionStreams, partitionStream } from "../cluster/partition-streams.ts";
import { StreamHost } from "../cluster/stream-host.ts";
import type { StreamWire } from "../cluster/stream-wire.ts";
import type { NodeSettings } from "../config/options.ts";
import { type Disk, joinPath } from "../disk/disk.ts";
import { nodeDisk } from "../disk/node-disk.ts";
import { JournalError } from "../journal/errors.ts";
import type { JournalFolder } from "../journal/folder.ts";
import { openFolder } from "../journal/open.ts";
import type { NodeFloor } from "../node/node-floor.ts";
import { partitionDefinition } from "../store/partition-definition.ts";
import { nodeOf } from "../stream/replica-id.ts";
import { StreamClient } from "../stream/stream-client.ts";
import { withTransactions } from "../stream/three-phase/definition.ts";
import type { BasePorts } from "./ports.ts";

export interface NodeData {
  readonly services: DataServices;
  /** Before the tree ends: others take over, and in memory mode this node leaves the cluster. */
  handOver(): Promise<void>;
  /** After the tree has ended. */
  close(): Promise<void>;
}

/** Where in `dataDir` the journal stands. */
const JOURNAL = "journal";

export interface OpenedData {
  /** Null: data lives in memory. */
  readonly folder: JournalFolder | null;
  /** What this node knows of the cluster that it belongs to. */
  readonly kept: Kept;
  keep(kept: Kept): Promise<void>;
}

/**
 * Opens the journal of `dataDir`. One that is damaged is moved aside, and the node begins with an empty one:
 * what it held, the other copies hold. Rejects with `journal_locked`, `journal_format` or `config_mismatch`.
 */
export async function openData(
  { dataDir }: NodeSettings,
  { clock, random, log }: BasePorts,
  disk: Disk = nodeDisk,
): Promise<OpenedData> {
  if (dataDir === undefined) {
    return { folder: null, kept: { phase: "empty" }, keep: () => Promise.resolve() };
  }
  await disk.makeFolder(dataDir);
  const path = joinPath(dataDir, JOURNAL);
  const file = new KeptFile(disk, dataDir);
  let kept = (await file.load()) ?? { phase: "empty" };
  // Kept before there is an empty journal: a crash in between must not leave the old identity beside it.
  const beginAnew = async (): Promise<void> => {
    kept = withoutMemory(kept);
    await file.save(kept);
  };
  const open = (): Promise<JournalFolder> => openFolder(path, { disk, clock, random });
  const isThere = (await disk.list(dataDir)).includes(JOURNAL);
  if (!isThere || (await disk.list(path)).length === 0) {
    await beginAnew();
  }
  let folder: JournalFolder;
  try {
    folder = await open();
  } catch (thrown) {
    if (!(thrown instanceof JournalError && thrown.code === "journal_damaged")) {
      throw thrown;
    }
    const movedTo = `${path}.damaged-${Math.floor(clock.wallNow())}`;
    log.error(`${messageOf(thrown)}; it is kept as ${movedTo}, and this node begins with an empty log`);
    await beginAnew();
    await disk.rename(path, movedTo);
    await disk.syncFolder(dataDir);
    folder = await open();
  }
  return { folder, kept, keep: (next) => file.save(next) };
}

/** A node that has lost its journal belongs to its cluster still, but not as the replica that it was. */
function withoutMemory(kept: Kept): Kept {
  return kept.phase === "running" ? { ...kept, record: null } : kept;
}

/** What a node's data actors are started with. */
export function dataArgs(
  data: DataServices,
  { up, publish }: Pick<ReplicatorArgs, "up" | "publish">,
): DataArgs {
  const streams = transactionStreams(data);
  const replicasOf = (partition: number): readonly string[] =>
    data.view.map === null ? [] : nodesOfPartition(data.view.map, partition);
  return { wal: { data }, replicator: { data, up, publish }, transactions: { streams, replicasOf } };
}

function transactionStreams({ host, view, partitions, changes }: DataServices): TransactionStreams {
  const all = (): readonly number[] => view.map?.partitions.map(({ partition }) => partition) ?? [];
  return {
    client: (partition) => partitions.client(partition),
    copies: () => all().filter((partition) => host.home(partitionStream(partition)) !== undefined),
    written: () =>
      all().flatMap((partition) => {
        const { role, writer = null } = host.home(partitionStream(partition))?.replica ?? {};
        return role === "open" && writer !== null ? [{ partition, barrierSeq: writer.barrierSeq }] : [];
      }),
    onChange: (listener) => changes.add(listener),
  };
}

export interface DataParts {
  readonly settings: NodeSettings;
  readonly system: ActorSystem;
  readonly floor: NodeFloor;
  readonly wire: StreamWire;
  readonly opened: OpenedData;
  /** Which nodes found a cluster with this one. */
  readonly expected: Expected;
  /** This node must not go on. */
  readonly refuse: (error: SupercastError) => void;
}

export function makeData(parts: DataParts): NodeData {
  const { settings, system, floor, wire, opened, expected, refuse } = parts;
  const { folder } = opened;
  const { log } = system;
  const { partitions, replicationFactor, replicationMode, wal } = settings;
  const view = new MapView(log);
  const host = new StreamHost({
    system,
    watchNodes: (listener) => floor.onNodeEvent(listener),
    folder,
    wire,
  });
  const mapSettings: MapSettings = {
    partitions,
    replicationFactor,
    replicationMode,
    durability: host.durability,
  };
  const root = new StreamClient(system, {
    stream: "root",
    get nodes() {
      return nodesOfRoot(view, system.node, floor);
    },
  });
  const { majorityTimeoutMs, cleanupIntervalMs: expiryIntervalMs } = wal;
  const streamSettings = { majorityTimeoutMs, expiryIntervalMs };
  const cluster = new ClusterRoot({
    ...{ system, host, view, expected, refuse, streamSettings },
    client: root,
    up: () => new Map(floor.liveNodes().map(({ node, incarnation }) => [node, incarnation])),
    settings: mapSettings,
    evictAfterMs: settings.evictAfterMs,
    kept: opened.kept,
    keep: (kept) => opened.keep(kept),
    send: (node, message) => system.cast({ name: "manager", node }, { type: "bootstrap", message }),
  });
  const streams = new PartitionStreams({
    ...{ host: system, view, windowMax: CLIENT_WINDOW },
    isUp: (node) => floor.isUp(node),
    writerOf: (stream) => {
      const primary = host.home(stream)?.primary ?? null;
      return primary === null ? null : nodeOf(primary);
    },
  });
  const services: DataServices = {
    host,
    view,
    cluster,
    root,
    partitions: streams,
    commits: new Commits({ node: system.node, host, partitions: streams, bounds: wal }),
    definition: withTransactions(partitionDefinition(KEY_POS)),
    settings: mapSettings,
    mode: replicationMode === "3pc" ? "strong" : replicationMode,
    streamSettings,
    wal,
    changes: new Listeners(log),
  };
  return {
    services,
    handOver: () => depart(services, system, floor),
    close: async () => {
      await host.close();
      await folder?.close();
    },
  };
}

/**
 * A node whose copies live in memory leaves the map as well: nothing of it comes back. One with a disk stays in
 * it, and is expected back within `evictAfterMs`.
 */
async function depart(
  { host, view, cluster }: DataServices,
  system: ActorSystem,
  floor: NodeFloor,
): Promise<void> {
  const { node } = system;
  const others = (): ReadonlySet<string> => new Set(floor.liveNodes().map((each) => each.node));
  await handOverStreams(host, system, others(), HAND_OVER_TIMEOUT_MS);
  const isAnyoneLeft = (): boolean =>
    view.map?.members.some((member) => member.node !== node && others().has(member.node)) === true;
  const isMember = view.map?.members.some((member) => member.node === node);
  if (host.durability !== "memory" || isMember !== true || !isAnyoneLeft()) {
    return;
  }
  try {
    await cluster.leave(HAND_OVER_TIMEOUT_MS);
    const rest = await untilNoMember(host, system.clock, LEAVE_TIMEOUT_MS, isAnyoneLeft);
    if (rest.length > 0 && isAnyoneLeft()) {
      system.log.warn(`${node} goes while it is still a member of ${rest.join(", ")}`);
    }
  } catch (thrown) {
    system.log.debug(`${node} did not leave the map: ${messageOf(thrown)}`);
  }
}

const HAND_OVER_TIMEOUT_MS = 2_000;
/** For all streams to go on without this node: a few changes of members each. */
const LEAVE_TIMEOUT_MS = 5_000;
/** Where in a record its key stands. */
const KEY_POS = 0;
/** Requests of one client that the replicated state keeps answers of. */
const CLIENT_WINDOW = 4_096;

function nodesOfRoot(view: MapView, self: string, floor: NodeFloor): readonly string[] {
  const known = view.map?.members.map(({ node }) => node) ?? floor.liveNodes().map(({ node }) => node);
  return [self, ...known.filter((node) => node !== self)];
}
