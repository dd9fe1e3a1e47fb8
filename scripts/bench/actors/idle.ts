/** 100,000 idle actors: what each takes of the heap, and how long each takes to start. */
import { createActor, fromTransition, type Actor as XstateActor } from "xstate";
import { child } from "../../../lib/actor/child-spec.ts";
import { LocalRef } from "../../../lib/actor/local-ref.ts";
import { DynamicSupervisor, type SupervisorProtocol } from "../../../lib/actor/supervisor.ts";
import { versionOf } from "../peers.ts";
import { type Contender, interleave } from "../rounds.ts";
import { atMost } from "../statistics.ts";
import type { Bench, Context, Samples } from "../suite.ts";
import { type Count, Counter, makeSystem, NOWHERE, OURS, startCounter } from "./counter.ts";
import { ERLANG_MISSING, measureErlang } from "./erlang.ts";

const IDLE = 100_000;
const HEAP_BYTES_MAX = 1_200;

/** Starts `IDLE` actors; what it returns keeps them alive and lets go of them. */
type StartAll = () => Started | Promise<Started>;
type Started = { readonly letGo: () => void };

function startPlain(): Started {
  const system = makeSystem();
  for (let started = 0; started < IDLE; started++) {
    startCounter(system, NOWHERE);
  }
  return { letGo: () => system.close() };
}

/** As `node.start` does: each a child of the node's supervisor of user actors, one after the other. */
async function startSupervised(): Promise<Started> {
  const system = makeSystem();
  const outcome = await system.start(DynamicSupervisor, {}, { name: "actors" });
  if (outcome.status !== "started") {
    throw new Error("the supervisor did not start");
  }
  const supervisor = new LocalRef<SupervisorProtocol>(outcome.process);
  const options = { timeoutMs: Number.POSITIVE_INFINITY };
  for (let started = 0; started < IDLE; started++) {
    await supervisor.call({ type: "startChild", spec: child(Counter, NOWHERE) }, options);
  }
  return { letGo: () => system.close() };
}

function startXstate(): Started {
  const count = (state: Count, { n }: { type: "add"; n: number }): Count => ({ count: state.count + n });
  const logic = fromTransition(count, { count: 0 });
  const actors: XstateActor<typeof logic>[] = [];
  for (let started = 0; started < IDLE; started++) {
    actors.push(createActor(logic).start());
  }
  return { letGo: () => actors.splice(0) };
}

/** Microseconds per actor. */
function startTime(name: string, start: StartAll): Contender {
  return {
    name,
    round: async () => {
      const from = performance.now();
      const started = await start();
      const us = ((performance.now() - from) * 1000) / IDLE;
      started.letGo();
      return us;
    },
  };
}

/** Bytes per actor. */
function heapEach(name: string, start: StartAll): Contender {
  return {
    name,
    round: async () => {
      const before = await heapUsed();
      const started = await start();
      const bytes = (await heapUsed()) - before;
      started.letGo();
      return bytes / IDLE;
    },
  };
}

/** What is used after a collection; in a turn of its own, so that nothing is held by the stack. */
async function heapUsed(): Promise<number> {
  await new Promise((turn) => setImmediate(turn));
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function runStart(context: Context): Promise<Samples> {
  const peers = [startTime("xstate start", startXstate), startTime("supervised start", startSupervised)];
  const samples = await interleave(context, startTime("ours", startPlain), peers);
  return measureErlang(samples, "start", context.rounds);
}

async function runHeap(context: Context): Promise<Samples> {
  const peers = [heapEach("xstate actor", startXstate), heapEach("plain process", startPlain)];
  const samples = await interleave(context, heapEach("ours", startSupervised), peers);
  return measureErlang(samples, "heap", context.rounds);
}

const PLAIN = "started by ActorSystem.start, without a supervisor";
const SUPERVISED = "started through a DynamicSupervisor one after the other, as node.start does";
const XSTATE_SETTINGS = `xstate ${versionOf("xstate")}, createActor(fromTransition(...)).start(), no observers`;

export const IDLE_HEAP: Bench = {
  name: "idle-heap",
  measure: "100,000 idle actors: heap of each",
  unit: "bytes",
  settings: `${OURS}; ${SUPERVISED}`,
  nodeFlags: ["--expose-gc"],
  baselines: [
    { name: "1,200 bytes", settings: "the bound", constant: HEAP_BYTES_MAX, target: atMost(1) },
    { name: "xstate actor", settings: XSTATE_SETTINGS },
    { name: "plain process", settings: `ours ${PLAIN}` },
    {
      name: "gen_server process",
      settings: "Erlang/OTP, gen_server, erlang:memory(processes)",
      optional: ERLANG_MISSING,
    },
  ],
  run: runHeap,
};

export const IDLE_START: Bench = {
  name: "idle-start",
  measure: "100,000 idle actors: start of each",
  unit: "µs",
  settings: `${OURS}; ${PLAIN}`,
  nodeFlags: ["--expose-gc"],
  baselines: [
    { name: "xstate start", settings: XSTATE_SETTINGS, target: atMost(0.5) },
    { name: "supervised start", settings: `ours ${SUPERVISED}` },
    { name: "gen_server:start", settings: "Erlang/OTP, gen_server, no link", optional: ERLANG_MISSING },
  ],
  run: runStart,
};
