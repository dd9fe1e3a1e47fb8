/**
 * The cluster map: which nodes belong to the cluster, what must be equal on all of them, and with which
 * replicas each partition's stream begins. It is what the root stream holds.
 *
 * The map says what is wanted. Who is a member of a stream is said by that stream's own activated
 * configuration; the map names only its first replicas (`genesis`) and, by placement, the nodes that should
 * hold it. A partition's stream is of no use until it is `founded`: only then may data be in it, and from
 * then on no rule puts another stream in its place, except an operator's `reset`.
 *
 * An operation whose intent the map already fulfils changes nothing, so it may come twice. One that names an
 * older generation or incarnation than the map's changes nothing either; the answer tells what holds.
 */
import { z } from "zod";
import { SupercastError } from "../base/errors.ts";
import { invariant } from "../base/invariant.ts";
import type { Change, ReadView, Resolution, StreamDefinition } from "../stream/definition.ts";
import { type ReplicaId, replicaId } from "../stream/replica-id.ts";
import {
  CLUSTER_MEMBERS_MAX,
  type ClusterMap,
  lineageField,
  type MapAnswer,
  type MapMember,
  type MapOperation,
  type MapSettings,
  mapMemberSchema,
  mapOperationSchema,
  mapQuerySchema,
  mapSettingsSchema,
  nodeField,
  type PartitionEntry,
  partitionEntrySchema,
} from "./cluster-map-schema.ts";
import { type Placement, placePartition } from "./placement.ts";

/**
 * The root stream's definition. Operations answer a `MapAnswer`, the query a `ClusterMap`, or null before the
 * cluster is founded. Refuses with `invalid_message`, naming the field.
 */
export const clusterMapDefinition: StreamDefinition<unknown, unknown> = {
  resolve: (view, operation) => resolve(view, checked(mapOperationSchema, operation, "operation")),
  query(view, query) {
    checked(mapQuerySchema, query, "query");
    return readClusterMap(view);
  },
};

/** The whole map; null before the cluster is founded. */
export function readClusterMap(view: ReadView): ClusterMap | null {
  const head = readHead(view);
  if (head === null) {
    return null;
  }
  const { lineage, settings } = head;
  const members = head.nodes.map((node) => readMember(view, node));
  const partitions = Array.from({ length: settings.partitions }, (_, index) => readEntry(view, index));
  return { version: head.version, lineage, settings, members, left: readLeft(view), partitions };
}

/** The nodes that should hold a partition, the preferred writer first. */
export function nodesOfPartition(
  { members, settings }: Pick<ClusterMap, "members" | "settings">,
  partition: number,
): readonly string[] {
  const nodes = members.map(({ node }) => node);
  return namesOf(placePartition(nodes, partition, settings.replicationFactor));
}

/** The lineage of a partition's stream. */
export function partitionLineage(cluster: string, partition: number, generation: number): string {
  return `${cluster}.${partition}.${generation}`;
}

// --- how it stands in the stream: small keys, so that a change is small --------------------------

const clusterSchema = z.strictObject({ lineage: lineageField, settings: mapSettingsSchema });

const CLUSTER = "cluster";
const VERSION = "version";
const NODES = "nodes";
/** Who left by hand, newest last: what they were then does not come back by itself. */
const LEFT = "left";
const memberKey = (node: string): string => `member/${node}`;
const partitionKey = (partition: number): string => `partition/${partition}`;

/** All but the members' incarnations and the partitions. */
interface Head {
  readonly version: number;
  readonly lineage: string;
  readonly settings: MapSettings;
  /** Sorted. */
  readonly nodes: readonly string[];
}

function readHead(view: ReadView): Head | null {
  const cluster = view.get(CLUSTER);
  if (cluster === undefined) {
    return null;
  }
  const { lineage, settings } = stored(clusterSchema, cluster, CLUSTER);
  const version = stored(z.int().min(1), view.get(VERSION), VERSION);
  return { version, lineage, settings, nodes: stored(z.array(nodeField), view.get(NODES), NODES) };
}

function readMember(view: ReadView, node: string): MapMember {
  return stored(mapMemberSchema, view.get(memberKey(node)), memberKey(node));
}

function readLeft(view: ReadView): readonly MapMember[] {
  const left = view.get(LEFT);
  return left === undefined ? [] : stored(z.array(mapMemberSchema), left, LEFT);
}

function readEntry(view: ReadView, partition: number): PartitionEntry {
  return stored(partitionEntrySchema, view.get(partitionKey(partition)), partitionKey(partition));
}

// --- what the operations do ---------------------------------------------------------------------

type Of<Type extends MapOperation["type"]> = Extract<MapOperation, { readonly type: Type }>;

function resolve(view: ReadView, operation: MapOperation): Resolution {
  const head = readHead(view);
  if (operation.type === "found") {
    return head === null ? found(operation) : unchanged(head, null);
  }
  if (head === null) {
    throw refused("type", `${operation.type} needs a cluster, and none has been founded`);
  }
  switch (operation.type) {
    case "join":
      return join(view, head, operation);
    case "leave":
      return leave(view, head, operation);
    case "allow":
      return allow(view, head, operation);
    case "founded":
      return founded(view, head, operation);
    case "refound":
    case "reset":
      return begunAnew(view, head, operation);
  }
}

function found({ lineage, settings, members }: Of<"found">): Resolution {
  const sorted = [...members].sort((left, right) => (left.node < right.node ? -1 : 1));
  const entries = Array.from({ length: settings.partitions }, (_, partition) =>
    newEntry({ lineage, settings, members: sorted }, partition, 1),
  );
  const changes: Change[] = [
    { key: CLUSTER, value: { lineage, settings } },
    { key: NODES, value: sorted.map(({ node }) => node) },
    ...sorted.map((member) => ({ key: memberKey(member.node), value: member })),
    ...entries.map((entry) => ({ key: partitionKey(entry.partition), value: entry })),
  ];
  return changed(0, changes, null);
}

function join(view: ReadView, head: Head, { node, incarnation }: Of<"join">): Resolution {
  const { nodes, version } = head;
  const isMember = nodes.includes(node);
  if (isMember && readMember(view, node).incarnation >= incarnation) {
    return unchanged(head, null);
  }
  if (!isMember && nodes.length >= CLUSTER_MEMBERS_MAX) {
    throw refused("node", `${node} would be one more than ${CLUSTER_MEMBERS_MAX} members`);
  }
  const left = readLeft(view);
  if (left.some((each) => each.node === node && each.incarnation >= incarnation)) {
    throw new SupercastError("forbidden", `${node} was taken out by hand and is to be put in by hand`);
  }
  const member: Change = { key: memberKey(node), value: { node, incarnation } };
  const added: Change = { key: NODES, value: [...nodes, node].sort() };
  return changed(version, isMember ? [member] : [added, member, ...withoutLeft(left, node)], null);
}

function leave(view: ReadView, head: Head, { node, incarnation, reason }: Of<"leave">): Resolution {
  const { nodes, version } = head;
  const isMeant =
    nodes.includes(node) && (incarnation === undefined || readMember(view, node).incarnation <= incarnation);
  if (!isMeant) {
    return unchanged(head, null);
  }
  if (nodes.length === 1) {
    throw refused("node", `${node} is the last member of the cluster and cannot leave it`);
  }
  const changes: Change[] = [
    { key: NODES, value: nodes.filter((each) => each !== node) },
    { key: memberKey(node), deleted: true },
  ];
  if (reason === "byHand") {
    const others = readLeft(view).filter((each) => each.node !== node);
    const left = [...others, readMember(view, node)].slice(-CLUSTER_MEMBERS_MAX);
    changes.push({ key: LEFT, value: left });
  }
  return changed(version, changes, null);
}

function allow(view: ReadView, head: Head, { node }: Of<"allow">): Resolution {
  const changes = withoutLeft(readLeft(view), node);
  return changes.length === 0 ? unchanged(head, null) : changed(head.version, changes, null);
}

function withoutLeft(left: readonly MapMember[], node: string): readonly Change[] {
  const rest = left.filter((each) => each.node !== node);
  return rest.length === left.length ? [] : [{ key: LEFT, value: rest }];
}

function founded(view: ReadView, head: Head, operation: Of<"founded">): Resolution {
  const entry = meant(view, head, operation);
  if (entry.generation !== operation.generation || entry.founded) {
    return unchanged(head, entry);
  }
  const next: PartitionEntry = { ...entry, founded: true };
  return changed(head.version, [{ key: partitionKey(entry.partition), value: next }], next);
}

function begunAnew(view: ReadView, head: Head, operation: Of<"refound"> | Of<"reset">): Resolution {
  const entry = meant(view, head, operation);
  const holdsData = entry.founded && operation.type === "refound";
  if (entry.generation !== operation.generation || holdsData) {
    return unchanged(head, entry);
  }
  const { nodes: drawnFrom = head.nodes } = operation;
  const stranger = drawnFrom.find((node) => !head.nodes.includes(node));
  if (stranger !== undefined) {
    throw refused("nodes", `${stranger} is no member of the cluster`);
  }
  const members = drawnFrom.map((node) => readMember(view, node));
  const next = newEntry({ ...head, members }, entry.partition, entry.generation + 1);
  return changed(head.version, [{ key: partitionKey(entry.partition), value: next }], next);
}

/** The partition that an operation means. */
function meant(
  view: ReadView,
  { settings }: Head,
  { partition, generation }: { readonly partition: number; readonly generation: number },
): PartitionEntry {
  if (partition >= settings.partitions) {
    throw refused("partition", `${partition}; allowed: 0 to ${settings.partitions - 1}`);
  }
  const entry = readEntry(view, partition);
  if (generation > entry.generation) {
    throw refused("generation", `${generation}; partition ${partition} is at ${entry.generation}`);
  }
  return entry;
}

function newEntry(
  map: Pick<ClusterMap, "lineage" | "settings" | "members">,
  partition: number,
  generation: number,
): PartitionEntry {
  const incarnations = new Map(map.members.map((member) => [member.node, member.incarnation]));
  const genesis: ReplicaId[] = nodesOfPartition(map, partition).map((node) =>
    replicaId(node, incarnations.get(node) ?? ""),
  );
  const lineage = partitionLineage(map.lineage, partition, generation);
  return { partition, generation, lineage, genesis, founded: false };
}

function namesOf(placement: Placement | undefined): readonly string[] {
  return placement === undefined ? [] : [placement.primary, ...placement.replicas];
}

function changed(version: number, changes: readonly Change[], entry: PartitionEntry | null): Resolution {
  const next = version + 1;
  const answer: MapAnswer = { changed: true, version: next, entry };
  return { answer, changes: [...changes, { key: VERSION, value: next }] };
}

function unchanged({ version }: Head, entry: PartitionEntry | null): Resolution {
  const answer: MapAnswer = { changed: false, version, entry };
  return { answer, changes: [] };
}

// --- checks -------------------------------------------------------------------------------------

/** What a caller gave. */
function checked<Output>(schema: z.ZodType<Output>, given: unknown, what: string): Output {
  const result = schema.safeParse(given);
  if (result.success) {
    return result.data;
  }
  const [issue] = result.error.issues;
  const field = issue === undefined || issue.path.length === 0 ? what : issue.path.map(String).join(".");
  throw refused(field, issue?.message ?? "is not allowed");
}

/** What the stream holds, and this definition has put there. */
function stored<Output>(schema: z.ZodType<Output>, value: unknown, key: string): Output {
  const result = schema.safeParse(value);
  invariant(result.success, `the root stream holds at ${key} what the cluster map has put there`);
  return result.data;
}

function refused(field: string, problem: string): SupercastError {
  return new SupercastError("invalid_message", `${field}: ${problem}`);
}
