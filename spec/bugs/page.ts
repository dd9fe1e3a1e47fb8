/** The part of docs/verification.md that tells what the bug bank has found, written by the command that runs it. */
import type { LeftOut } from "./bank.ts";
import type { Bug, Detector } from "./bug.ts";
import type { Finding } from "./hunt.ts";

export const PAGE = "docs/verification.md";

const BEGIN = "<!-- bug bank: written by npm run simulate -- --bug-bank --write -->";
const END = "<!-- bug bank: end -->";

/** `page` with what was found in place of what stood there. Throws when it has no place for it. */
export function withFindings(
  page: string,
  findings: readonly Finding[],
  leftOut: readonly LeftOut[],
): string {
  const { before, after } = around(page);
  const rows = findings.map((finding) => {
    const { bug, found, seeds, by } = finding;
    const seen = found ? String(seeds) : `not in ${seeds}`;
    return `| ${bug.id} | ${bug.title} | ${detectorName(bug.detector)} | ${seen} | ${found ? by : ""} |`;
  });
  const head = "| bug | what the replica does | detector | seeds to detection | who noticed |";
  const table = [head, "|---|---|---|---|---|", ...rows].join("\n");
  const absent = leftOut.map(({ id, title, why }) => `- ${id}, ${title}: ${why}.`);
  return `${before}${BEGIN}\n\n${table}\n\nNot in the bank:\n\n${absent.join("\n")}\n\n${END}${after}`;
}

/** The rows of the page's table: by bug, its cells. */
export function rowsOf(page: string): ReadonlyMap<number, readonly string[]> {
  const { inside } = around(page);
  const rows = inside
    .split("\n")
    .filter((line) => /^\| \d+ \|/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
  return new Map(rows.map((cells) => [Number(cells[0]), cells]));
}

export function detectorName(detector: Detector): string {
  return detector.kind === "walk" ? `walk: ${detector.setup}` : `\`${detector.file}\``;
}

/** What the table must say of a bug, its findings apart. */
export function rowBeginsWith({ id, title, detector }: Bug): readonly string[] {
  return [String(id), title, detectorName(detector)];
}

function around(page: string): { before: string; inside: string; after: string } {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) {
    throw new Error(`${PAGE} lacks the lines between which the bug bank stands`);
  }
  return {
    before: page.slice(0, begin),
    inside: page.slice(begin + BEGIN.length, end),
    after: page.slice(end + END.length),
  };
}
