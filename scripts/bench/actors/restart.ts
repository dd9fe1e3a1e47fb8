/** A child that crashes: how long until its successor answers under the same name. */
import { Actor } from "../../../lib/actor/actor.ts";
import { child } from "../../../lib/actor/child-spec.ts";
import type { Call, CallMessage, Cast } from "../../../lib/actor/protocol.ts";
import type { CallResult } from "../../../lib/actor/result.ts";
import { Supervisor } from "../../../lib/actor/supervisor.ts";
import { interleave } from "../rounds.ts";
import { median } from "../statistics.ts";
import type { Bench, Context, Samples } from "../suite.ts";
import { makeSystem, OURS } from "./counter.ts";

const CRASHES_PER_ROUND = 500;

type FragileProtocol = { crash: Cast; ping: Call<object, "pong"> };

/** What the crashing child reports of its life: the moment of each crash, and that it runs again. */
class Witness {
  crashedAt = 0;
  started: () => void = () => undefined;
}

class Fragile extends Actor<FragileProtocol, Witness, Witness> {
  init(witness: Witness): Witness {
    witness.started();
    return witness;
  }

  override handleCast(): void {
    this.state.crashedAt = performance.now();
    throw new Error("crashed on purpose");
  }

  override handleCall(message: CallMessage<FragileProtocol>): CallResult {
    return this.reply(message, "pong");
  }
}

async function run(context: Context): Promise<Samples> {
  const system = makeSystem();
  const witness = new Witness();
  const supervised = await system.start(Supervisor, {
    children: [child(Fragile, witness, { name: "fragile" })],
    intensity: Number.MAX_SAFE_INTEGER,
    periodMs: 1,
  });
  if (supervised.status !== "started") {
    throw new Error("the supervisor did not start");
  }
  const target = { name: "fragile" };
  const crashOnce = async (): Promise<number> => {
    const restarted = new Promise<void>((started) => {
      witness.started = started;
    });
    system.cast(target, { type: "crash" });
    await restarted;
    await system.call(target, { type: "ping" });
    return (performance.now() - witness.crashedAt) * 1000;
  };
  const round = async (): Promise<number> => {
    const times: number[] = [];
    for (let crashes = 0; crashes < CRASHES_PER_ROUND; crashes++) {
      times.push(await crashOnce());
    }
    return median(times);
  };
  const { again, ...samples } = await interleave(context, { name: "ours", round }, []);
  return { ...samples, ours: [...samples.ours, ...again], again: [] };
}

export const RESTART: Bench = {
  name: "restart",
  measure: "restart of a crashed child: p50 from crash to ready",
  unit: "µs",
  settings: `${OURS}; from the throw in a handler to the successor's answer to a call by name; one_for_one`,
  baselines: [],
  run,
};
