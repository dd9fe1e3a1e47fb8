/** What came out of the tour: as data for `--json`, and as a table with what to try next. */
import { count, duration, table } from "../../lib/cli/output.ts";
import { megabytes } from "./questions.ts";
import type { Stage } from "./stage.ts";

/** What `--json` prints. */
export interface TourResult {
  readonly mode: "processes" | "in-process";
  readonly servers: string | null;
  readonly input: { readonly files: number; readonly bytes: number; readonly pieces: number };
  readonly words: { readonly total: number; readonly distinct: number; readonly equalsSingleProcess: true };
  readonly crash: { readonly node: string; readonly restarts: number; readonly requeued: number };
  readonly kill: {
    readonly node: string;
    readonly nodeDownMs: number;
    readonly alertMs: number;
    readonly requeued: number;
  };
  readonly recovery: { readonly nodeUpMs: number; readonly alertClearedMs: number };
  readonly liveNodes: {
    readonly before: readonly string[];
    readonly narrowed: readonly string[];
    readonly after: readonly string[];
  };
  readonly fullSpeed: {
    readonly seconds: number;
    readonly megabytesPerSecond: number;
    readonly callsPerSecond: number;
  };
  readonly seconds: number;
}

/** The figures of the tour. */
export function summarize(result: TourResult, stage: Stage): void {
  const { input, words, crash, kill, recovery, fullSpeed, seconds } = result;
  const { bold, green } = stage.colours;
  const rows = [
    ["words counted", `${count(words.total)} in ${megabytes(input.bytes)} MB, exact in spite of both faults`],
    ["worker crash", `${crash.restarts} restart, ${crash.requeued} piece counted again elsewhere`],
    ["node killed", `known down after ${duration(kill.nodeDownMs)}, alert after ${duration(kill.alertMs)}`],
    [
      "node back",
      `up after ${duration(recovery.nodeUpMs)}, alert cleared after ${duration(recovery.alertClearedMs)}`,
    ],
    ["throughput", `${fullSpeed.megabytesPerSecond} MB/s, ${count(fullSpeed.callsPerSecond)} calls/s`],
  ];
  stage.say(`\n${green(bold("✓ The tour is through"))} ${bold(`in ${seconds} s`)}\n`);
  stage.picture(table([{ title: "WHAT" }, { title: "FIGURES" }], rows, stage.colours));
}

/** What to try while the cluster stays up; without NATS no other process can reach it. */
export function suggest({ servers }: TourResult, stage: Stage): void {
  const { bold, cyan, dim } = stage.colours;
  if (servers === null) {
    stage.say(`\n${dim("The nodes stay up in this process; Ctrl-C ends them.")}`);
    return;
  }
  const flags = `--servers ${servers}`;
  const commands = [
    "nodes",
    "tree b",
    "health --watch",
    "call any counter_1 describe",
    "reconfigure a --all",
  ];
  stage.say(`\n   ${bold("While it is up, in another terminal:")}\n`);
  stage.say(commands.map((command) => cyan(`   npx supercast ${command} ${flags}`)).join("\n"));
  stage.say(`\n${dim("The cluster stays up; Ctrl-C ends it.")}`);
}
