/** Runs asynchronous steps one after the other, in call order; a failed step does not stop the next. */
export class Serial {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(step);
    // The failure belongs to whoever called; the chain only waits for the end.
    this.#tail = done.catch(() => undefined);
    return done;
  }
}
