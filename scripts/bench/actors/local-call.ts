/** Local calls awaited one by one, against nact's query and Erlang's gen_server. */
import { loadNact, versionOf } from "../peers.ts";
import { type Contender, interleave, rate } from "../rounds.ts";
import { atMost } from "../statistics.ts";
import type { Bench, Context, Samples } from "../suite.ts";
import { type Count, Goal, makeSystem, OURS, startCounter } from "./counter.ts";
import { ERLANG_MISSING, measureErlang } from "./erlang.ts";

const CALLS_PER_STEP = 500;
const TIMEOUT_MS = 5_000;

/** Microseconds per call, over many, because a single one is too short to be timed. */
function oneByOne(name: string, call: () => Promise<unknown>): Contender {
  const step = async (): Promise<void> => {
    for (let calls = 0; calls < CALLS_PER_STEP; calls++) {
      await call();
    }
  };
  return { name, round: async () => 1e6 / (await rate(CALLS_PER_STEP, step)) };
}

function ours(): Contender {
  const counter = startCounter(makeSystem(), new Goal());
  return oneByOne("ours", () => counter.call({ type: "addAndGet", n: 1 }));
}

function nactContender(name: string): Contender {
  const nact = loadNact();
  const counter = nact.spawn(
    nact.start(),
    (state: Count, message: { readonly n: number }, { sender }) => {
      const count = state.count + message.n;
      nact.dispatch(sender, { count });
      return { count };
    },
    "counter",
    { initialState: { count: 0 } },
  );
  return oneByOne(name, () => nact.query(counter, { type: "addAndGet", n: 1 }, TIMEOUT_MS));
}

async function run(context: Context): Promise<Samples> {
  const samples = await interleave(context, ours(), [nactContender("nact query")]);
  return await measureErlang(samples, "call", context.rounds);
}

export const LOCAL_CALL: Bench = {
  name: "local-call",
  measure: "local call, awaited one by one",
  unit: "µs",
  settings: OURS,
  baselines: [
    {
      name: "nact query",
      settings: `nact ${versionOf("nact")}, defaults, timeout 5 s as ours`,
      target: atMost(0.3),
    },
    { name: "gen_server:call", settings: "Erlang/OTP, gen_server, defaults", optional: ERLANG_MISSING },
  ],
  run,
};
