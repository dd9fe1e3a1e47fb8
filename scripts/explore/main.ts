/**
 * `npm run explore`: every interleaving of three replicas within bounds. What is explored and checked stands in
 * `spec/exploration`.
 */
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE } from "../../lib/cli/failure.ts";
import { step } from "../../lib/stream/step.ts";
import { type Exploration, Explorer, type Progress } from "../../spec/exploration/explore.ts";
import { UsageError } from "../usage.ts";
import { type ExploreCommand, parseCommand, USAGE } from "./options.ts";

/** States between two lines where there is no terminal. */
const LINE_EVERY = 1 << 20;

function main(args: readonly string[]): number {
  const command = parseCommand(args);
  if (command === null) {
    process.stdout.write(`${USAGE}\n`);
    return EXIT_OK;
  }
  const startedAt = performance.now();
  const show = progressOn(process.stderr, command, startedAt);
  const exploration = new Explorer({ ...command, step, onProgress: show.update }).run();
  show.end();
  const tookMs = performance.now() - startedAt;
  const text = command.json
    ? JSON.stringify({ ...exploration, tookMs: Math.round(tookMs), residentBytes: process.memoryUsage.rss() })
    : format(exploration, tookMs);
  process.stdout.write(`${text}\n`);
  return exploration.violation === null ? EXIT_OK : EXIT_FAILED;
}

/** A line that lives on a terminal, one now and then elsewhere. */
function progressOn(stream: NodeJS.WriteStream, { states }: ExploreCommand, startedAt: number) {
  return {
    update: (progress: Progress): void => {
      const perSecond = Math.round((progress.states / (performance.now() - startedAt)) * 1000);
      const line = `${count(progress.states)} of at most ${count(states)} states, depth ${progress.depth}, ${count(progress.waiting)} waiting, ${count(perSecond)} states/s`;
      if (stream.isTTY) {
        stream.write(`\r\u001b[2K${line}`);
      } else if (progress.states % LINE_EVERY === 1) {
        stream.write(`${line}\n`);
      }
    },
    end: (): void => {
      if (stream.isTTY) {
        stream.write("\r\u001b[2K");
      }
    },
  };
}

function format(exploration: Exploration, tookMs: number): string {
  const { bounds, states, transitions, depth, exhausted, violation, waiting } = exploration;
  const { parts, steps, commits, openings, reconfigurations, crashesTaken, bytes } = exploration;
  const seconds = tookMs / 1000;
  const lines = [
    `bounds: 3 replicas, ${bounds.epochs} epochs, ${bounds.claims} claims, ${bounds.writes} writes, ${bounds.crashes} crashes${bounds.questions ? ", questions before claims" : ""}`,
    `${count(states)} states, ${count(transitions)} moves, ${exhausted ? "exhausted" : `bound reached, ${count(waiting)} states not yet gone on from`}`,
    `depth: ${depth} moves, ${exhausted ? "the longest way" : "every state fewer moves away was gone on from"}`,
    `moves that committed ${count(commits)}, opened an epoch ${count(openings)}, with other members ${count(reconfigurations)}, crashed a replica ${count(crashesTaken)}`,
    `${count(parts)} different replica states and messages, ${count(steps)} steps of the core`,
    `${seconds.toFixed(1)} s, ${count(Math.round(states / seconds))} states/s, ${megabytes(bytes)} for table, frontier and trail, ${megabytes(process.memoryUsage.rss())} resident`,
    violation === null ? "no violation" : `VIOLATION: ${violation.what}`,
    ...(violation?.trace ?? []),
  ];
  return lines.join("\n");
}

function count(value: number): string {
  return value.toLocaleString("en");
}

function megabytes(bytes: number): string {
  return `${count(Math.round(bytes / 1e6))} MB`;
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (thrown) {
  if (!(thrown instanceof UsageError)) {
    throw thrown;
  }
  process.stderr.write(`${thrown.message}\n`);
  process.exitCode = EXIT_USAGE;
}
