/** How far a run of many seeds is, on standard error: a bar on a terminal, a line now and then elsewhere. */
import { SingleBar } from "cli-progress";
import type { Summary } from "./report.ts";

/** Lines that a run prints where there is no terminal. */
const LINES = 10;

export class SeedBar {
  readonly #stream: NodeJS.WriteStream;
  readonly #seeds: number;
  readonly #bar: SingleBar | undefined;

  constructor(stream: NodeJS.WriteStream, seeds: number) {
    this.#stream = stream;
    this.#seeds = seeds;
    if (stream.isTTY) {
      const format = "{bar} {value}/{total} seeds, {failed} failed, {invalid} invalid, {speed} x real time";
      this.#bar = new SingleBar({ format, stream, hideCursor: true, barsize: 24 });
      this.#bar.start(seeds, 0, { failed: 0, invalid: 0, speed: 0 });
    }
  }

  update(summary: Summary): void {
    const { seeds, failed, broken, invalid } = summary;
    const shown = { failed: failed + broken, invalid, speed: Math.round(summary.speed) };
    if (this.#bar !== undefined) {
      this.#bar.update(seeds, shown);
    } else if (seeds % Math.ceil(this.#seeds / LINES) === 0) {
      this.#stream.write(`${seeds}/${this.#seeds} seeds, ${shown.failed} failed, ${invalid} invalid\n`);
    }
  }

  end(): void {
    this.#bar?.stop();
  }
}
