/** Calls to another node, against the bare client's requests between the same two processes, and Moleculer. */
import { versionOf } from "../peers.ts";
import { type Contender, interleave, latencyUs } from "../rounds.ts";
import { atLeast, atMost } from "../statistics.ts";
import type { Bench, Context, Samples } from "../suite.ts";
import {
  BARE,
  MESSAGE,
  MOLECULER_SETTINGS,
  OURS_REMOTE,
  PAYLOAD,
  PEER,
  type Rig,
  SUBJECTS,
  startRig,
} from "./remote-rig.ts";

const TIMEOUT_MS = 5_000;
const CALLERS = 256;
/** So many times per round the one caller changes from one contender to the next. */
const SLICES = 20;
/** Throughput is measured by turns too: what else the machine does then meets everyone alike. */
const THROUGHPUT_MS = 250;
const THROUGHPUT_SLICES = 8;

type Call = () => Promise<unknown>;

function ourCall({ node }: Rig): Call {
  const target = { name: "echo", node: PEER };
  return () => node.call(target, MESSAGE);
}

function bareCall({ bare }: Rig): Call {
  return () => bare.request(SUBJECTS.echo, PAYLOAD, { timeout: TIMEOUT_MS });
}

async function runOneCaller(context: Context): Promise<Samples> {
  const rig = await startRig(false);
  try {
    const contender = (name: string, call: Call): Contender => ({ name, round: () => latencyUs(call) });
    const peers = [contender("nc.request", bareCall(rig))];
    return await interleave(context, contender("ours", ourCall(rig)), peers, SLICES);
  } finally {
    await rig.close();
  }
}

/** Calls per second of `CALLERS` callers, each of which has one call under way at any time. */
async function throughput(call: Call): Promise<number> {
  const start = performance.now();
  let calls = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() - start < THROUGHPUT_MS) {
      await call();
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return (calls / (performance.now() - start)) * 1000;
}

async function runManyCallers(context: Context): Promise<Samples> {
  const rig = await startRig(true);
  const broker = await rig.broker();
  try {
    const contender = (name: string, call: Call): Contender => ({ name, round: () => throughput(call) });
    const peers = [
      contender("nc.request", bareCall(rig)),
      contender("Moleculer", () => broker.call("echo.echo", MESSAGE)),
    ];
    return await interleave(context, contender("ours", ourCall(rig)), peers, THROUGHPUT_SLICES);
  } finally {
    await broker.stop();
    await rig.close();
  }
}

export const REMOTE_CALL: Bench = {
  name: "remote-call",
  measure: "remote call, one caller, p50",
  unit: "µs",
  settings: OURS_REMOTE,
  needsNats: true,
  baselines: [{ name: "nc.request", settings: BARE, target: atMost(1) }],
  run: runOneCaller,
};

export const REMOTE_CALLS: Bench = {
  name: "remote-calls",
  measure: "remote call, 256 callers",
  unit: "calls/s",
  settings: OURS_REMOTE,
  needsNats: true,
  baselines: [
    { name: "nc.request", settings: BARE, target: atLeast(6) },
    {
      name: "Moleculer",
      settings: `Moleculer ${versionOf("moleculer")}, ${MOLECULER_SETTINGS}`,
      target: atLeast(3),
    },
  ],
  run: runManyCallers,
};
