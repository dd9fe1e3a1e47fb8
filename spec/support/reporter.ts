/**
 * mocha's reporter for `npm test`: one line per spec file, failures in full at the end, and the counts
 * as JSON in the file that the reporter option `output` names.
 *
 * When something that a spec left open keeps the process alive, it names that instead of hanging.
 */
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import { styleText } from "node:util";
import Mocha from "mocha";

const {
  EVENT_RUN_END,
  EVENT_SUITE_BEGIN,
  EVENT_TEST_BEGIN,
  EVENT_TEST_FAIL,
  EVENT_TEST_PASS,
  EVENT_TEST_PENDING,
} = Mocha.Runner.constants;

/** How long the process may live on when all specs are through. */
const LEAK_PATIENCE_MS = 3_000;
const NO_REASON = "switched off in the spec";

const terminal = process.stdout.isTTY === true;
const coloured = terminal && !process.env["NO_COLOR"];

/** What `npm test` reads. */
interface Counts {
  passed: number;
  failed: number;
  /** How many for which reason. */
  skipped: Record<string, number>;
  /** What kept the process alive after the last spec. */
  leaks: string[];
}

class SpecReporter extends Mocha.reporters.Base {
  readonly #output: unknown;
  readonly #total: Counts = { passed: 0, failed: 0, skipped: {}, leaks: [] };
  #file: string | undefined;
  #fileStart = 0;
  #inFile = { passed: 0, failed: 0, skipped: 0 };

  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    this.#output = options.reporterOptions?.output;
    runner.on(EVENT_SUITE_BEGIN, (suite) => this.#enter(suite));
    runner.on(EVENT_TEST_BEGIN, (test) => this.#show(test));
    runner.on(EVENT_TEST_PASS, () => this.#pass());
    runner.on(EVENT_TEST_FAIL, (test, error) => this.#fail(test, error));
    runner.on(EVENT_TEST_PENDING, (test) => this.#skip(test));
    runner.once(EVENT_RUN_END, () => this.#end());
  }

  #enter(suite: Mocha.Suite): void {
    if (suite.parent?.root === true && suite.file !== this.#file) {
      this.#closeFile();
      this.#file = suite.file;
      this.#fileStart = performance.now();
    }
  }

  #show(test: Mocha.Test): void {
    if (terminal) {
      process.stdout.write(`\r\u001b[2K… ${test.fullTitle().slice(0, (process.stdout.columns || 80) - 4)}`);
    }
  }

  #pass(): void {
    this.#total.passed += 1;
    this.#inFile.passed += 1;
  }

  #fail(test: Mocha.Test, error: Error): void {
    this.#total.failed += 1;
    this.#inFile.failed += 1;
    say(`${mark("✗")} ${test.fullTitle()}: ${error.message.split("\n")[0]}`);
  }

  #skip(test: Mocha.Test): void {
    const given: unknown = test.parent?.ctx["skipReason"];
    const reason = typeof given === "string" ? given : NO_REASON;
    this.#total.skipped[reason] = (this.#total.skipped[reason] ?? 0) + 1;
    this.#inFile.skipped += 1;
  }

  #closeFile(): void {
    const { passed, failed, skipped } = this.#inFile;
    this.#inFile = { passed: 0, failed: 0, skipped: 0 };
    if (this.#file === undefined || passed + failed + skipped === 0) {
      return;
    }
    const sign = failed > 0 ? "✗" : passed > 0 ? "✓" : "-";
    const parts = [`${passed} passed`];
    if (failed > 0) {
      parts.push(`${failed} failed`);
    }
    if (skipped > 0) {
      parts.push(`${skipped} skipped`);
    }
    const time = `${((performance.now() - this.#fileStart) / 1000).toFixed(1)} s`;
    say(`${mark(sign)} ${relative(process.cwd(), this.#file)}  ${parts.join(", ")}  ${time}`);
  }

  #end(): void {
    this.#closeFile();
    if (this.failures.length > 0) {
      Mocha.reporters.Base.useColors = coloured;
      Mocha.reporters.Base.list(this.failures);
    }
    this.#write();
    setTimeout(() => this.#tellLeaks(), LEAK_PATIENCE_MS).unref();
  }

  #tellLeaks(): void {
    // Standard output and standard error are always there.
    const kinds = process
      .getActiveResourcesInfo()
      .filter((kind) => kind !== "TTYWrap" && kind !== "PipeWrap");
    this.#total.leaks = kinds.length === 0 ? ["something that Node does not name"] : [...new Set(kinds)];
    this.#write();
    process.exit(1);
  }

  #write(): void {
    if (typeof this.#output === "string") {
      writeFileSync(this.#output, JSON.stringify(this.#total));
    }
  }
}

const COLOURS = { "✓": "green", "✗": "red", "-": "yellow" } as const;

function mark(sign: keyof typeof COLOURS): string {
  return coloured ? styleText(COLOURS[sign], sign) : sign;
}

function say(line: string): void {
  process.stdout.write(`${terminal ? "\r\u001b[2K" : ""}${line}\n`);
}

// The only shape of module in which mocha looks for a reporter.
export default SpecReporter;
