/** `supercast journal inspect|verify` on real folders. */
import { mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { Command } from "commander";
import { EXIT_DAMAGED, EXIT_FAILED, EXIT_UNCERTAIN, journalCommand } from "../../lib/cli/journal.ts";
import { inspectJournal } from "../../lib/journal/inspect.ts";
import { openJournal } from "../../lib/journal/open.ts";
import { bytes, ListMachine } from "../journal/support.ts";

const OPTIONS = { segmentBytes: 16_384, preallocateBytes: 16_384, recordsPerSegment: 10 };

interface Outcome {
  readonly out: string;
  readonly error: string;
  readonly code: number;
}

async function run(...words: string[]): Promise<Outcome> {
  const outcome = { out: "", error: "", code: 0 };
  const program = new Command();
  journalCommand(program, {
    out: (line) => {
      outcome.out += line;
    },
    error: (line) => {
      outcome.error += line;
    },
    exit: (code) => {
      outcome.code = code;
    },
  });
  await program.parseAsync(["node", "supercast", "journal", ...words]);
  return outcome;
}

async function flip(path: string, offset: number): Promise<void> {
  const file = await open(path, "r+");
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, offset);
  await file.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, offset);
  await file.close();
}

describe("supercast journal", () => {
  let dir = "";

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "supercast-cli-"));
    const journal = await openJournal(dir, {
      ...OPTIONS,
      machine: new ListMachine(),
      compaction: "background",
    });
    await journal.append(Array.from({ length: 25 }, (_, index) => bytes(`${index}`)));
    await journal.commit(20);
    await journal.snapshot();
    await journal.close();
  });

  afterEach(() => rm(dir, { recursive: true }));

  it("inspect shows segments, streams and snapshots, for people and as JSON", async () => {
    const shown = await run("inspect", dir);
    expect(shown.code).to.equal(0);
    expect(shown.out)
      .to.contain("main (1)")
      .and.to.contain("committed to 20")
      .and.to.contain("snapshots at 20");
    const { out } = await run("inspect", dir, "--json");
    const summary: unknown = JSON.parse(out);
    expect(summary).to.include({ recordsPerSegment: 10, closedInOrder: true });
    expect(summary).to.have.nested.property("streams[0].lastSeq", 25);
    expect(summary).to.have.property("segments").with.length.greaterThan(0);
  });

  it("verify answers 0 for a sound journal and changes no byte of it", async () => {
    const image = async (): Promise<string[]> => {
      const names = (await readdir(dir)).sort();
      return Promise.all(
        names.map(async (name) => `${name} ${(await readFile(join(dir, name))).toString("hex")}`),
      );
    };
    const before = await image();
    const { out, code } = await run("verify", dir, "--json");
    expect(code).to.equal(0);
    expect(JSON.parse(out)).to.include({ verdict: "sound", damage: null });
    expect(await image()).to.deep.equal(before);
  });

  it("verify names file and offset of damage and answers 3", async () => {
    const name = (await readdir(dir)).find((each) => each.endsWith(".wal")) ?? "";
    await flip(join(dir, name), 4_096 + 20);
    const people = await run("verify", dir);
    expect(people.code).to.equal(EXIT_DAMAGED);
    expect(people.out).to.contain(name).and.to.contain("offset 4096");
    const { out } = await run("verify", dir, "--json");
    expect(JSON.parse(out)).to.have.nested.property("damage.offset", 4_096);
    expect((await run("inspect", dir)).code).to.equal(EXIT_DAMAGED);
  });

  it("verify answers 4 while the tail is uncertain", async () => {
    const { tail, segments } = await inspectJournal(dir);
    const file = await open(segments.at(-1)?.file ?? "", "r+");
    await file.write(Buffer.alloc(100, "not a record"), 0, 100, tail?.offset);
    await file.close();
    expect((await run("verify", dir)).code).to.equal(EXIT_UNCERTAIN);
    const journal = await openJournal(dir, OPTIONS);
    expect(journal.tailCertain).to.equal(false);
    await journal.close();
    expect((await run("verify", dir)).code).to.equal(EXIT_UNCERTAIN);
    const again = await openJournal(dir, OPTIONS);
    await again.confirmTail();
    await again.close();
    expect((await run("verify", dir)).code).to.equal(0);
  });

  it("says so and answers 1 where there is no journal", async () => {
    const { error, code } = await run("inspect", join(dir, "nothing"));
    expect(code).to.equal(EXIT_FAILED);
    expect(error).to.contain("there is no journal");
  });
});
