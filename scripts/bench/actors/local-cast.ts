/** Local casts in bursts, against nact's dispatch, a bare xstate actor's send, and Erlang's gen_server. */
import { createActor, fromTransition } from "xstate";
import { loadNact, versionOf } from "../peers.ts";
import { type Contender, interleave, rate } from "../rounds.ts";
import { atLeast } from "../statistics.ts";
import type { Bench, Context, Samples } from "../suite.ts";
import { type Count, Goal, makeSystem, OURS, startCounter } from "./counter.ts";
import { ERLANG_MISSING, measureErlang } from "./erlang.ts";

const BURST = 1_000;

/** Sends bursts of adds, waiting for the last message of each to be handled. */
function bursts(name: string, goal: Goal, send: () => void): Contender {
  let total = 0;
  const burst = async (): Promise<void> => {
    total += BURST;
    const reached = goal.set(total);
    for (let sent = 0; sent < BURST; sent++) {
      send();
    }
    await reached;
  };
  return { name, round: () => rate(BURST, burst) };
}

function ours(): Contender {
  const goal = new Goal();
  const counter = startCounter(makeSystem(), goal);
  return bursts("ours", goal, () => counter.cast({ type: "add", n: 1 }));
}

function nactContender(name: string): Contender {
  const nact = loadNact();
  const goal = new Goal();
  const counter = nact.spawn(
    nact.start(),
    (state: Count, message: { readonly n: number }) => {
      const count = state.count + message.n;
      goal.see(count);
      return { count };
    },
    "counter",
    { initialState: { count: 0 } },
  );
  return bursts(name, goal, () => nact.dispatch(counter, { type: "add", n: 1 }));
}

function xstateContender(name: string): Contender {
  const goal = new Goal();
  const logic = fromTransition(
    (state: Count, message: { readonly type: "add"; readonly n: number }) => {
      const count = state.count + message.n;
      goal.see(count);
      return { count };
    },
    { count: 0 },
  );
  const counter = createActor(logic).start();
  return bursts(name, goal, () => counter.send({ type: "add", n: 1 }));
}

async function run(context: Context): Promise<Samples> {
  const peers = [nactContender("nact dispatch"), xstateContender("xstate send")];
  const samples = await interleave(context, ours(), peers);
  return await measureErlang(samples, "cast", context.rounds);
}

export const LOCAL_CAST: Bench = {
  name: "local-cast",
  measure:
    "local cast, bursts of 1,000 within the default mailbox bound, handler that changes state, production codec, time to the last handled",
  unit: "casts/s",
  settings: OURS,
  baselines: [
    {
      name: "nact dispatch",
      settings: `nact ${versionOf("nact")}, defaults, one actor, synchronous handler`,
      target: atLeast(8),
    },
    {
      name: "xstate send",
      settings: `xstate ${versionOf("xstate")}, createActor(fromTransition(...)).start(), no observers`,
      target: atLeast(1),
    },
    {
      name: "gen_server:cast",
      settings: "Erlang/OTP, gen_server, the same bursts, closed by a call",
      optional: ERLANG_MISSING,
    },
  ],
  run,
};
