/** How the tour talks: titled steps, lines that appear as things happen, a progress bar below them. */
import { MultiBar, type SingleBar } from "cli-progress";
import { type Colours, coloursFor, printable } from "../../lib/cli/output.ts";

/** Without a terminal, progress is told at each of these shares. */
const TOLD_SHARES = [0.25, 0.5, 0.75, 1];
const BAR_COLUMNS = 32;

export class Stage {
  readonly colours: Colours;
  readonly #stream: NodeJS.WriteStream;
  #bars: MultiBar | undefined;
  #bar: SingleBar | undefined;
  #told = 0;
  #total = 0;
  #unit = "";
  #step = 0;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.colours = coloursFor(stream);
  }

  /** Whether somebody looks on: a terminal. */
  get watched(): boolean {
    return this.#stream.isTTY === true;
  }

  title(text: string): void {
    this.#step += 1;
    const { bold, cyan, dim } = this.colours;
    this.say(`\n${cyan(bold(`${this.#step}  ${text}`))}  ${dim("─".repeat(Math.max(2, 72 - text.length)))}`);
  }

  /** Lines of text, above the bar if there is one. */
  say(text: string): void {
    if (this.#bars === undefined) {
      this.#stream.write(`${text}\n`);
    } else {
      this.#bars.log(`${text}\n`);
    }
  }

  done(text: string): void {
    this.say(`   ${this.colours.green("✓")} ${text}`);
  }

  bad(text: string): void {
    this.say(`   ${this.colours.red("✗")} ${text}`);
  }

  warn(text: string): void {
    this.say(`   ${this.colours.yellow("!")} ${text}`);
  }

  note(text: string): void {
    this.say(`   ${this.colours.dim(printable(text))}`);
  }

  /** A table or a tree, set in. */
  picture(text: string): void {
    this.say(text.replace(/^(?=.)/gm, "   "));
  }

  startBar(total: number, unit: string): void {
    this.#total = total;
    this.#unit = unit;
    this.#told = 0;
    if (this.#stream.isTTY) {
      this.#bars = new MultiBar({
        format: `   ${this.colours.cyan("{bar}")} {percentage} %  {value} of {total} ${unit}  {duration_formatted}`,
        barsize: BAR_COLUMNS,
        barCompleteChar: "█",
        barIncompleteChar: "░",
        hideCursor: true,
        stream: this.#stream,
        clearOnComplete: false,
      });
      this.#bar = this.#bars.create(total, 0);
    }
  }

  progress(value: number): void {
    this.#bar?.update(value);
    const share = TOLD_SHARES[this.#told];
    if (this.#bars === undefined && share !== undefined && value >= share * this.#total) {
      this.#told += 1;
      this.say(`   ${Math.round(100 * share)} %  ${value} of ${this.#total} ${this.#unit}`);
    }
  }

  /** Leaves the bar as it is and goes on below it. */
  endBar(): void {
    this.#bars?.stop();
    this.#bars = undefined;
    this.#bar = undefined;
  }
}
