/** What a person sees while it runs, on standard error: a line that lives on a terminal, plain lines elsewhere. */
import type { WriteStream } from "node:tty";
import pc from "picocolors";

export class Progress {
  readonly #stream: WriteStream;
  #startedAt = 0;

  constructor(stream: WriteStream) {
    this.#stream = stream;
  }

  begin(name: string): void {
    this.#startedAt = performance.now();
    if (this.#stream.isTTY) {
      this.update(name, "starting");
    }
  }

  update(name: string, text: string): void {
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\u001b[2K… ${name}  ${pc.dim(text)}`);
    }
  }

  /** Ends the line of a bench; `failure` says why there are no figures. */
  done(name: string, failure?: string): void {
    const took = `${((performance.now() - this.#startedAt) / 1000).toFixed(1)} s`;
    this.line(failure === undefined ? `✓ ${name}  ${took}` : `✗ ${name}  ${failure}`);
  }

  line(text: string): void {
    this.#stream.write(`${this.#stream.isTTY ? "\r\u001b[2K" : ""}${text}\n`);
  }
}
