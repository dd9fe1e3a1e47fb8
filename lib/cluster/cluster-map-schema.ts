/**
 * What the cluster map holds and which operations change it: the shapes, with their schemas. Operations come
 * from other nodes and from callers, so each is checked before it means anything.
 */
import { z } from "zod";
import { nameProblem } from "../base/names.ts";

export const CLUSTER_MEMBERS_MAX = 1_024;
export const PARTITIONS_MAX = 64;
export const REPLICATION_FACTOR_MAX = 7;
export const REPLICATION_MODES = ["async", "sync", "strong", "3pc"] as const;
export const DURABILITIES = ["memory", "disk"] as const;
/** By hand, by the node's own orderly stop, or because it was away for too long. */
export const LEAVE_REASONS = ["byHand", "stopped", "evicted"] as const;

// --- what the map holds -------------------------------------------------------------------------

export const nodeField = z.string().check((context) => {
  const problem = nameProblem("node", context.value);
  if (problem !== undefined) {
    context.issues.push({ code: "custom", message: problem, input: context.value });
  }
});
export const incarnationField: z.ZodString = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,100}$/, "must be 1 to 100 of A-Z a-z 0-9 . _ -");
/** Room for a node's name, its incarnation and a number. */
export const lineageField: z.ZodString = z
  .string()
  .regex(/^[A-Za-z0-9._-]{1,200}$/, "must be 1 to 200 of A-Z a-z 0-9 . _ -");
const partitionField = z
  .int()
  .min(0)
  .max(PARTITIONS_MAX - 1);
const generationField = z.int().min(1);

/** The structural settings: what must be equal on every node of a cluster. */
export const mapSettingsSchema = z
  .strictObject({
    partitions: z.int().min(1).max(PARTITIONS_MAX),
    replicationFactor: z.int().min(1).max(REPLICATION_FACTOR_MAX),
    replicationMode: z.enum(REPLICATION_MODES),
    durability: z.enum(DURABILITIES),
  })
  .readonly();
export type MapSettings = z.output<typeof mapSettingsSchema>;

/** A node that belongs to the cluster. Incarnations of a node sort by time of birth. */
export const mapMemberSchema = z.strictObject({ node: nodeField, incarnation: incarnationField }).readonly();
export type MapMember = z.output<typeof mapMemberSchema>;

export const partitionEntrySchema = z
  .strictObject({
    partition: partitionField,
    /** From 1 up; counts the streams that this partition has begun. */
    generation: generationField,
    lineage: z.string().min(1),
    /** The first replicas of its stream, the preferred writer first. */
    genesis: z.array(z.string().min(3)).min(1).readonly(),
    /** Whether its stream has had an open writer, so that data may be in it. */
    founded: z.boolean(),
  })
  .readonly();
export type PartitionEntry = z.output<typeof partitionEntrySchema>;

export interface ClusterMap {
  /** Counts the changes of the map, from 1 up. */
  readonly version: number;
  readonly lineage: string;
  readonly settings: MapSettings;
  /** Sorted by node. */
  readonly members: readonly MapMember[];
  /** Who was taken out by hand, as it was then, and is not to come back by itself; the newest last. */
  readonly left: readonly MapMember[];
  /** All of them, by index. */
  readonly partitions: readonly PartitionEntry[];
}

// --- operations ---------------------------------------------------------------------------------

const membersField = z
  .array(mapMemberSchema)
  .min(1)
  .max(CLUSTER_MEMBERS_MAX)
  .refine((members) => new Set(members.map(({ node }) => node)).size === members.length, {
    message: "names a node twice",
  })
  .readonly();

/** Who may be among the new genesis replicas; without it all members. Whoever asks names those that are up. */
const drawnFromField = z.array(nodeField).min(1).max(CLUSTER_MEMBERS_MAX).readonly().optional();

export const mapOperationSchema = z.discriminatedUnion("type", [
  /** The first entry of a root stream. */
  z.strictObject({
    type: z.literal("found"),
    lineage: lineageField,
    settings: mapSettingsSchema,
    members: membersField,
  }),
  /** A new member, or a member in a younger incarnation. */
  z.strictObject({ type: z.literal("join"), node: nodeField, incarnation: incarnationField }),
  /** With `incarnation` it means that one only: a younger one of the node stays. */
  z.strictObject({
    type: z.literal("leave"),
    node: nodeField,
    reason: z.enum(LEAVE_REASONS),
    incarnation: incarnationField.optional(),
  }),
  /** Takes back that a node left by hand: it may join again as it is. */
  z.strictObject({ type: z.literal("allow"), node: nodeField }),
  /** Said by the first open writer of the partition's stream, before it takes data. */
  z.strictObject({
    type: z.literal("founded"),
    partition: partitionField,
    generation: generationField,
  }),
  /** Gives up a stream that was never founded, whose genesis replicas are gone, for the next generation. */
  z.strictObject({
    type: z.literal("refound"),
    partition: partitionField,
    generation: generationField,
    nodes: drawnFromField,
  }),
  /** By an operator, after total loss: as `refound`, also for a stream that held data. */
  z.strictObject({
    type: z.literal("reset"),
    partition: partitionField,
    generation: generationField,
    nodes: drawnFromField,
  }),
]);
export type MapOperation = z.output<typeof mapOperationSchema>;

export const mapQuerySchema = z.strictObject({ type: z.literal("map") });
export type MapQuery = z.output<typeof mapQuerySchema>;

export interface MapAnswer {
  /** False when the map already was as asked, or has gone on since. */
  readonly changed: boolean;
  /** Of the map after the operation. */
  readonly version: number;
  /** After `founded`, `refound` and `reset`: the partition as it is now. */
  readonly entry: PartitionEntry | null;
}
