import { expect } from "chai";
import { type Asked, judge, type Recorded, Recorder } from "../../scripts/chaos/history.ts";

const put = (key: string, value: string): Asked => ({ kind: "write", changes: [{ op: "put", key, value }] });
const remove = (key: string): Asked => ({ kind: "write", changes: [{ op: "delete", key }] });
const read = (key: string): Asked => ({ kind: "read", key });

/** Operations that answered one after the other, unless `open` says that they have no known outcome. */
function history(
  ...steps: readonly {
    asked: Asked;
    value?: string | null;
    deleted?: number;
    outcome?: Recorded["outcome"];
  }[]
): Recorded[] {
  return steps.map(({ asked, value = null, deleted = 0, outcome = "ok" }, index) => ({
    clientId: "c0",
    partition: 0,
    asked,
    call: 2 * index,
    calledAtMs: index,
    return: outcome === "ok" ? 2 * index + 1 : Number.POSITIVE_INFINITY,
    tookMs: 1,
    outcome,
    value,
    deleted,
  }));
}

function final(values: Readonly<Record<string, string | null>>): Map<string, string | null> {
  return new Map(Object.entries(values));
}

describe("The verdict on a chaos history", () => {
  it("is clean for what a correct store answers", () => {
    const records = history(
      { asked: put("x", "1") },
      { asked: read("x"), value: "1" },
      { asked: remove("x"), deleted: 1 },
      { asked: remove("x"), deleted: 0 },
      { asked: read("x"), value: null },
      { asked: put("x", "2") },
    );
    const verdict = judge(records, final({ x: "2" }));
    expect(verdict).to.deep.include({ lost: 0, linearizable: true, violations: [] });
  });

  it("counts each key of which an acknowledged write is gone, and names it", () => {
    const records = history({ asked: put("x", "1") }, { asked: put("y", "2") }, { asked: put("z", "3") });
    const verdict = judge(records, final({ x: null, y: "2", z: null }));
    expect(verdict.lost).to.equal(2);
    expect(verdict.violations.join("\n"))
      .to.match(/lost: key "x"/)
      .and.match(/lost: key "z"/);
  });

  it("names a value that nobody wrote", () => {
    const verdict = judge(history({ asked: put("x", "1") }), final({ x: "7" }));
    expect(verdict.violations.join("\n")).to.match(/phantom: key "x"/);
  });

  it("sees a read that lags behind an acknowledged write, although nothing is lost", () => {
    const records = history(
      { asked: put("x", "1") },
      { asked: put("x", "2") },
      { asked: read("x"), value: "1" },
    );
    const verdict = judge(records, final({ x: "2" }));
    expect(verdict).to.include({ lost: 0, linearizable: false });
    expect(verdict.violations.join("\n")).to.match(/linearizability: not linearizable/);
  });

  it("sees a deletion that says it found what was not there", () => {
    const verdict = judge(history({ asked: remove("x"), deleted: 1 }), final({ x: null }));
    expect(verdict.linearizable).to.equal(false);
  });

  it("lets a write of unknown outcome have happened, late or never", () => {
    const start = [{ asked: put("x", "1") }, { asked: put("x", "2"), outcome: "unknown" as const }];
    expect(judge(history(...start), final({ x: "1" }))).to.include({ lost: 0, linearizable: true });
    expect(judge(history(...start), final({ x: "2" }))).to.include({ lost: 0, linearizable: true });
    const seen = history(...start, { asked: read("x"), value: "1" }, { asked: read("x"), value: "2" });
    expect(judge(seen, final({ x: "2" }))).to.include({ lost: 0, linearizable: true });
  });

  it("does not let a refused write have happened", () => {
    const records = history({ asked: put("x", "1"), outcome: "refused" }, { asked: read("x"), value: "1" });
    expect(judge(records, final({ x: "1" })).linearizable).to.equal(false);
  });

  it("sees two keys that are written together end with different values", () => {
    const pair = (value: string): Asked => ({
      kind: "write",
      changes: ["l", "r"].map((key) => ({ op: "put", key, value })),
    });
    const records = history({ asked: pair("1") }, { asked: pair("2"), outcome: "unknown" });
    expect(judge(records, final({ l: "2", r: "2" })).violations).to.deep.equal([]);
    expect(judge(records, final({ l: "2", r: "1" })).violations).to.deep.equal([
      "torn: l and r are written together and end with 2 and 1",
    ]);
  });
});

describe("The recorder of chaos histories", () => {
  it("orders calls and returns by one count, and leaves unknown outcomes without a return", async () => {
    const recorder = new Recorder();
    let finish: () => void = () => undefined;
    const slow = recorder.run("c0", 0, put("x", "1"), async () => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return { status: "ok", value: { value: null, deleted: 0 } };
    });
    await recorder.run("c1", 1, read("y"), () => Promise.resolve({ status: "unknown", why: "silence" }));
    finish();
    await slow;
    const [first, second] = recorder.records;
    expect(first).to.include({ call: 1, return: 4, outcome: "ok" });
    expect(second).to.include({
      call: 2,
      return: Number.POSITIVE_INFINITY,
      outcome: "unknown",
      why: "silence",
    });
    expect([...recorder.keys()]).to.deep.equal([
      ["x", 0],
      ["y", 1],
    ]);
  });
});
