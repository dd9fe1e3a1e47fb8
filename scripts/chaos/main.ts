/**
 * `npm run chaos`: a real cluster of node processes and nats-servers under faults, and the verdict on what its
 * clients saw. What is done and asserted stands in the files beside this one; `docs/verification.md` tells it.
 */
import { randomInt } from "node:crypto";
import { messageOf } from "../../lib/base/errors.ts";
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE } from "../../lib/cli/failure.ts";
import { coloursFor } from "../../lib/cli/output.ts";
import { onStopSignal } from "../../lib/cli/signals.ts";
import { UsageError } from "../usage.ts";
import {
  type ClusterClients,
  clusterSetting,
  connectClients,
  FAILURE_TIMEOUT_MS,
  nodeConfig,
} from "./cluster.ts";
import { Evidence } from "./evidence.ts";
import { parseCommand, type RunCommand, USAGE } from "./options.ts";
import { ChaosProgress } from "./progress.ts";
import { formatResult, isGood, problems, toJson } from "./report.ts";
import { type ChaosResult, InterruptedError, runChaos } from "./run.ts";
import { ProcessStage } from "./stage.ts";

const MINUTE_MS = 60_000;
const SEEDS = 2 ** 32;
/** Between two operations of a client, on the average. */
const PACE_MS = 15;

async function main(args: readonly string[]): Promise<number> {
  const command = parseCommand(args);
  if (command.command === "help") {
    process.stdout.write(`${USAGE}\n`);
    return EXIT_OK;
  }
  const interrupt = new AbortController();
  onStopSignal(() => {
    process.stderr.write("\nending the run; a second Ctrl-C ends it at once\n");
    interrupt.abort();
  });
  const evidence = await Evidence.create();
  try {
    return await runAndReport(
      { ...command, seed: command.seed ?? randomInt(SEEDS) },
      evidence,
      interrupt.signal,
    );
  } catch (thrown) {
    if (thrown instanceof InterruptedError) {
      await evidence.remove();
      process.stderr.write(`${thrown.message}\n`);
      return EXIT_INTERRUPTED;
    }
    await evidence.keep({ command, failure: messageOf(thrown) }, []);
    process.stderr.write(`error: ${messageOf(thrown)}\nlogs are kept in ${evidence.folder}\n`);
    return EXIT_FAILED;
  }
}

type Run = RunCommand & { readonly seed: number };

async function runAndReport(run: Run, evidence: Evidence, signal: AbortSignal): Promise<number> {
  const { nodes, servers, durability, seed, minutes, clients, json } = run;
  const progress = new ChaosProgress(process.stderr, minutes * MINUTE_MS);
  const log = (text: string): void => progress.line(evidence.note(text));
  log(
    `seed ${seed}: ${nodes} nodes, ${servers} nats-servers, ${durability}, ${clients} clients, ${minutes} minutes`,
  );
  const result = await runOnCluster(run, { evidence, log, progress, signal }).finally(() => progress.end());
  const good = isGood(result);
  if (good) {
    await evidence.remove();
  } else {
    const { records, ...summary } = result;
    await evidence.keep({ ...run, ...summary }, records);
  }
  const text = formatResult(result, coloursFor(json ? process.stderr : process.stdout));
  (json ? process.stderr : process.stdout).write(`${text}\n`);
  if (json) {
    process.stdout.write(`${JSON.stringify(toJson(result))}\n`);
  }
  if (!good) {
    process.stderr.write(
      `${problems(result).length} problems; history and logs are kept in ${evidence.folder}\n`,
    );
  }
  return good ? EXIT_OK : EXIT_FAILED;
}

async function runOnCluster(
  { nodes, servers, durability, seed, minutes, clients }: Run,
  shell: {
    readonly evidence: Evidence;
    readonly log: (text: string) => void;
    readonly progress: ChaosProgress;
    readonly signal: AbortSignal;
  },
): Promise<ChaosResult> {
  const { evidence, log, progress, signal } = shell;
  const setting = clusterSetting(nodes, durability);
  const stage = await ProcessStage.start({
    nodes: setting.nodes,
    servers,
    folder: evidence.folder,
    configOf: (name, dataDir) => nodeConfig(setting, name, dataDir),
    onServerLost: (how) => log(`a nats-server ended by itself: ${how}`),
  });
  log(`processes ${stage.pids.join(", ")}; data and logs in ${evidence.folder}`);
  let connected: ClusterClients | undefined;
  try {
    connected = await connectClients(stage.serverUrls, setting, clients);
    const { targets, probe, view } = connected;
    const parts = {
      ...{ stage, view, targets, probe, log, signal },
      onProgress: progress.update.bind(progress),
    };
    return await runChaos(parts, {
      ...{ seed, nodes: setting.nodes, servers, durability, partitions: setting.partitions },
      failureTimeoutMs: FAILURE_TIMEOUT_MS,
      durationMs: minutes * MINUTE_MS,
      paceMs: PACE_MS,
    });
  } finally {
    await connected?.close();
    await stage.stop();
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (thrown) {
  if (!(thrown instanceof UsageError)) {
    throw thrown;
  }
  process.stderr.write(`${thrown.message}\n`);
  process.exitCode = EXIT_USAGE;
}
