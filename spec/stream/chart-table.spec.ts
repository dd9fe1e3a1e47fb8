import { expect } from "chai";
import { setup } from "xstate";
import { InvariantError } from "../../lib/base/invariant.ts";
import { ChartTable } from "../../lib/stream/chart-table.ts";

type Light = "red" | "green";

function isLight(value: unknown): value is Light {
  return value === "red" || value === "green";
}

/** A chart that counts how often it is asked. */
function lights(): { table: ChartTable<Light, string>; asked: () => number } {
  let asked = 0;
  const guard = () => {
    asked += 1;
    return true;
  };
  const machine = setup({}).createMachine({
    initial: "red",
    states: {
      red: { on: { turn: { guard, target: "green" } } },
      green: { on: { turn: { guard, target: "red" }, fail: "dark" } },
      dark: {},
    },
  });
  return { table: new ChartTable<Light, string>(machine, isLight), asked: () => asked };
}

describe("a chart table", () => {
  it("asks the chart once for each state and event", () => {
    const { table, asked } = lights();
    let light: Light = "red";
    for (let turn = 0; turn < 1_000; turn++) {
      light = table.after(light, "turn");
    }
    expect(light).to.equal("red");
    expect(asked()).to.equal(2);
  });

  it("answers for any state, in any order", () => {
    const { table } = lights();
    expect(table.after("green", "turn")).to.equal("red");
    expect(table.after("red", "turn")).to.equal("green");
    expect(table.after("green", "turn")).to.equal("red");
  });

  it("leaves a state as it is at an event that the state does not name", () => {
    const { table } = lights();
    expect(table.after("red", "fail")).to.equal("red");
    expect(table.after("green", "no such event")).to.equal("green");
  });

  it("stops when the chart leads to what its user does not know for a state, each time", () => {
    const { table } = lights();
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(() => table.after("green", "fail")).to.throw(InvariantError);
    }
  });
});
