/**
 * Lint can fail: mistakes are planted into a folder that mirrors the layout of the house, and each must
 * be found with the message that names it. The tree as it is must pass.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { runCheck } from "../../scripts/check.mjs";
import { ROOT } from "../../scripts/lib/terminal.mjs";

const CONFIGURATION = [
  ".dependency-cruiser.cjs",
  ".gitignore",
  "biome.jsonc",
  "package.json",
  "scripts/lint",
  "tsconfig.json",
];

/** A module that imports `name` from `module` and uses it. */
function importing(name: string, module: string): string {
  return `import { ${name} } from "${module}";\n\nexport const used: unknown = ${name};\n`;
}

function importingType(name: string, module: string): string {
  return `import type { ${name} } from "${module}";\n\nexport type Used = ${name};\n`;
}

const MODULES = {
  "lib/store/store.ts": "export const store = 1;\n",
  "lib/node/node.ts": "export type Node = string;\n",
  "lib/journal/journal.ts": "export const journal = 1;\n",
  "lib/transport/transport.ts": "export type Port = string;\n",
  "spec/helper.ts": "export const helper = 1;\n",
};

/** Imports that must not be: what the file holds, what it reaches for, and the rule that says no. */
const BAD_IMPORTS: readonly { file: string; text: string; target: string; rule: string }[] = [
  {
    file: "lib/base/up.ts",
    text: importing("store", "../store/store.ts"),
    target: "lib/store/store.ts",
    rule: "floors: no import up or sideways from lib/base/",
  },
  {
    file: "lib/actor/type-up.ts",
    text: importingType("Node", "../node/node.ts"),
    target: "lib/node/node.ts",
    rule: "floors: no import up or sideways from lib/actor/",
  },
  {
    file: "lib/node/sideways.ts",
    text: importing("journal", "../journal/journal.ts"),
    target: "lib/journal/journal.ts",
    rule: "floors: no import up or sideways from lib/node/",
  },
  {
    file: "lib/config/up.ts",
    text: importing("store", "../store/store.ts"),
    target: "lib/store/store.ts",
    rule: "floors: no import up or sideways from lib/config/",
  },
  {
    file: "lib/attic/attic.ts",
    text: importing("store", "../store/store.ts"),
    target: "lib/store/store.ts",
    rule: "floors: a file outside every room",
  },
  {
    file: "lib/journal/spec.ts",
    text: importing("helper", "../../spec/helper.ts"),
    target: "spec/helper.ts",
    rule: "floors: the house does not know its scaffolding",
  },
  {
    file: "lib/cluster/egg.ts",
    text: `import { hen } from "./hen.ts";\n\nexport const egg = (): unknown => hen;\n`,
    target: "lib/cluster/hen.ts",
    rule: "floors: no cycles",
  },
  {
    file: "lib/node/nats.ts",
    text: importing("connect", "nats"),
    target: "node_modules/nats/",
    rule: "packages: nats only in lib/transport/nats",
  },
  {
    file: "lib/stream/packer.ts",
    text: importing("Packr", "msgpackr"),
    target: "node_modules/msgpackr/",
    rule: "packages: msgpackr only in lib/wire/",
  },
  {
    file: "lib/config/log.ts",
    text: importing("createLogger", "winston"),
    target: "node_modules/winston/",
    rule: "packages: winston only in lib/telemetry/logger.ts",
  },
  {
    file: "actors/files.ts",
    text: importing("readFileSync", "node:fs"),
    target: "fs",
    rule: "ports: the core does not import the world",
  },
  {
    file: "actors/names.ts",
    text: importing("lookup", "node:dns/promises"),
    target: "dns/promises",
    rule: "ports: the core does not import the world",
  },
  {
    file: "supervisors/timers.ts",
    text: importing("setTimeout", "node:timers/promises"),
    target: "timers/promises",
    rule: "ports: the core does not import the world",
  },
];

/** What reads time, waits or draws lots beside the ports: the file, its text, the message. */
const BESIDE_THE_PORTS: readonly (readonly [file: string, text: string, message: string])[] = [
  ["lib/store/clock.ts", "export const at: number = Date.now();", "Date.now: time and chance"],
  ["actors/date.ts", "export const at: Date = new Date();", "new Date(): time and chance"],
  [
    "lib/stream/hrtime.ts",
    "export const at: bigint = process.hrtime.bigint();",
    "process.hrtime: time and chance",
  ],
  ["lib/actor/tick.ts", "process.nextTick(() => undefined);", "process.nextTick: time and chance"],
  [
    "lib/actor/deadline.ts",
    "export const a: unknown = AbortSignal.timeout(1);",
    "AbortSignal.timeout: time and chance",
  ],
  ["lib/cluster/dice.ts", "export const dice: number = Math.random();", "Math.random: time and chance"],
  ["lib/node/now.ts", "export const at: number = performance.now();", "the global variable performance"],
  ["lib/journal/timer.ts", "setTimeout(() => undefined, 1);", "the global variable setTimeout"],
  ["lib/cluster/hidden.ts", "globalThis.setInterval(() => undefined, 1);", "the global variable globalThis"],
  ["lib/actor/turn.ts", "setImmediate(() => undefined);", "the global variable setImmediate"],
  ["lib/actor/job.ts", "queueMicrotask(() => undefined);", "the global variable queueMicrotask"],
  ["lib/store/web-uuid.ts", "export const id: string = crypto.randomUUID();", "the global variable crypto"],
  [
    "lib/store/uuid.ts",
    importing("randomUUID", "node:crypto"),
    "randomness comes in through the Random port",
  ],
];

const ALLOWED: Record<string, string> = {
  "lib/actor/allowed-port.ts": importingType("Port", "../transport/transport.ts"),
  "lib/transport/nats-allowed.ts": importing("connect", "nats"),
  "lib/wire/allowed.ts": importing("Packr", "msgpackr"),
  "lib/cluster/hen.ts": `import { egg } from "./egg.ts";\n\nexport const hen = (): unknown => egg;\n`,
  "lib/cluster/allowed-ring.ts": importingType("Link", "./allowed-link.ts"),
  "lib/cluster/allowed-link.ts": `import type { Used } from "./allowed-ring.ts";\n\nexport type Link = { next: Used };\n`,
  "supervisors/allowed.ts": [
    `import { createHash } from "node:crypto";`,
    "// Date.now() and Math.random() in a comment, setTimeout too.",
    `export const text = "Date.now() and setTimeout() in a string";`,
    "export const date: Date = new Date(0);",
    `export const hash: string = createHash("sha256").update(text).digest("hex");`,
    "export const clock = { setTimeout: 1, now: (): number => 1 };",
    "export const at: number = clock.now() + clock.setTimeout;",
  ].join("\n"),
};

/** A folder that looks like the clone to the linters, with `folders` of the clone copied into it. */
function mirror(folders: readonly string[]): string {
  const root = mkdtempSync(join(tmpdir(), "supercast-lint-"));
  for (const path of [...CONFIGURATION, ...folders]) {
    if (existsSync(join(ROOT, path))) {
      cpSync(join(ROOT, path), join(root, path), { recursive: true });
    }
  }
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  return root;
}

function plant(root: string): void {
  const files = [
    ...Object.entries({ ...MODULES, ...ALLOWED }),
    ...BAD_IMPORTS.map(({ file, text }) => [file, text] as const),
    ...BESIDE_THE_PORTS.map(([file, text]) => [file, text] as const),
  ];
  for (const [file, text] of files) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    writeFileSync(join(root, file), `${text}\n`);
  }
}

/** The output without the line breaks and the padding that are meant for people; a blank before each file. */
function plain(output: string): string {
  return ` ${output}`.replaceAll(/\s+/g, " ");
}

/** One line per finding; the checks of `npm test` print them in full. */
function headings(output: string): string {
  return output
    .split("\n")
    .filter((line) => / ━━|error /.test(line))
    .join("\n");
}

describe("lint", function () {
  this.timeout(30_000);
  const roots: string[] = [];

  function newMirror(folders: readonly string[]): string {
    const root = mirror(folders);
    roots.push(root);
    return root;
  }

  after(() => {
    for (const root of roots) {
      rmSync(root, { recursive: true, force: true });
    }
  });

  it("passes on the tree as it is", async () => {
    const root = newMirror(["lib", "actors", "supervisors"]);
    for (const name of ["lint", "layering"]) {
      const { ok, output } = await runCheck(name, root);
      expect(ok, headings(output)).to.equal(true);
    }
  });

  describe("of planted mistakes", () => {
    let layering = { ok: true, output: "" };
    let lint = { ok: true, output: "" };

    before(async () => {
      const root = newMirror([]);
      plant(root);
      layering = await runCheck("layering", root);
      lint = await runCheck("lint", root);
    });

    it("fails", () => {
      expect(layering.ok).to.equal(false);
      expect(lint.ok).to.equal(false);
    });

    for (const { file, target, rule } of BAD_IMPORTS) {
      it(`tells that ${file} may not import ${target}`, () => {
        const findings = plain(layering.output).split("error ");
        const about = findings.filter((text) => text.startsWith(rule) && text.includes(`: ${file} → `));
        expect(about.join("\n"), layering.output).to.include(target);
      });
    }

    for (const [file, , message] of BESIDE_THE_PORTS) {
      it(`tells of ${file}: ${message}`, () => {
        const findings = plain(lint.output).split("━ ×");
        const about = findings.filter((_, index) => findings[index - 1]?.includes(` ${file}:`));
        expect(about.join("\n"), lint.output).to.include(message);
      });
    }

    it("lets stand what is allowed", () => {
      for (const file of Object.keys(ALLOWED).filter((name) => name.includes("allowed"))) {
        expect(layering.output).to.not.include(file);
        expect(lint.output).to.not.include(file);
      }
    });
  });
});
