/**
 * What is due at a node that is not yet part of a running cluster, by what it holds and what the others
 * have said. Each decision stands on its own; `bootstrap.ts` carries them out and tells why they are safe.
 */
import type { SupercastError } from "../base/errors.ts";
import { majorityOf } from "../stream/configuration.ts";
import { nodeOf, type ReplicaId, replicaId } from "../stream/replica-id.ts";
import {
  type BootstrapRecord,
  expectedDifferences,
  founderOf,
  lineageOf,
  ROOT_MEMBERS_MAX,
  settingsDifferences,
} from "./bootstrap-messages.ts";
import { configMismatch, haltedText, lineageMismatch } from "./bootstrap-refusals.ts";
import type { BootstrapConfig, BootstrapState, Seen } from "./bootstrap-state.ts";
import type { MapMember, MapSettings } from "./cluster-map-schema.ts";

export type Decision =
  /** `prepare`: who is not yet prepared for the record that this node holds, and has to be by its doing. */
  | { readonly type: "wait"; readonly prepare: readonly string[] }
  /** All expected nodes hold nothing: this one, the founder, draws up the record. */
  | { readonly type: "prepare"; readonly record: BootstrapRecord }
  | { readonly type: "forget"; readonly text: string }
  /** The founder of the record that it holds is gone. */
  | { readonly type: "orphan" }
  | { readonly type: "begin"; readonly record: BootstrapRecord }
  | { readonly type: "join"; readonly lineage: string; readonly settings: MapSettings }
  | { readonly type: "halt"; readonly text: string }
  | { readonly type: "refuse"; readonly error: SupercastError };

const WAIT: Decision = { type: "wait", prepare: [] };

export function decide(state: BootstrapState): Decision {
  const { kept } = state;
  const error = refusal(state);
  if (error !== null) {
    return { type: "refuse", error };
  }
  switch (kept.phase) {
    case "empty":
      return whenEmpty(state);
    case "prepared":
      return whenPrepared(state, kept.record);
    case "running":
      return WAIT;
  }
}

// --- refusals -----------------------------------------------------------------------------------

function refusal(state: BootstrapState): SupercastError | null {
  if (state.settled) {
    return null;
  }
  for (const [node, seen] of state.seen) {
    const error = refusalBy(state, node, seen);
    if (error !== null) {
      return error;
    }
  }
  return null;
}

function refusalBy(
  { config, kept, orphanedAt }: BootstrapState,
  node: string,
  seen: Seen,
): SupercastError | null {
  const { settings, expected } = config;
  const own = lineageOf(kept);
  const theirs = lineageOf(seen.kept);
  if (seen.settled) {
    const differences = settingsDifferences(settings, seen.settings);
    if (kept.phase === "empty") {
      return differences.length === 0 ? null : configMismatch(node, differences);
    }
    const isBound = kept.phase === "running" || orphanedAt !== null;
    return isBound && own !== null && theirs !== null && own !== theirs
      ? lineageMismatch(own, node, theirs)
      : null;
  }
  if (kept.phase !== "empty" || seen.kept.phase === "running" || !expects(config, node, seen)) {
    return null;
  }
  const differences = [
    ...settingsDifferences(settings, seen.settings),
    ...expectedDifferences(expected, seen.expected),
  ];
  return differences.length === 0 ? null : configMismatch(node, differences);
}

/** Whether this node counts on that one to begin a cluster with it. */
function expects({ expected }: BootstrapConfig, node: string, seen: Seen): boolean {
  return expected !== null && ("peers" in expected ? expected.peers.includes(node) : seen.expected !== null);
}

// --- a node that holds nothing ------------------------------------------------------------------

function whenEmpty(state: BootstrapState): Decision {
  for (const { kept, settled } of state.seen.values()) {
    if (settled && kept.phase === "running") {
      return { type: "join", lineage: kept.lineage, settings: kept.settings };
    }
  }
  const record = recordToFound(state);
  return record === null ? WAIT : { type: "prepare", record };
}

/** The record that this node is to found, when all that it expects hold nothing and it is the first of them. */
function recordToFound(state: BootstrapState): BootstrapRecord | null {
  const { config, seen, attempts } = state;
  const nodes = expectedNodes(state);
  if (nodes === null || nodes[0] !== config.self.node) {
    return null;
  }
  const isFree = [...seen].every(
    ([node, { kept }]) => kept.phase === "empty" || !concerns(config, nodes, node),
  );
  if (!isFree) {
    return null;
  }
  const members: MapMember[] = [];
  for (const node of nodes) {
    const incarnation = node === config.self.node ? config.self.incarnation : seen.get(node)?.incarnation;
    if (incarnation === undefined) {
      return null;
    }
    members.push({ node, incarnation });
  }
  const { node, incarnation } = config.self;
  const genesis = members.slice(0, ROOT_MEMBERS_MAX).map((each) => replicaId(each.node, each.incarnation));
  return { lineage: `${node}-${incarnation}-${attempts + 1}`, settings: config.settings, members, genesis };
}

/** Whether what a node holds keeps these from beginning. Who only counts nodes knows no strangers. */
function concerns({ expected }: BootstrapConfig, nodes: readonly string[], node: string): boolean {
  return nodes.includes(node) || (expected !== null && "count" in expected);
}

/** The nodes that begin together, sorted; null when they are not known yet, or this node only joins. */
export function expectedNodes({ config, seen, up }: BootstrapState): readonly string[] | null {
  const { expected, self } = config;
  if (expected === null) {
    return null;
  }
  if ("peers" in expected) {
    const peers = [...new Set(expected.peers)].sort();
    return peers.includes(self.node) ? peers : null;
  }
  const alike = [...seen].filter(([, each]) => each.expected !== null).map(([node]) => node);
  const nodes = [self.node, ...alike].sort().slice(0, expected.count);
  const isUnheard = up.some((node) => !seen.has(node)); // it may have a lower name, or hold something
  return nodes.length < expected.count || isUnheard ? null : nodes;
}

// --- a prepared node ----------------------------------------------------------------------------

/** What is known of another node of the record. */
type Standing = "unknown" | "empty" | "prepared" | "running" | "elsewhere" | "gone";

interface Standings {
  readonly of: ReadonlyMap<string, Standing>;
  /** First replicas that are not gone, this node's included. */
  readonly left: number;
  /** First replicas that are prepared, this node's included. */
  readonly ready: number;
  readonly needed: number;
}

function whenPrepared(state: BootstrapState, record: BootstrapRecord): Decision {
  const standings = standingsOf(state, record);
  if ([...standings.of.values()].includes("running") || isRunElsewhere(state, record)) {
    return { type: "begin", record };
  }
  if (founderOf(record).node === state.config.self.node) {
    return asFounder(state, record, standings);
  }
  return state.orphanedAt === null ? asFollower(state, record) : asOrphan(record, standings);
}

/** A node that is not of the record may run its cluster. */
function isRunElsewhere({ seen }: BootstrapState, { lineage }: BootstrapRecord): boolean {
  return [...seen.values()].some(({ kept }) => kept.phase === "running" && kept.lineage === lineage);
}

function asFounder(
  state: BootstrapState,
  record: BootstrapRecord,
  { of, left, ready, needed }: Standings,
): Decision {
  const yieldsTo = whomToYield(state, record);
  if (yieldsTo !== null) {
    return { type: "forget", text: `lineage ${record.lineage} is given up: ${yieldsTo}` };
  }
  if (left < needed) {
    const text = `lineage ${record.lineage} is given up: ${goneOf(of).join(", ")} came back without it`;
    return { type: "forget", text };
  }
  const open = [...of].filter(([, standing]) => standing !== "prepared" && standing !== "gone");
  if (open.length === 0 && ready >= needed) {
    return { type: "begin", record };
  }
  return { type: "wait", prepare: open.map(([node]) => node) };
}

/** Of two founders that need the same node one has to give way: not the one with the lower name. */
function whomToYield({ config, seen }: BootstrapState, record: BootstrapRecord): string | null {
  for (const [node, { kept, settled }] of seen) {
    const theirs = lineageOf(kept);
    if (theirs === null || theirs === record.lineage) {
      continue;
    }
    const nodes = record.members.map((member) => member.node);
    const isMember = nodes.includes(node);
    if (kept.phase === "running" && (settled || concerns(config, nodes, node))) {
      return `${node} runs lineage ${theirs}`;
    }
    if (kept.phase === "prepared" && isMember && founderOf(kept.record).node <= config.self.node) {
      return `${node} is prepared for lineage ${theirs}`;
    }
  }
  return null;
}

/** The founder alone decides while its incarnation lives. */
function asFollower({ seen }: BootstrapState, { lineage, members }: BootstrapRecord): Decision {
  const [founder] = members;
  const said = founder === undefined ? undefined : seen.get(founder.node);
  if (founder === undefined || said === undefined || lineageOf(said.kept) === lineage) {
    return WAIT;
  }
  if (said.incarnation > founder.incarnation) {
    return { type: "orphan" };
  }
  const isGivenUp = said.incarnation === founder.incarnation && said.about === lineage;
  return isGivenUp ? { type: "forget", text: `lineage ${lineage} was given up by ${founder.node}` } : WAIT;
}

function asOrphan(record: BootstrapRecord, { of, left, ready, needed }: Standings): Decision {
  const { lineage, members } = record;
  if (members.length === 2) {
    const text = `lineage ${lineage} is forgotten: its founder is gone, and without this node nothing was committed`;
    return { type: "forget", text };
  }
  if (left < needed) {
    return { type: "halt", text: haltedText(lineage, goneOf(of), needed, left) };
  }
  const open = [...of].filter(([, standing]) => standing !== "prepared" && standing !== "gone");
  if (open.length === 0 && ready >= needed) {
    return { type: "begin", record };
  }
  return { type: "wait", prepare: open.filter(([, standing]) => standing === "empty").map(([node]) => node) };
}

function goneOf(of: ReadonlyMap<string, Standing>): readonly string[] {
  return [...of].filter(([, standing]) => standing === "gone").map(([node]) => node);
}

function standingsOf(state: BootstrapState, record: BootstrapRecord): Standings {
  const { self } = state.config;
  const others = record.members.filter(({ node }) => node !== self.node);
  const of = new Map(others.map((member) => [member.node, standingOf(state, record.lineage, member)]));
  const count = (counts: (standing: Standing | undefined) => boolean): number =>
    record.genesis.filter((first: ReplicaId) => nodeOf(first) === self.node || counts(of.get(nodeOf(first))))
      .length;
  return {
    of,
    left: count((standing) => standing !== "gone"),
    ready: count((standing) => standing === "prepared"),
    needed: majorityOf(record.genesis).writeQuorum,
  };
}

function standingOf({ seen, orphanedAt }: BootstrapState, lineage: string, member: MapMember): Standing {
  const said = seen.get(member.node);
  if (said === undefined || said.incarnation < member.incarnation) {
    return "unknown";
  }
  const { kept } = said;
  if (lineageOf(kept) === lineage) {
    const isFresh = orphanedAt === null || said.question > orphanedAt;
    return kept.phase === "running" ? "running" : isFresh ? "prepared" : "unknown";
  }
  if (said.incarnation > member.incarnation) {
    return "gone";
  }
  return kept.phase === "empty" ? "empty" : "elsewhere";
}
