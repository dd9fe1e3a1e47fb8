/** A call between two processes of the same node: its answer settles the caller's promise. */
import type { SupercastError } from "../base/errors.ts";
import { OpenCall } from "./from.ts";
import type { Pid } from "./pid.ts";
import type { Process } from "./process.ts";
import { type ActorSystem, asInvalidMessage } from "./system.ts";

export class LocalCall extends OpenCall {
  readonly #system: ActorSystem;
  readonly #callee: Process;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: SupercastError) => void;

  constructor(
    system: ActorSystem,
    callee: Process,
    caller: Pid | undefined,
    resolve: (value: unknown) => void,
    reject: (error: SupercastError) => void,
  ) {
    super(caller);
    this.#system = system;
    this.#callee = callee;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Whether message and reply go through the codec. */
  get copies(): boolean {
    return this.#system.copy !== undefined && this.#callee.actorClass.passByReference !== true;
  }

  protected describeTarget(): string {
    return this.#callee.label;
  }

  protected deliverReply(value: unknown): void {
    this.#system.deadlines.remove(this);
    if (!this.copies) {
      this.#resolve(value);
      return;
    }
    try {
      this.#resolve(this.#system.copy?.(value));
    } catch (thrown) {
      this.#reject(asInvalidMessage(thrown));
    }
  }

  protected deliverError(error: SupercastError): void {
    this.#system.deadlines.remove(this);
    this.#reject(error);
  }
}
