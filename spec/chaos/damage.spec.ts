import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { seededRandom } from "../../lib/base/random.ts";
import { openJournal } from "../../lib/journal/open.ts";
import { type Damage, damageJournal } from "../../scripts/chaos/damage.ts";

const SEGMENT_BYTES = 64 * 1024;
const ENTRIES = 300;

describe("Damage to the journal of a node that is down", () => {
  let folder: string;
  let journalFolder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "supercast-damage-"));
    journalFolder = join(folder, "data", "journal");
    await mkdir(join(folder, "data"));
    const journal = await openJournal(journalFolder, { segmentBytes: SEGMENT_BYTES });
    for (let count = 0; count < ENTRIES; count++) {
      await journal.append({ payload: Buffer.alloc(500, `${count} `) });
    }
    await journal.close();
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function segments(): Promise<Map<string, Buffer>> {
    const names = (await readdir(journalFolder)).filter((name) => name.endsWith(".wal")).sort();
    const contents = names.map(async (name) => [name, await readFile(join(journalFolder, name))] as const);
    return new Map(await Promise.all(contents));
  }

  /** Damages, and answers what was done and the files before and after. */
  async function damage(how: Damage, seed: number) {
    const before = await segments();
    const done = await damageJournal(folder, how, seededRandom(seed));
    return { before, done, after: await segments() };
  }

  it("cuts written bytes off the newest segment", async () => {
    const { before, done, after } = await damage("tail", 1);
    expect(before.size).to.be.greaterThan(1);
    const newest = [...before.keys()].at(-1) ?? "";
    const whole = before.get(newest) ?? Buffer.alloc(0);
    const rest = after.get(newest) ?? Buffer.alloc(0);
    expect(done).to.match(new RegExp(`^${newest} cut off at ${rest.length}, \\d+ written bytes are gone$`));
    expect(rest.equals(whole.subarray(0, rest.length))).to.equal(true);
    expect(
      whole.subarray(rest.length).some((byte) => byte !== 0),
      "what is gone was written",
    ).to.equal(true);
    before.delete(newest);
    after.delete(newest);
    expect(after).to.deep.equal(before);
  });

  it("flips one bit of what is written in one segment", async () => {
    const { before, after } = await damage("flip", 2);
    const flipped: number[] = [];
    for (const [name, bytes] of before) {
      const other = after.get(name) ?? Buffer.alloc(0);
      expect(other.length).to.equal(bytes.length);
      flipped.push(...bytes.map((byte, index) => byte ^ (other[index] ?? 0)).filter((bits) => bits !== 0));
    }
    expect(flipped).to.have.length(1);
    expect([1, 2, 4, 8, 16, 32, 64, 128]).to.include(flipped[0]);
  });

  it("removes one segment", async () => {
    const { before, after } = await damage("segment", 3);
    expect(after.size).to.equal(before.size - 1);
  });

  it("does the same for the same seed, and says so when there is no journal", async () => {
    const first = await damageJournal(folder, "flip", seededRandom(9));
    expect(await damageJournal(folder, "flip", seededRandom(9))).to.equal(first);
    let problem = "";
    await damageJournal(join(folder, "data", "journal", ".."), "tail", seededRandom(1));
    await rm(journalFolder, { recursive: true });
    await damageJournal(folder, "tail", seededRandom(1)).catch((error: unknown) => {
      problem = String(error);
    });
    expect(problem).to.match(/there is no segment of a journal/);
  });
});
