/** The example of .NEXT's documentation runs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { encode, SimpleAuditTrail } from "../../examples/simple-audit-trail.ts";
import { openJournal } from "../../lib/journal/open.ts";

describe("the simple audit trail", () => {
  it("keeps one 64-bit value over restarts and compaction", async () => {
    const dir = await mkdtemp(join(tmpdir(), "supercast-example-"));
    const options = { recordsPerSegment: 10, segmentBytes: 16_384, preallocateBytes: 16_384 };
    const values = [1n, -1n, 2n ** 62n, -(2n ** 62n)];
    for (const value of values) {
      const machine = new SimpleAuditTrail();
      const journal = await openJournal(dir, { ...options, machine });
      for (let index = 0n; index < 30n; index++) {
        await journal.appendAndCommit(encode(value + index));
      }
      expect(machine.value).to.equal(value + 29n);
      expect(journal.stats().snapshotsWritten).to.be.greaterThan(0);
      await journal.close();
      const found = new SimpleAuditTrail();
      const again = await openJournal(dir, { ...options, machine: found });
      expect(found.value).to.equal(value + 29n);
      await again.close();
    }
    await rm(dir, { recursive: true });
  });
});
