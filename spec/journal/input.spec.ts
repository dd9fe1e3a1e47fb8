/** What a journal refuses. */
import { expect } from "chai";
import { SupercastError } from "../../lib/base/errors.ts";
import { bytes, codeOf, failure, World } from "./support.ts";

describe("a journal that is given nonsense", () => {
  let world: World;

  beforeEach(() => {
    world = new World("input");
  });

  it("refuses bad input by the name of the field, and nothing has happened then", async () => {
    const journal = await world.open();
    await world.run(journal.append(["a", "b"].map(bytes), { epoch: 2 }));
    await world.run(journal.commit(1));
    const big = new Uint8Array(journal.folder.settings.payloadBytesMax + 1);
    const cases: [() => Promise<unknown>, string, string][] = [
      [() => journal.append([]), "invalid_message", "entries"],
      [() => journal.append({ payload: bytes("x"), kind: 256 }), "invalid_message", "kind"],
      [() => journal.append(bytes("x"), { epoch: 1 }), "invalid_message", "epoch"],
      [() => journal.append(bytes("x"), { epoch: -1 }), "invalid_message", "epoch"],
      [() => journal.append(bytes("x"), { epoch: { counter: 9, owner: "me" } }), "invalid_message", "owner"],
      [() => journal.append(big), "payload_too_large", "payload"],
      [() => journal.replace(1, bytes("x")), "invalid_message", "startSeq"],
      [() => journal.replace(4, bytes("x")), "invalid_message", "startSeq"],
      [() => journal.drop(1), "invalid_message", "startSeq"],
      [() => journal.commit(3), "invalid_message", "seq"],
      [() => journal.commit(1.5), "invalid_message", "seq"],
      [() => journal.read(0, 1).next(), "invalid_message", "fromSeq"],
      [() => journal.read(1, 2).next(), "invalid_message", "toSeq"],
      [() => journal.chainAt(7), "invalid_message", "seq"],
      [() => journal.snapshot(), "config_mismatch", "createSnapshotBuilder"],
    ];
    for (const [attempt, code, field] of cases) {
      const error = await world.run(failure(attempt()));
      expect(codeOf(error), error.message).to.equal(code);
      expect(error.message).to.contain(field);
    }
    expect(journal).to.include({ lastSeq: 2, commitSeq: 1 });
    await world.run(journal.close());
  });

  it("refuses options that cannot be, unknown ones, and another recordsPerSegment than it was made with", async () => {
    const refused = async (options: object): Promise<string> => {
      const error = await failure(world.open(options));
      expect(error).to.be.instanceOf(SupercastError);
      expect(codeOf(error)).to.equal("config_mismatch");
      return error.message;
    };
    expect(await refused({ bufferBytes: 1 })).to.contain("bufferBytes");
    expect(await refused({ segmentBytes: 1.5 })).to.contain("segmentBytes");
    expect(await refused({ sync: "often" }))
      .to.contain("sync")
      .and.to.contain("batch");
    expect(await refused({ compaction: "never" })).to.contain("compaction");
    expect(await refused({ cacheMetadata: 1 })).to.contain("cacheMetadata");
    expect(await refused({ allocate: 1 })).to.contain("allocate");
    expect(await refused({ segmentByte: 1 })).to.contain("segmentByte");
    await world.run((await world.open()).close());
    expect(await refused({ recordsPerSegment: 21 }))
      .to.contain("recordsPerSegment")
      .and.to.contain("20");
    await world.run((await world.open({ segmentBytes: 32_768 })).close());
  });
});
