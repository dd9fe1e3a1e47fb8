/** Erlang's own figures beside ours, on machines that have it: `gen_server.escript`, run once per bench. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { z } from "zod";
import { cloneFolder } from "../peers.ts";
import type { Samples } from "../suite.ts";

export const ERLANG_MISSING = "Erlang is not installed";

const SCRIPT = "scripts/bench/actors/gen_server.escript";
const TIMEOUT_MS = 120_000;
const FIGURES = z.array(z.number()).nonempty();

/** The names under which the script's measures stand in the table. */
const BASELINES = {
  cast: "gen_server:cast",
  call: "gen_server:call",
  start: "gen_server:start",
  heap: "gen_server process",
} as const;

/** Adds one value per round to `samples`; with a note instead where there is no Erlang. */
export function measureErlang(samples: Samples, what: keyof typeof BASELINES, rounds: number): Samples {
  const script = join(cloneFolder(), SCRIPT);
  const ran = spawnSync("escript", [script, what, String(rounds)], { encoding: "utf8", timeout: TIMEOUT_MS });
  if (ran.error !== undefined && "code" in ran.error && ran.error.code === "ENOENT") {
    return { ...samples, notes: [...samples.notes, `${ERLANG_MISSING}: no row for ${BASELINES[what]}`] };
  }
  if (ran.status !== 0) {
    const why = ran.error?.message ?? `${ran.stdout}${ran.stderr}`.trim();
    return { ...samples, notes: [...samples.notes, `${BASELINES[what]} could not be measured: ${why}`] };
  }
  const values = FIGURES.parse(JSON.parse(ran.stdout));
  return { ...samples, baselines: { ...samples.baselines, [BASELINES[what]]: values } };
}
