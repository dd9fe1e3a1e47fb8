/**
 * What commands print: JSON that is exactly the data, or text that one likes to look at.
 *
 * Colours only on a terminal, and never with NO_COLOR. Text from the network loses its control characters
 * before it reaches a terminal.
 */
import { stripVTControlCharacters } from "node:util";
import pc from "picocolors";

export type Colours = ReturnType<typeof pc.createColors>;

export function coloursFor(stream: NodeJS.WriteStream): Colours {
  const plain = !stream.isTTY || Boolean(process.env["NO_COLOR"]) || process.env["TERM"] === "dumb";
  return pc.createColors(!plain);
}

/** A command's standard output. */
export class Output {
  readonly json: boolean;
  readonly colours: Colours;
  readonly terminal: boolean;

  constructor(json: boolean) {
    this.json = json;
    this.colours = coloursFor(process.stdout);
    this.terminal = process.stdout.isTTY === true;
  }

  /** `data` as one line of JSON, or the text of `human`. */
  show(data: unknown, human: (colours: Colours) => string): void {
    this.line(this.json ? JSON.stringify(data) : human(this.colours));
  }

  line(text: string): void {
    process.stdout.write(`${text}\n`);
  }
}

/** Text from elsewhere, safe for a terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
  return stripVTControlCharacters(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "?");
}

export interface Column {
  readonly title: string;
  /** Default left. */
  readonly align?: "left" | "right";
}

/** Rows below titles, aligned, two blanks apart, indented by two. Cells may hold colours. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  colours: Colours,
): string {
  const cells = [columns.map(({ title }) => colours.dim(title)), ...rows];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => widthOf(row[index] ?? ""))));
  return cells
    .map((row) => {
      const padded = columns.map(({ align }, index) => pad(row[index] ?? "", widths[index] ?? 0, align));
      return `  ${padded.join("  ")}`.trimEnd();
    })
    .join("\n");
}

export function pad(text: string, width: number, align: "left" | "right" = "left"): string {
  const blanks = " ".repeat(Math.max(0, width - widthOf(text)));
  return align === "right" ? blanks + text : text + blanks;
}

export function widthOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** A duration for people: 412 ms, 3.4 s, 12 min, 3 h 20 min, 5 d 2 h. */
export function duration(ms: number): string {
  if (ms < 1_000) {
    return `${Math.round(ms)} ms`;
  }
  if (ms < 60_000) {
    return `${(ms / 1_000).toFixed(1)} s`;
  }
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) {
    return `${minutes} min`;
  }
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A number with its thousands apart. */
export function count(value: number): string {
  return value.toLocaleString("en-US");
}

const STATUS_COLOURS = {
  healthy: "green",
  up: "green",
  running: "green",
  degraded: "yellow",
  suspect: "yellow",
  suspended: "yellow",
  critical: "red",
  down: "red",
  unknown: "magenta",
} as const;

/** A status word in its colour, with a dot before it. */
export function status(word: string, colours: Colours): string {
  const colour = Object.entries(STATUS_COLOURS).find(([known]) => known === word)?.[1];
  const text = `● ${printable(word)}`;
  return colour === undefined ? text : colours[colour](text);
}
