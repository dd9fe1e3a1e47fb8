/**
 * How a cluster begins: the one moment at which nobody can ask the cluster. A pure state machine that runs
 * on every node; it decides whether this node begins a root stream, joins one, waits, or must not go on.
 *
 * All expected nodes say that they hold nothing; then the founder, the one with the lowest name, draws up a
 * record and prepares all of them for it. A prepared node holds something: it takes no other record. When
 * every node of the record is prepared, or its incarnation is gone, and enough first replicas are left for
 * a write quorum, the founder begins and says so. A majority would not do: copies may live in memory only,
 * and then a majority that restarts looks like a new cluster to everybody but to those who still hold data.
 *
 *  - While the founder's incarnation lives, it alone decides whether its record is begun or given up; a
 *    prepared node forgets a record only when the founder says that it no longer holds it.
 *  - Once the founder's node answers as another incarnation without the record, those that are prepared bring
 *    it to its end themselves: nobody forgets it any more, nodes that the founder had not reached are
 *    prepared too, and it is begun as soon as all that are left are prepared and have a write quorum.
 *  - When no write quorum is left, the founder gives the record up. Without the founder nobody knows whether
 *    something was begun and lost: the node halts and says so. (Of two nodes, the one that has not begun knows
 *    that nothing can have been committed.)
 *
 * So, of one set of expected nodes: nothing is begun while one of them that is alive has begun something, and
 * nobody begins while a node of the record could say, in that incarnation, that it holds nothing. Messages may
 * be lost, late, repeated and out of order. Effects are to be performed in order, each when the one before it
 * is done: what is kept must be durable before anybody hears of it.
 */
import { SupercastError } from "../base/errors.ts";
import { type Decision, decide } from "./bootstrap-decision.ts";
import {
  type BootstrapMessage,
  type BootstrapRecord,
  type Expected,
  type Kept,
  lineageOf,
  settingsDifferences,
} from "./bootstrap-messages.ts";
import { configMismatch } from "./bootstrap-refusals.ts";
import {
  askedNodes,
  type BootstrapConfig,
  type BootstrapEffect,
  type BootstrapEvent,
  type BootstrapState,
  type BootstrapStep,
} from "./bootstrap-state.ts";
import type { MapMember } from "./cluster-map-schema.ts";

/** A node that comes up with what it kept. Its effects begin what it had begun. */
export function createBootstrap(config: BootstrapConfig, kept: Kept = { phase: "empty" }): BootstrapStep {
  const state: BootstrapState = {
    config,
    kept,
    settled: false,
    asked: 0,
    attempts: 0,
    orphanedAt: null,
    seen: new Map(),
    up: [],
    refused: null,
    halted: null,
  };
  const settings =
    kept.phase === "prepared" ? kept.record.settings : kept.phase === "running" ? kept.settings : null;
  const differences = settings === null ? [] : settingsDifferences(config.settings, settings);
  if (differences.length > 0) {
    return refuse(state, configMismatch(`lineage ${lineageOf(kept)} in this node's data`, differences));
  }
  return settle(state, kept.phase === "running" ? [startOf(kept, config.self)] : []);
}

export function stepBootstrap(state: BootstrapState, event: BootstrapEvent): BootstrapStep {
  if (state.refused !== null) {
    return { state, effects: [] };
  }
  switch (event.type) {
    case "tick":
      return tick(state);
    case "up": {
      const up = [...new Set(event.nodes)].filter((node) => node !== state.config.self.node).sort();
      return settle(pruned({ ...state, up }), []);
    }
    case "settled":
      return { state: { ...state, settled: state.kept.phase === "running" }, effects: [] };
    case "message":
      return event.message.from.node === state.config.self.node
        ? { state, effects: [] }
        : receive(state, event.message);
  }
}

type Prepare = Extract<BootstrapMessage, { readonly type: "prepare" }>;

// --- events -------------------------------------------------------------------------------------

function tick(state: BootstrapState): BootstrapStep {
  if (state.settled) {
    return { state, effects: [] };
  }
  const asked = state.asked + 1;
  const message: BootstrapMessage = {
    type: "ask",
    from: state.config.self,
    question: asked,
    about: lineageOf(state.kept),
    orphaned: state.orphanedAt !== null,
  };
  const asks = askedNodes(state).map((to): BootstrapEffect => ({ type: "send", to, message }));
  return settle({ ...state, asked }, asks, true);
}

function receive(state: BootstrapState, message: BootstrapMessage): BootstrapStep {
  const { node, incarnation } = message.from;
  switch (message.type) {
    case "ask": {
      const isHeld = state.kept.phase === "prepared" && lineageOf(state.kept) === message.about;
      const next = message.orphaned && isHeld ? orphaned(state) : state;
      return settle(next, [answer(next, node, incarnation, message.question, message.about)]);
    }
    case "prepare": {
      const { record, question } = message;
      const taken = isAcceptable(state, message);
      const kept: Kept = taken ? { phase: "prepared", record } : state.kept;
      const held = taken ? { ...state, kept } : state;
      const isOurs = held.kept.phase === "prepared" && lineageOf(held.kept) === record.lineage;
      const next = message.orphaned && isOurs ? orphaned(held) : held;
      return settle(next, [
        ...(taken ? [keep(kept)] : []),
        answer(next, node, incarnation, question, record.lineage),
      ]);
    }
    case "status":
      return settle(noted(state, message), []);
    case "go": {
      const { kept } = state;
      return kept.phase === "prepared" && kept.record.lineage === message.lineage
        ? begin(state, kept.record, [])
        : { state, effects: [] };
    }
  }
}

function answer(
  { config, kept, settled }: BootstrapState,
  to: string,
  incarnation: string,
  question: number,
  about: string | null,
): BootstrapEffect {
  const { self, settings, expected } = config;
  const from = self;
  const message: BootstrapMessage = {
    ...{ type: "status", from, to: incarnation, question, about },
    ...{ kept, settled, settings, expected },
  };
  return { type: "send", to, message };
}

/** Whether this node may be prepared: it holds nothing, is meant as it is, and the life of who asks is not over. */
function isAcceptable({ config, kept, seen }: BootstrapState, { from, record }: Prepare): boolean {
  const { self, settings, expected } = config;
  const me = record.members.find(({ node }) => node === self.node);
  return (
    kept.phase === "empty" &&
    me?.incarnation === self.incarnation &&
    settingsDifferences(settings, record.settings).length === 0 &&
    isExpected(expected, record) &&
    (seen.get(from.node)?.incarnation ?? "") <= from.incarnation
  );
}

function isExpected(expected: Expected, { members }: BootstrapRecord): boolean {
  if (expected === null || "count" in expected) {
    return expected !== null && members.length === expected.count;
  }
  const peers = [...new Set(expected.peers)].sort();
  return peers.length === members.length && peers.every((peer, index) => peer === members[index]?.node);
}

/** Takes in an answer, unless it is of an older life of either side, or older than what is known. */
function noted(
  state: BootstrapState,
  message: Extract<BootstrapMessage, { readonly type: "status" }>,
): BootstrapState {
  const { from, to, question, about, kept, settled, settings, expected } = message;
  const known = state.seen.get(from.node);
  const isLate =
    known !== undefined &&
    (from.incarnation < known.incarnation ||
      (from.incarnation === known.incarnation && question < known.question));
  const isForeign = to !== state.config.self.incarnation || question > state.asked;
  if (isLate || isForeign || !askedNodes(state).includes(from.node)) {
    return state;
  }
  const seen = new Map(state.seen);
  seen.set(from.node, { incarnation: from.incarnation, question, about, kept, settled, settings, expected });
  return { ...state, seen };
}

function pruned(state: BootstrapState): BootstrapState {
  const wanted = new Set(askedNodes(state));
  return { ...state, seen: new Map([...state.seen].filter(([node]) => wanted.has(node))) };
}

function orphaned(state: BootstrapState): BootstrapState {
  return state.orphanedAt === null ? { ...state, orphanedAt: state.asked } : state;
}

// --- decisions ----------------------------------------------------------------------------------

/** Does what is due, until nothing is. `again`: preparations that were sent before are sent again. */
function settle(state: BootstrapState, effects: readonly BootstrapEffect[], again = false): BootstrapStep {
  const decision = decide(state);
  switch (decision.type) {
    case "wait":
      return prepareOthers({ ...state, halted: null }, effects, again ? decision.prepare : []);
    case "halt":
      return halt(state, effects, decision.text);
    case "refuse":
      return { ...refuse(state, decision.error, effects) };
    case "prepare": {
      const { record } = decision;
      const kept: Kept = { phase: "prepared", record };
      const next = { ...state, kept, attempts: state.attempts + 1, orphanedAt: null };
      return settle(next, [...effects, keep(kept)], true);
    }
    case "forget":
      return forget(state, effects, decision);
    case "orphan":
      return settle(orphaned(state), effects, again);
    case "begin":
      return begin(state, decision.record, effects);
    case "join": {
      const { lineage, settings } = decision;
      const kept: Kept = { phase: "running", lineage, settings, record: null };
      return {
        state: { ...state, kept, halted: null },
        effects: [...effects, keep(kept), { type: "join", lineage, settings }],
      };
    }
  }
}

function forget(
  state: BootstrapState,
  effects: readonly BootstrapEffect[],
  { text }: Extract<Decision, { readonly type: "forget" }>,
): BootstrapStep {
  const kept: Kept = { phase: "empty" };
  const next = pruned({ ...state, kept, orphanedAt: null, halted: null });
  return settle(next, [...effects, keep(kept), { type: "log", text }]);
}

function begin(
  state: BootstrapState,
  record: BootstrapRecord,
  effects: readonly BootstrapEffect[],
): BootstrapStep {
  const { lineage, settings, members } = record;
  const { self } = state.config;
  const kept: Kept = { phase: "running", lineage, settings, record };
  const others = members.filter(({ node }) => node !== self.node);
  const tell = others.map(
    ({ node }): BootstrapEffect => ({ type: "send", to: node, message: { type: "go", from: self, lineage } }),
  );
  return {
    state: { ...state, kept, orphanedAt: null, halted: null },
    effects: [...effects, keep(kept), startOf(kept, self), ...tell],
  };
}

function prepareOthers(
  state: BootstrapState,
  effects: readonly BootstrapEffect[],
  nodes: readonly string[],
): BootstrapStep {
  if (state.kept.phase !== "prepared" || nodes.length === 0) {
    return { state, effects };
  }
  const asked = state.asked + 1;
  const message: BootstrapMessage = {
    type: "prepare",
    from: state.config.self,
    question: asked,
    record: state.kept.record,
    orphaned: state.orphanedAt !== null,
  };
  const sends = nodes.map((to): BootstrapEffect => ({ type: "send", to, message }));
  return { state: { ...state, asked }, effects: [...effects, ...sends] };
}

function halt(state: BootstrapState, effects: readonly BootstrapEffect[], text: string): BootstrapStep {
  const error = new SupercastError("quorum_not_reached", text);
  const isNew = state.halted !== text;
  return {
    state: { ...state, halted: text },
    effects: isNew ? [...effects, { type: "halt", error }] : effects,
  };
}

function refuse(
  state: BootstrapState,
  error: SupercastError,
  effects: readonly BootstrapEffect[] = [],
): BootstrapStep {
  return { state: { ...state, refused: error }, effects: [...effects, { type: "refuse", error }] };
}

function keep(kept: Kept): BootstrapEffect {
  return { type: "keep", kept };
}

/** A record names the incarnation in which this node was prepared; on disk it may be an earlier one. */
function startOf(kept: Extract<Kept, { readonly phase: "running" }>, self: MapMember): BootstrapEffect {
  const { record, lineage, settings } = kept;
  const me = record?.members.find(({ node }) => node === self.node);
  return record === null || me === undefined
    ? { type: "join", lineage, settings }
    : { type: "start", record, incarnation: me.incarnation };
}
