/** How far a chaos run is, on standard error: a bar and the latest event on a terminal, plain lines elsewhere. */
import { SingleBar } from "cli-progress";
import type { Progress } from "./run.ts";

export class ChaosProgress {
  readonly #stream: NodeJS.WriteStream;
  readonly #bar: SingleBar | undefined;
  readonly #durationMs: number;

  constructor(stream: NodeJS.WriteStream, durationMs: number) {
    this.#stream = stream;
    this.#durationMs = durationMs;
    if (stream.isTTY) {
      const format = "{bar} {percentage} %  {phase}: {faults} faults, {operations} operations  {latest}";
      this.#bar = new SingleBar({ format, stream, hideCursor: true, barsize: 16, etaBuffer: 1 });
      this.#bar.start(Math.round(durationMs), 0, { phase: "starting", faults: 0, operations: 0, latest: "" });
    }
  }

  update({ phase, elapsedMs, operations, faults }: Progress): void {
    this.#bar?.update(Math.min(Math.round(elapsedMs), Math.round(this.#durationMs)), {
      phase,
      operations,
      faults,
    });
  }

  /** Something that happened: a line of its own, or the end of the bar. */
  line(text: string): void {
    if (this.#bar === undefined) {
      this.#stream.write(`${text}\n`);
    } else {
      this.#bar.update({ latest: text.trim() });
    }
  }

  end(): void {
    this.#bar?.stop();
  }
}
