/**
 * The tour: what Supercast is for, shown on real nodes with real work and real faults.
 *
 *     npm start               the tour, then the cluster stays up until Ctrl-C
 *     npm start -- --once     ends after the tour, with exit code 0
 *     npm start -- --json     one JSON object on standard output, everything else on standard error
 *     npm start -- --in-process   without nats-server, in this process alone
 *
 * A step that fails ends it with exit code 1 and says which. Without a nats-server it runs in one process.
 */
import { parseArgs } from "node:util";
import { messageOf } from "../../lib/base/errors.ts";
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from "../../lib/cli/failure.ts";
import { untilSignal } from "../../lib/cli/signals.ts";
import { findNatsServer } from "../../lib/transport/nats-server.ts";
import { startTourCluster, type TourCluster } from "./cluster.ts";
import { suggest } from "./result.ts";
import { Stage } from "./stage.ts";
import { Tour } from "./steps.ts";

/** How much of the nodes' logs is kept for the case of failure. */
const LOG_CHARACTERS = 4_000;

interface Options {
  readonly once: boolean;
  readonly json: boolean;
  readonly inProcess: boolean;
}

function readOptions(): Options | undefined {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        "in-process": { type: "boolean", default: false },
      },
    });
    return { once: values.once, json: values.json, inProcess: values["in-process"] };
  } catch (error) {
    process.stderr.write(`error: ${messageOf(error)}; allowed: --once, --json, --in-process\n`);
    return undefined;
  }
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    return EXIT_USAGE;
  }
  const stage = new Stage(options.json ? process.stderr : process.stdout);
  const asked = untilSignal();
  const tour = new Tour(stage);
  let cluster: TourCluster | undefined;
  let log = "";
  const keepLog = (text: string): void => {
    log = (log + text).slice(-LOG_CHARACTERS);
  };
  try {
    cluster = await tour.step("Three nodes", () => startCluster(stage, options.inProcess, keepLog));
    const running = tour.run(cluster);
    const end = await Promise.race([running, cluster.lost, asked.then(() => undefined)]);
    if (typeof end === "string") {
      throw new Error(end);
    }
    if (end === undefined) {
      // What is under way is cut off with the cluster; how it fails then is of no interest.
      running.catch(() => undefined);
      return EXIT_OK;
    }
    if (options.json) {
      process.stdout.write(`${JSON.stringify(end)}\n`);
    }
    if (!options.once) {
      suggest(end, stage);
      const lost = await Promise.race([cluster.lost, asked.then(() => undefined)]);
      if (lost !== undefined) {
        throw new Error(lost);
      }
    }
    return EXIT_OK;
  } catch (error) {
    stage.endBar();
    process.stderr.write(`\nerror: the tour failed at step ${tour.where}: ${messageOf(error)}\n`);
    process.stderr.write(log === "" ? "" : `what the nodes logged last:\n${log}`);
    return EXIT_FAILED;
  } finally {
    stage.endBar();
    await cluster?.stop();
  }
}

function startCluster(stage: Stage, inProcess: boolean, onLog: (text: string) => void): Promise<TourCluster> {
  const search = inProcess ? ({ found: false, why: "--in-process was given" } as const) : findNatsServer();
  if (!search.found) {
    stage.warn(`${search.why}.`);
    stage.say("     So the three nodes run in this process, on the in-process transport.");
  }
  return startTourCluster(search, onLog);
}

process.exitCode = await main();
