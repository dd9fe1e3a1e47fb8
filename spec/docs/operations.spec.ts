import { readFileSync } from "node:fs";
import { expect } from "chai";
import { ERROR_CODES } from "../../lib/base/errors.ts";
import { makeProgram } from "../../lib/cli/program.ts";
import { CONNECTION_SETTINGS, NODE_SETTINGS, type Setting } from "../../lib/config/load.ts";
import { optionTable } from "../../lib/config/options.ts";

const page = readFileSync("docs/operations.md", "utf8");
const SETTINGS: readonly Setting[] = [...CONNECTION_SETTINGS, ...NODE_SETTINGS];

/** The rows of the table after a marker. */
function rowsAfter(marker: string): readonly string[] {
  const [, rest = ""] = page.split(`<!-- ${marker}:`);
  const table = rest.split("\n").slice(2);
  const end = table.indexOf("");
  return table.slice(2, end);
}

function code(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}

describe("docs/operations.md", () => {
  it("lists every option with its flag, its variables, its default and what it is", () => {
    const expected = optionTable().map(({ key, default: standard, help }) => {
      const setting = SETTINGS.find((each) => each.key === key);
      const flag = code(setting?.flag?.split(" ")[0] ?? "");
      const variables = (setting?.env ?? []).map(code).join(", ");
      return `| ${code(key)} | ${flag} | ${variables} | ${code(standard)} | ${help.replaceAll("|", "\\|")} |`;
    });
    expect(rowsAfter("options")).to.deep.equal(expected);
  });

  it("lists every error code", () => {
    const expected = Object.entries(ERROR_CODES).map(
      ([name, { retryable, help }]) => `| \`${name}\` | ${help} | ${retryable ? "yes" : "no"} |`,
    );
    expect(rowsAfter("error codes")).to.deep.equal(expected);
  });

  it("names only commands and flags that there are", () => {
    const { commands } = makeProgram();
    const known = new Map(commands.map((each) => [each.name(), each.options.map(({ long }) => long)]));
    const lines = [...page.matchAll(/supercast (?<line>[a-z]+[^\n`]*)/g)].map(
      ({ groups }) => groups?.["line"] ?? "",
    );
    const used = lines.filter((line) => !line.startsWith("node "));
    expect(used.length).to.be.greaterThan(15);
    for (const line of used) {
      const [command = "", ...rest] = line.split(" ");
      expect([...known.keys()], line).to.include(command);
      for (const flag of rest.filter((each) => each.startsWith("--"))) {
        expect(known.get(command), line).to.include(flag);
      }
    }
  });
});
