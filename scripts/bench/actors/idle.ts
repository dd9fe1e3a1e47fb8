/** 100,000 idle actors: what each takes of the heap, and how long each takes to start. */
import { createActor, fromTransition, type Actor as XstateActor } from "xstate";
import { child } from "../../../lib/actor/child-spec.ts";
import { LocalRef } from "../../../lib/actor/local-ref.ts";
import { DynamicSupervisor, type SupervisorProtocol } from "../../../lib/actor/supervisor.ts";
import type { ActorSystem } from "../../../lib/actor/system.ts";
import { versionOf } from "../peers.ts";
import { type Contender, interleave } from "../rounds.ts";
import { atMost } from "../statistics.ts";
import type { Bench, Context, Samples } from "../suite.ts";
import { type Count, Counter, makeSystem, NOWHERE, OURS, startCounter } from "./counter.ts";
import { ERLANG_MISSING, measureErlang } from "./erlang.ts";

const IDLE = 100_000;
const HEAP_BYTES_MAX = 1_200;

/** Starts `IDLE` actors and returns what keeps them alive. */
type StartAll = () => unknown;

function startPlain(): ActorSystem {
  const system = makeSystem();
  for (let started = 0; started < IDLE; started++) {
    startCounter(system, NOWHERE);
  }
  return system;
}

/** As `node.start` does: each a child of the system's supervisor. */
async function startSupervised(): Promise<ActorSystem> {
  const system = makeSystem();
  const outcome = await system.start(DynamicSupervisor, {}, { name: "actors" });
  if (outcome.status !== "started") {
    throw new Error("the supervisor did not start");
  }
  const supervisor = new LocalRef<SupervisorProtocol>(outcome.process);
  for (let started = 0; started < IDLE; started++) {
    const spec = child(Counter, NOWHERE);
    await supervisor.call({ type: "startChild", spec });
  }
  return system;
}

function startXstate(): unknown[] {
  const logic = fromTransition(
    (state: Count, { n }: { type: "add"; n: number }) => ({ count: state.count + n }),
    {
      count: 0,
    },
  );
  const actors: XstateActor<typeof logic>[] = [];
  for (let started = 0; started < IDLE; started++) {
    actors.push(createActor(logic).start());
  }
  return actors;
}

function startTime(name: string, start: StartAll): Contender {
  return {
    name,
    round: async () => {
      const from = performance.now();
      await start();
      return ((performance.now() - from) * 1000) / IDLE;
    },
  };
}

function heapEach(name: string, start: StartAll): Contender {
  return {
    name,
    round: async () => {
      globalThis.gc?.();
      const before = process.memoryUsage().heapUsed;
      const kept = await start();
      globalThis.gc?.();
      const bytes = process.memoryUsage().heapUsed - before;
      return kept === undefined ? Number.NaN : bytes / IDLE;
    },
  };
}

async function runStart(context: Context): Promise<Samples> {
  const peers = [startTime("xstate start", startXstate), startTime("plain start", startPlain)];
  const samples = await interleave(context, startTime("ours", startSupervised), peers);
  return measureErlang(samples, "start", context.rounds);
}

async function runHeap(context: Context): Promise<Samples> {
  const peers = [heapEach("xstate actor", startXstate), heapEach("plain process", startPlain)];
  const samples = await interleave(context, heapEach("ours", startSupervised), peers);
  return measureErlang(samples, "heap", context.rounds);
}

const SETTINGS = `${OURS}; each started through a DynamicSupervisor, as node.start does`;
const PLAIN_SETTINGS = "ours without a supervisor: ActorSystem.start";
const XSTATE_SETTINGS = `xstate ${versionOf("xstate")}, createActor(fromTransition(...)).start(), no observers`;

export const IDLE_HEAP: Bench = {
  name: "idle-heap",
  measure: "100,000 idle actors, heap of each",
  unit: "bytes",
  settings: SETTINGS,
  nodeFlags: ["--expose-gc"],
  baselines: [
    {
      name: "1,200 bytes",
      settings: "the bound",
      constant: HEAP_BYTES_MAX,
      target: atMost(1),
    },
    { name: "xstate actor", settings: XSTATE_SETTINGS },
    { name: "plain process", settings: PLAIN_SETTINGS },
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
  measure: "100,000 idle actors, start of each",
  unit: "µs",
  settings: SETTINGS,
  nodeFlags: ["--expose-gc"],
  baselines: [
    { name: "xstate start", settings: XSTATE_SETTINGS, target: atMost(0.5) },
    { name: "plain start", settings: PLAIN_SETTINGS },
    { name: "gen_server:start", settings: "Erlang/OTP, gen_server, no link", optional: ERLANG_MISSING },
  ],
  run: runStart,
};
