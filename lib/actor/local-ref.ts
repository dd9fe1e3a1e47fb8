/** References to processes of this node: a call or cast goes straight to the process. */
import type { Pid } from "./pid.ts";
import type { Process } from "./process.ts";
import type { CallMessage, CastMessage, ReplyTo, Untyped } from "./protocol.ts";
import type { ActorRef, CallOptions, PROTOCOL } from "./ref.ts";

export class LocalRef<P = Untyped> implements ActorRef<P> {
  declare readonly [PROTOCOL]?: P;
  readonly #process: Process;

  constructor(process: Process) {
    this.#process = process;
  }

  get pid(): Pid {
    return this.#process.pid;
  }

  get alive(): boolean {
    return this.#process.alive;
  }

  call<const M extends CallMessage<P>>(message: M, options?: CallOptions): Promise<ReplyTo<P, M>>;
  call(message: object, options?: CallOptions): Promise<unknown> {
    return this.#process.system.callProcess(this.#process, message, options);
  }

  cast<const M extends CastMessage<P>>(message: M): void;
  cast(message: object): void {
    this.#process.system.castProcess(this.#process, message);
  }
}
