import { readFileSync } from "node:fs";
import { expect } from "chai";
import { setup } from "xstate";
import { CHART_PAGE, chartPage, drawingOf } from "../../scripts/diagrams/chart-page.ts";

const events = { go: "It goes." };

describe("docs/charts.md", () => {
  it("is what `npm run diagrams` writes", () => {
    expect(readFileSync(CHART_PAGE, "utf8")).to.equal(chartPage());
  });

  it("tells every arrow twice: in the diagram and in the table", () => {
    const page = chartPage();
    const arrows = [...page.matchAll(/^ +(?<from>\w+) --> (?<to>\w+) : (?<events>.+)$/gm)];
    expect(arrows.length).to.be.greaterThan(30);
    for (const { groups } of arrows) {
      const { from, to, events: names = "" } = groups ?? {};
      const quoted = names.split(", ").map((name) => `\`${name}\``);
      const way = `${quoted.join(", ")}${from === to ? ": stays" : ` → \`${to}\``}`;
      const row = page
        .split("\n")
        .find((line) => line.startsWith(`| \`${from === "each" ? "open" : from}\` |`));
      expect(row, `${from} --> ${to}`).to.include(way);
    }
  });

  it("draws what holds in every state around the states in which it does", () => {
    const frame = /state "each of these" as each \{\n(?<inside>[^}]*)\}/.exec(chartPage())?.groups?.[
      "inside"
    ];
    expect(frame)
      .to.include("open --> fenced : sealed, silenced")
      .and.not.match(/gone|damaged/);
  });

  it("shows an event that keeps the state, but not one that is only shut out", () => {
    const machine = setup({}).createMachine({
      description: "A chart.",
      meta: { events },
      initial: "a",
      on: { go: ".b" },
      states: {
        a: { description: "A.", on: { go: {} } },
        b: { description: "B.", on: { go: undefined } },
      },
    });
    const [a, b] = drawingOf(machine).states;
    expect(a?.transitions).to.deep.equal([{ event: "go", target: null }]);
    expect(b?.transitions).to.deep.equal([]);
  });

  it("shows what a state outside the frame still takes from the chart", () => {
    const machine = setup({}).createMachine({
      description: "A chart.",
      meta: { events: { ...events, stop: "It stops." } },
      initial: "a",
      on: { go: ".b", stop: ".c" },
      states: {
        a: { description: "A." },
        b: { description: "B." },
        c: { description: "C.", on: { go: undefined } },
      },
    });
    const [a, b, c] = drawingOf(machine).states;
    expect([a?.ordinary, b?.ordinary, c?.ordinary]).to.deep.equal([true, false, false]);
    expect(b?.transitions).to.deep.equal([{ event: "stop", target: "c" }]);
    expect(c?.transitions).to.deep.equal([]);
  });

  it("refuses a chart that leaves a state or an event unexplained", () => {
    const mute = setup({}).createMachine({
      id: "mute",
      description: "A chart.",
      meta: { events },
      initial: "a",
      states: { a: {} },
    });
    const unnamed = setup({}).createMachine({
      id: "unnamed",
      description: "A chart.",
      meta: { events },
      initial: "a",
      states: { a: { description: "A.", on: { stop: {} } } },
    });
    expect(() => drawingOf(mute)).to.throw(TypeError, "chart mute: state a has no description");
    expect(() => drawingOf(unnamed)).to.throw(TypeError, "chart unnamed: event stop has no description");
  });
});
