/**
 * The process that `kill.spec.ts` kills: eight writers append to a journal, commit and squash it, and the
 * number of every entry that was acknowledged goes to standard output at once.
 */
import { writeSync } from "node:fs";
import { openJournal } from "../../lib/journal/open.ts";
import { KILL_OPTIONS, killPayload, SumMachine } from "./kill-shared.ts";

const [dir = ""] = process.argv.slice(2);
const journal = await openJournal(dir, { ...KILL_OPTIONS, machine: new SumMachine() });

async function writer(): Promise<void> {
  for (;;) {
    const { lastSeq } = await journal.append(killPayload(journal.lastSeq + 1));
    writeSync(1, `${lastSeq}\n`);
    if (lastSeq % 25 === 0) {
      await journal.commit(lastSeq);
      writeSync(1, `c${lastSeq}\n`);
    }
  }
}

await Promise.all(Array.from({ length: 8 }, writer));
