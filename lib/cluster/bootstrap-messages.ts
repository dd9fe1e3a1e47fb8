/**
 * What nodes say to each other until the cluster runs, and what a node keeps of it. All of it is plain data
 * from another node, which may be of another version: checked before it means anything.
 */
import { z } from "zod";
import { invariant } from "../base/invariant.ts";
import {
  CLUSTER_MEMBERS_MAX,
  incarnationField,
  lineageField,
  type MapMember,
  type MapSettings,
  mapMemberSchema,
  mapSettingsSchema,
  nodeField,
} from "./cluster-map-schema.ts";

/** The root stream has at most so many members. */
export const ROOT_MEMBERS_MAX = 5;

/** With what a cluster begins. Its founder is the node of the first member. */
export const bootstrapRecordSchema = z
  .strictObject({
    lineage: lineageField,
    settings: mapSettingsSchema,
    /** All expected nodes, in the incarnations in which they said that they hold nothing; sorted by node. */
    members: z.array(mapMemberSchema).min(1).max(CLUSTER_MEMBERS_MAX).readonly(),
    /** The first replicas of the root stream: those of the first members. */
    genesis: z.array(z.string().min(3)).min(1).max(ROOT_MEMBERS_MAX).readonly(),
  })
  .readonly();
export type BootstrapRecord = z.output<typeof bootstrapRecordSchema>;

/** Which nodes begin a cluster together: these, or as many; null: this node only joins one. */
export const expectedSchema = z.union([
  z.strictObject({ peers: z.array(nodeField).min(1).max(CLUSTER_MEMBERS_MAX).readonly() }).readonly(),
  z.strictObject({ count: z.int().min(1).max(CLUSTER_MEMBERS_MAX) }).readonly(),
  z.null(),
]);
export type Expected = z.output<typeof expectedSchema>;

/** What a node keeps across its restarts, if its durability is "disk". */
export const keptSchema = z.discriminatedUnion("phase", [
  z.strictObject({ phase: z.literal("empty") }),
  /** It has agreed to begin with this record, and has begun nothing. */
  z.strictObject({ phase: z.literal("prepared"), record: bootstrapRecordSchema }),
  /** It has, or may have, a replica of this root stream; `record` when it began as one of the first. */
  z.strictObject({
    phase: z.literal("running"),
    lineage: lineageField,
    settings: mapSettingsSchema,
    record: bootstrapRecordSchema.nullable(),
  }),
]);
export type Kept = z.output<typeof keptSchema>;

const from = mapMemberSchema;
/** Counts the questions of one incarnation; the answer repeats it. */
const question = z.int().min(0);

export const bootstrapMessageSchema = z.discriminatedUnion("type", [
  /** What do you hold? `about` is the lineage that the asker is prepared for. */
  z.strictObject({
    type: z.literal("ask"),
    from,
    question,
    about: lineageField.nullable(),
    /** The founder of `about` is gone: who is prepared for it must not forget it on its word any more. */
    orphaned: z.boolean(),
  }),
  z.strictObject({
    type: z.literal("status"),
    from,
    /** The incarnation that has asked: a later one of the same node counts from 0 again. */
    to: incarnationField,
    question,
    about: lineageField.nullable(),
    kept: keptSchema,
    /** It runs, and has heard an open writer of its root stream. */
    settled: z.boolean(),
    settings: mapSettingsSchema,
    expected: expectedSchema,
  }),
  /** Be prepared for this record; answered by a `status` about it. */
  z.strictObject({
    type: z.literal("prepare"),
    from,
    question,
    record: bootstrapRecordSchema,
    /** By a node that is prepared itself, because the founder is gone. */
    orphaned: z.boolean(),
  }),
  /** It has begun: whoever is prepared for this lineage begins too. */
  z.strictObject({ type: z.literal("go"), from, lineage: lineageField }),
]);
export type BootstrapMessage = z.output<typeof bootstrapMessageSchema>;

export function isBootstrapMessage(value: unknown): value is BootstrapMessage {
  return bootstrapMessageSchema.safeParse(value).success;
}

/** The lineage that is held, prepared or running. */
export function lineageOf(kept: Kept): string | null {
  switch (kept.phase) {
    case "empty":
      return null;
    case "prepared":
      return kept.record.lineage;
    case "running":
      return kept.lineage;
  }
}

/** The node that alone decides about a record for as long as its incarnation lives. */
export function founderOf({ members }: BootstrapRecord): MapMember {
  const [founder] = members;
  invariant(founder !== undefined, "a record has members");
  return founder;
}

/** A key whose value is not the same at two nodes. */
export interface Difference {
  readonly key: string;
  readonly here: string;
  readonly there: string;
}

export function settingsDifferences(here: MapSettings, there: MapSettings): readonly Difference[] {
  const keys = ["partitions", "replicationFactor", "replicationMode", "durability"] as const;
  return keys
    .filter((key) => here[key] !== there[key])
    .map((key) => ({ key, here: String(here[key]), there: String(there[key]) }));
}

/** Nodes that begin a cluster together must agree on who they are. */
export function expectedDifferences(here: Expected, there: Expected): readonly Difference[] {
  const [left, right] = [describeExpected(here), describeExpected(there)];
  if (left.key === right.key) {
    return left.text === right.text ? [] : [{ key: left.key, here: left.text, there: right.text }];
  }
  return [left, right]
    .filter(({ key }) => key !== "none")
    .map(({ key }) => ({
      key,
      here: key === left.key ? left.text : "not given",
      there: key === right.key ? right.text : "not given",
    }));
}

function describeExpected(expected: Expected): { readonly key: string; readonly text: string } {
  if (expected === null) {
    return { key: "none", text: "" };
  }
  return "peers" in expected
    ? { key: "peers", text: [...new Set(expected.peers)].sort().join(",") }
    : { key: "bootstrapExpect", text: String(expected.count) };
}
