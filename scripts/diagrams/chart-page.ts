/**
 * docs/charts.md: the charts that the code runs, drawn from the charts themselves, so that a picture can not
 * say anything else than the code does.
 */
import type { AnyStateMachine } from "xstate";
import { batchChart } from "../../lib/stream/batch-chart.ts";
import { roleChart } from "../../lib/stream/role-chart.ts";
import { coordinatorChart } from "../../lib/stream/three-phase/coordinator-chart.ts";
import { participantChart } from "../../lib/stream/three-phase/participant-chart.ts";

/** Where the page lies, from the root of the clone. */
export const CHART_PAGE = "docs/charts.md";

/** An event that a state names; without a target the state stays. */
interface Transition {
  readonly event: string;
  readonly target: string | null;
}

interface State {
  readonly name: string;
  readonly description: string;
  readonly final: boolean;
  /** What happens in this state; in an ordinary one, what the chart names for all comes on top. */
  readonly transitions: readonly Transition[];
  /** What the chart names for all states holds here in full: the state overrides none of it and is no target of it. */
  readonly ordinary: boolean;
}

/** A chart of flat states, as it is drawn. */
interface Drawing {
  readonly description: string;
  readonly initial: string;
  readonly states: readonly State[];
  readonly events: ReadonlyMap<string, string>;
  /** What the chart names for all its states. */
  readonly everywhere: readonly Transition[];
}

interface Chapter {
  readonly title: string;
  readonly source: string;
  readonly machine: AnyStateMachine;
}

const CHAPTERS: readonly Chapter[] = [
  { title: "The role of a replica", source: "lib/stream/role-chart.ts", machine: roleChart },
  { title: "The life of a batch", source: "lib/stream/batch-chart.ts", machine: batchChart },
  {
    title: "A transaction in the log",
    source: "lib/stream/three-phase/participant-chart.ts",
    machine: participantChart,
  },
  {
    title: "The coordinator of a transaction",
    source: "lib/stream/three-phase/coordinator-chart.ts",
    machine: coordinatorChart,
  },
];

const HEAD = `<!-- Written by \`npm run diagrams\` from the charts in lib/stream. Do not edit. -->

# Charts

These charts are running code: a replica asks them for its next role, a writer for the next state of a batch,
a partition's log and a coordinator for the next state of a transaction. [stream.md](stream.md) tells how they work together. An event that a state does not name leaves it as it is.
`;

/** The whole page. Throws when a chart has a state or an event without a description. */
export function chartPage(): string {
  return [HEAD, ...CHAPTERS.map(chapter)].join("\n");
}

function chapter({ title, source, machine }: Chapter): string {
  const drawing = drawingOf(machine);
  const states = drawing.states.map(
    (state) => `| \`${state.name}\` | ${cell(state.description)} | ${waysOut(drawing, state)} |`,
  );
  const events = [...drawing.events].map(([name, meaning]) => `| \`${name}\` | ${cell(meaning)} |`);
  return `## ${title}

${drawing.description} Source: [\`${source}\`](../${source}).

\`\`\`mermaid
${diagram(drawing).join("\n")}
\`\`\`

| state | what it means | what happens in it |
|---|---|---|
${states.join("\n")}

| event | what it says |
|---|---|
${events.join("\n")}
`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

// --- reading a chart ----------------------------------------------------------------------------

export function drawingOf(machine: AnyStateMachine): Drawing {
  const { root } = machine;
  const events = eventsOf(machine);
  const everywhere = transitionsOf(root);
  const targets = new Set(everywhere.map(({ target }) => target));
  const states = Object.values(root.states).map((node): State => {
    const general = everywhere.filter(({ event }) => !node.transitions.has(event));
    const ordinary = general.length === everywhere.length && !targets.has(node.key);
    const inherited = ordinary ? [] : general.filter(({ target }) => target !== node.key);
    return {
      name: node.key,
      description: described(machine, `state ${node.key}`, node.description),
      final: node.type === "final",
      transitions: [...transitionsOf(node), ...inherited],
      ordinary,
    };
  });
  for (const { event } of [everywhere, ...states.map(({ transitions }) => transitions)].flat()) {
    described(machine, `event ${event}`, events.get(event));
  }
  const initial = machine.config.initial;
  if (typeof initial !== "string") {
    throw new TypeError(`chart ${machine.id}: initial must name a state`);
  }
  return { description: described(machine, "chart", root.description), initial, states, events, everywhere };
}

/** What a state names, without the events that it merely shuts out. */
function transitionsOf(node: AnyStateMachine["root"]): Transition[] {
  return [...node.transitions].flatMap(([event, definitions]) => {
    if (node.config.on?.[event] === undefined) {
      return [];
    }
    return definitions.map(({ target }) => ({ event, target: target?.[0]?.key ?? null }));
  });
}

function eventsOf(machine: AnyStateMachine): ReadonlyMap<string, string> {
  const meta: unknown = machine.root.meta;
  if (typeof meta !== "object" || meta === null || !("events" in meta)) {
    throw new TypeError(`chart ${machine.id}: meta.events must say what each event means`);
  }
  return new Map(Object.entries(meta.events ?? {}).map(([name, meaning]) => [name, String(meaning)]));
}

function described(machine: AnyStateMachine, what: string, text: string | undefined): string {
  if (text === undefined || text === "") {
    throw new TypeError(`chart ${machine.id}: ${what} has no description`);
  }
  return text;
}

// --- drawing it ---------------------------------------------------------------------------------

/** Ordinary states stand in a frame, which has the arrows that all of them have. */
function diagram({ initial, states, everywhere }: Drawing): string[] {
  const framed = everywhere.length > 0;
  const inside = states.filter(({ ordinary }) => framed && ordinary);
  const outside = states.filter(({ ordinary }) => !framed || !ordinary);
  if (!framed) {
    return ["stateDiagram-v2", ...indent([`[*] --> ${initial}`, ...outside.flatMap(arrowsOf)])];
  }
  const frame = [
    "[*] --> each",
    'state "each of these" as each {',
    ...indent([`[*] --> ${initial}`, ...inside.flatMap(arrowsOf)]),
    "}",
    ...arrows("each", everywhere),
  ];
  return ["stateDiagram-v2", ...indent([...frame, ...outside.flatMap(arrowsOf)])];
}

function arrowsOf({ name, transitions, final }: State): string[] {
  return [...arrows(name, transitions), ...(final ? [`${name} --> [*]`] : [])];
}

/** One arrow for all events that lead from one state to another. */
function arrows(from: string, transitions: readonly Transition[]): string[] {
  return [...grouped(transitions)].map(
    ([target, events]) => `${from} --> ${target ?? from} : ${events.join(", ")}`,
  );
}

function grouped(transitions: readonly Transition[]): ReadonlyMap<string | null, readonly string[]> {
  const groups = new Map<string | null, string[]>();
  for (const { event, target } of transitions) {
    groups.set(target, [...(groups.get(target) ?? []), event]);
  }
  return groups;
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

/** The same arrows in words. */
function waysOut({ everywhere }: Drawing, { ordinary, final, transitions }: State): string {
  const all = ordinary ? [...transitions, ...everywhere] : transitions;
  const ways = [...grouped(all)].map(([target, events]) => {
    const names = events.map((event) => `\`${event}\``).join(", ");
    return target === null ? `${names}: stays` : `${names} → \`${target}\``;
  });
  if (ways.length === 0) {
    return final ? "the end" : "nothing leads out";
  }
  return ways.join("; ");
}
