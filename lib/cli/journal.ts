/**
 * `supercast journal inspect DIR` and `supercast journal verify DIR`.
 *
 * Exit codes: 0 all is well, 1 the command could not do its work, 2 used wrongly, 3 the journal is damaged,
 * 4 its tail is uncertain. With `--json` the answer is one JSON object on standard output.
 */
import type { Command } from "commander";
import { messageOf } from "../base/errors.ts";
import { JournalDamagedError } from "../journal/errors.ts";
import { type FolderSummary, inspectJournal, type Verification, verifyJournal } from "../journal/inspect.ts";

export const EXIT_FAILED = 1;
export const EXIT_DAMAGED = 3;
export const EXIT_UNCERTAIN = 4;

/** Where the command writes and how it says how it went; the process itself unless a spec gives others. */
export interface JournalCommandHost {
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  readonly exit: (code: number) => void;
}

const processHost: JournalCommandHost = {
  out: (text) => process.stdout.write(`${text}\n`),
  error: (text) => process.stderr.write(`${text}\n`),
  exit: (code) => {
    process.exitCode = code;
  },
};

/** Adds the `journal` command with its two subcommands to `program`. */
export function journalCommand(program: Command, host: JournalCommandHost = processHost): void {
  const journal = program.command("journal").description("look into a write-ahead log on disk");
  journal
    .command("inspect")
    .argument("<dir>", "the journal's folder")
    .description("show the segments, streams and snapshots of a journal, and where it ends")
    .option("--json", "one JSON object on standard output")
    .action(async (dir: string, options: { json?: boolean }) => {
      await answer(host, async () => {
        const summary = await inspectJournal(dir);
        host.out(options.json === true ? JSON.stringify(summary) : formatSummary(summary));
      });
    });
  journal
    .command("verify")
    .argument("<dir>", "the journal's folder")
    .description("read a journal from end to end and say whether it is sound; changes nothing")
    .option("--json", "one JSON object on standard output")
    .action(async (dir: string, options: { json?: boolean }) => {
      await answer(host, async () => {
        const verification = await verifyJournal(dir);
        host.out(options.json === true ? JSON.stringify(verification) : formatVerification(verification));
        host.exit({ sound: 0, damaged: EXIT_DAMAGED, uncertain: EXIT_UNCERTAIN }[verification.verdict]);
      });
    });
}

async function answer(host: JournalCommandHost, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    host.error(`supercast journal: ${messageOf(thrown)}`);
    host.exit(thrown instanceof JournalDamagedError ? EXIT_DAMAGED : EXIT_FAILED);
  }
}

export function formatSummary(summary: FolderSummary): string {
  const { tail } = summary;
  const lines = [
    `journal    ${summary.dir}`,
    `id         ${summary.journalId}, format ${summary.format}, ${summary.recordsPerSegment} records per segment`,
    `closed     ${summary.closedInOrder ? "in order" : "no: open elsewhere, or its process died"}`,
    `synced     to LSN ${summary.syncedLsn} at least`,
    `tail       ${tail === null ? "the last segment is closed" : `${tail.verdict} at offset ${tail.offset}: ${tail.why}`}`,
    "segments",
    ...summary.segments.map(
      ({ number, firstLsn, endLsn, records, bytes, closed }) =>
        `  ${number}  LSN ${firstLsn}..${endLsn}  ${records} records  ${bytes} bytes${closed ? "" : "  open"}`,
    ),
    "streams",
    ...summary.streams.map(formatStream),
  ];
  if (summary.leftovers.length > 0) {
    lines.push(`leftovers  ${summary.leftovers.join(", ")}`);
  }
  return lines.join("\n");
}

function formatStream(stream: FolderSummary["streams"][number]): string {
  const { name, id, firstSeq, lastSeq, commitSeq, lastEpoch, chain, snapshots, tailCertain } = stream;
  const entries = `entries ${firstSeq}..${lastSeq}, committed to ${commitSeq}, epoch ${lastEpoch.counter}, chain ${chain}`;
  const kept = snapshots.map(({ seq, bytes }) => `${seq} (${bytes} bytes)`).join(", ");
  const doubt = tailCertain ? "" : ", TAIL UNCERTAIN";
  return `  ${name} (${id})  ${entries}${kept === "" ? "" : `, snapshots at ${kept}`}${doubt}`;
}

export function formatVerification(verification: Verification): string {
  const { dir, verdict, damage, why, segments, records } = verification;
  if (damage !== null) {
    return `${dir}: damaged\n  ${damage.file} at offset ${damage.offset}: ${damage.what}`;
  }
  return `${dir}: ${verdict}\n  ${records} records in ${segments} segments; the end: ${why}`;
}
