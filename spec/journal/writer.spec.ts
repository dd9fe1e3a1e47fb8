/** What a sync covers: the records that were in the files when it began, and no others. */
import { expect } from "chai";
import { seededRandom } from "../../lib/base/random.ts";
import { bytes, texts, World } from "./support.ts";

const CRASHES = 12;

describe("a sync that is asked for", () => {
  for (const sync of ["none", "interval"] as const) {
    it(`covers in the sync mode ${sync} what is appended while the one before goes on`, async () => {
      const world = new World(`during-${sync}`);
      const journal = await world.open({ sync, syncIntervalMs: 60_000 });
      const { writer } = journal.folder;
      const first = "a".repeat(2_000);
      const second = "b".repeat(2_000);
      await world.run(journal.append(bytes(first)));
      const { writtenLsn } = writer;
      let appended: Promise<unknown> | null = null;
      world.disk.onOperation = ({ name, path }) => {
        if (name === "sync" && path.includes("segment")) {
          world.disk.onOperation = null;
          appended = journal.append(bytes(second));
        }
      };
      await world.run(journal.sync());
      expect(appended, "an append while the sync went on").not.to.equal(null);
      expect(writer.durableLsn).to.equal(writtenLsn);
      await world.run(Promise.resolve(appended));
      expect(writer.durableLsn).to.equal(writtenLsn);
      await world.run(journal.sync());
      expect(writer.durableLsn).to.equal(writer.endLsn);
      for (let crash = 0; crash < CRASHES; crash++) {
        const each = new World(`crash-${crash}`);
        each.disk = world.disk.copy(seededRandom(`crash-${crash}`));
        each.disk.crash();
        expect(await texts(each, await each.open())).to.deep.equal([first, second]);
      }
      await world.run(journal.close());
    });
  }
});
