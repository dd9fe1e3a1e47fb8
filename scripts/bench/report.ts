/** The table that a person reads. */
import pc from "picocolors";
import type { Row } from "./verdict.ts";

type Colours = ReturnType<typeof pc.createColors>;

/** A figure with three or four digits that say something. */
export function formatFigure(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) {
    return `${(value / 1e6).toFixed(size >= 1e8 ? 0 : size >= 1e7 ? 1 : 2)} M`;
  }
  if (size >= 1e4) {
    return `${(value / 1e3).toFixed(size >= 1e5 ? 0 : 1)} k`;
  }
  return size >= 100
    ? value.toFixed(0)
    : size >= 10
      ? value.toFixed(1)
      : size >= 0.1
        ? value.toFixed(2)
        : value.toPrecision(2);
}

const HEADINGS = ["", "ours", "peer", "", "ratio", "quartiles", "target", ""] as const;

/** One line of figures under each measure, all columns aligned, and below them how everyone is set up. */
export function formatTable(rows: readonly Row[], coloured: boolean): string {
  const colours = pc.createColors(coloured);
  const lines = rows.map((row) => ({ row, cells: cellsOf(row) }));
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...lines.map(({ cells }) => (cells[column] ?? "").length)),
  );
  const out = [colours.dim(alignCells(HEADINGS, widths))];
  let measure = "";
  for (const { row, cells } of lines) {
    if (row.measure !== measure) {
      measure = row.measure;
      out.push("", `${colours.bold(measure)} ${colours.dim(`(${row.unit})`)}`);
    }
    out.push(paintLine(alignCells(cells, widths), row, colours));
    out.push(...row.notes.map((note) => colours.dim(`    ${firstLine(note)}`)));
  }
  return [...out, "", ...settingsOf(rows).map((line) => colours.dim(line))].join("\n");
}

function cellsOf(row: Row): string[] {
  const { ours, baseline, baselineName, ratio, spread, target, bound } = row;
  const digits = ratio !== null && ratio < 0.1 ? 3 : 2;
  const quartiles = spread?.map((value) => (ratio === null ? formatFigure(value) : value.toFixed(digits)));
  return [
    "",
    ours === null ? "-" : formatFigure(ours),
    baseline === null ? "" : formatFigure(baseline),
    baselineName ?? "",
    ratio === null ? "" : `${ratio.toFixed(digits)} x`,
    quartiles === undefined ? "" : quartiles.join(" … "),
    target === null ? "" : `${bound === "atLeast" ? "≥" : "≤"} ${target} x`,
    verdictOf(row),
  ];
}

function verdictOf(row: Row): string {
  if (row.ours === null || (row.baselineName !== null && row.ratio === null)) {
    return "not measured";
  }
  return row.target === null ? "" : row.met ? "met" : "missed";
}

function paintLine(line: string, row: Row, colours: Colours): string {
  const verdict = verdictOf(row);
  if (verdict === "") {
    return line;
  }
  const painted = verdict === "met" ? colours.green(verdict) : colours.red(verdict);
  return line.slice(0, line.lastIndexOf(verdict)) + painted;
}

const TEXT_COLUMNS: readonly number[] = [3, 7];

function alignCells(cells: readonly string[], widths: readonly number[]): string {
  const padded = cells.map((cell, column) => {
    const width = widths[column] ?? 0;
    return TEXT_COLUMNS.includes(column) ? cell.padEnd(width) : cell.padStart(width);
  });
  return padded.join("  ").trimEnd();
}

function settingsOf(rows: readonly Row[]): string[] {
  const ours = rows.map((row) => `ours: ${row.settings}`);
  const peers = rows.flatMap((row) =>
    row.baselineSettings === null ? [] : [`${row.baselineName}: ${row.baselineSettings}`],
  );
  return [...new Set([...ours, ...peers])];
}

function firstLine(text: string): string {
  return text.split("\n", 1).join("");
}
