/** Casts to another node, counted where they are handled, against the bare client's publish. */
import { type Contender, interleave } from "../rounds.ts";
import { atLeast } from "../statistics.ts";
import type { Bench, Context, Samples } from "../suite.ts";
import { BARE, MESSAGE, OURS_REMOTE, PAYLOAD, PEER, type Rig, SUBJECTS, startRig } from "./remote-rig.ts";

const CASTS = 200_000;
const BURST = 500;
const PATIENCE_MS = 20_000;
const GOAL_TIMEOUT_MS = 5_000;

/** Sends in bursts, a turn of the event loop each, and waits until the last one has been counted. */
async function sendAll(rig: Rig, send: () => void): Promise<number> {
  const { bare, node } = rig;
  await bare.request(SUBJECTS.goal, String(CASTS), { timeout: GOAL_TIMEOUT_MS });
  const reached = whenReached(rig);
  const start = performance.now();
  for (let sent = 0; sent < CASTS; sent += BURST) {
    for (let each = 0; each < BURST; each++) {
      send();
    }
    await new Promise((turn) => setImmediate(turn));
  }
  if (!(await reached)) {
    throw new Error(`not all of ${CASTS} casts arrived; dropped here: ${JSON.stringify(node.system.drops)}`);
  }
  return (CASTS / (performance.now() - start)) * 1000;
}

/** Whether the peer says in time that it has counted all. */
function whenReached({ bare }: Rig): Promise<boolean> {
  return new Promise((resolve) => {
    const patience = setTimeout(() => resolve(false), PATIENCE_MS);
    bare.subscribe(SUBJECTS.reached, {
      max: 1,
      callback: () => {
        clearTimeout(patience);
        resolve(true);
      },
    });
  });
}

async function run(context: Context): Promise<Samples> {
  const rig = await startRig(false);
  const { node, bare } = rig;
  try {
    const target = { name: "sink", node: PEER };
    const contender = (name: string, send: () => void): Contender => ({
      name,
      round: () => sendAll(rig, send),
    });
    const ours = contender("ours", () => node.cast(target, MESSAGE));
    return await interleave(context, ours, [
      contender("nc.publish", () => bare.publish(SUBJECTS.sink, PAYLOAD)),
    ]);
  } finally {
    await rig.close();
  }
}

export const REMOTE_CAST: Bench = {
  name: "remote-cast",
  measure: "remote cast, one sender",
  unit: "casts/s",
  settings: `${OURS_REMOTE}; counted by an actor at the receiver; ${BURST} casts per turn of the sender`,
  needsNats: true,
  baselines: [
    {
      name: "nc.publish",
      settings: `${BARE}; counted at the receiver by a subscription's callback; ${BURST} per turn`,
      target: atLeast(0.8),
    },
  ],
  run,
};
