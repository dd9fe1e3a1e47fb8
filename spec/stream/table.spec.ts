import { expect } from "chai";
import { InvariantError } from "../../lib/base/invariant.ts";
import type { Change } from "../../lib/stream/definition.ts";
import { StateHash } from "../../lib/stream/state-hash.ts";
import { Table } from "../../lib/stream/table.ts";

const NOTHING = new StateHash();

function tableOf(...changes: readonly (readonly [Change, number])[]): Table {
  const table = new Table();
  for (const [change, seq] of changes) {
    table.apply(change, seq);
  }
  return table;
}

function hashOf(...changes: readonly (readonly [Change, number])[]): string {
  return tableOf(...changes).hash.with(NOTHING);
}

function walked(walk: Iterator<string, void>): string[] {
  const keys: string[] = [];
  for (let step = walk.next(); step.done !== true; step = walk.next()) {
    keys.push(step.value);
  }
  return keys;
}

describe("a table", () => {
  it("has a hash of keys, values and entries, in whatever order they came", () => {
    const a: Change = { key: "a", value: { n: 1 } };
    const b: Change = { key: "b", value: 2 };
    expect(hashOf([a, 1], [b, 2])).to.equal(hashOf([b, 2], [a, 1]));
    expect(hashOf([b, 1], [a, 1], [b, 2])).to.equal(hashOf([a, 1], [b, 2]));
    const others = [
      hashOf([a, 1], [b, 2]),
      hashOf([a, 2], [b, 2]),
      hashOf([a, 1], [{ key: "b", value: 3 }, 2]),
      hashOf([a, 1], [{ key: "c", value: 2 }, 2]),
      hashOf([a, 1]),
      hashOf(),
    ];
    expect(new Set(others).size).to.equal(others.length);
    expect(hashOf([a, 1], [{ key: "a", deleted: true }, 2])).to.equal(hashOf());
  });

  it("hashes values of any length by all of their bytes", () => {
    const long = (end: string): Change => ({ key: "a", value: `${"v".repeat(100_000)}${end}` });
    expect(hashOf([long("x"), 1])).to.equal(hashOf([long("x"), 1]));
    expect(hashOf([long("x"), 1])).to.not.equal(hashOf([long("y"), 1]));
  });

  it("is changed by later entries only", () => {
    const table = tableOf([{ key: "a", value: 1 }, 5]);
    expect(() => table.apply({ key: "a", value: 2 }, 4)).to.throw(InvariantError);
    expect(() => table.apply({ key: "a", deleted: true }, 4)).to.throw(InvariantError);
    expect(table.get("a")).to.equal(1);
  });

  it("is walked by what was there and still is, each key once, while it changes", () => {
    const put = (key: string): Change => ({ key, value: 1 });
    const table = tableOf([put("a"), 1], [put("b"), 1], [put("c"), 1], [put("d"), 1]);
    const walk = table.walk();
    table.apply(put("e"), 2);
    expect(walk.next().value).to.equal("a");
    table.apply({ key: "a", deleted: true }, 3);
    table.apply(put("a"), 4);
    table.apply({ key: "b", deleted: true }, 5);
    table.apply({ key: "c", value: 2 }, 6);
    expect(walked(walk)).to.deep.equal(["c", "d"]);
    expect(walked(table.walk())).to.deep.equal(["c", "d", "e", "a"]);
  });
});
