/** A node's name is its own: before it starts, it asks whether somebody answers to that name already. */
import { SupercastError } from "../base/errors.ts";
import type { Subjects } from "../node/subjects.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Transport } from "../transport/transport.ts";

/** How long a node waits for another one that may bear its name. */
const NAME_CHECK_MS = 500;

/**
 * Resolves when nobody answers to `name`; throws `config_mismatch` when somebody does. Two nodes that start
 * at the same moment both pass; then the younger prevails as soon as they hear each other.
 */
export async function checkNameIsFree(
  transport: Transport,
  subjects: Subjects,
  name: string,
  log: Logger,
): Promise<void> {
  const connection = new ConnectionWatch(transport);
  try {
    for (;;) {
      const answer = await ask(transport, subjects.who(name), name);
      if (answer === "noproc") {
        return; // nobody listens there
      }
      if (answer === "timeout") {
        log.warn(
          `something listens under the name ${name} but does not answer; this node takes the name over`,
        );
        return;
      }
      await connection.standsAgain();
    }
  } finally {
    connection.stop();
  }
}

async function ask(
  transport: Transport,
  subject: string,
  name: string,
): Promise<"noproc" | "timeout" | "noconnection"> {
  let answer: Uint8Array;
  try {
    answer = (await transport.request(subject, new Uint8Array(0), { timeoutMs: NAME_CHECK_MS })).payload;
  } catch (error) {
    if (error instanceof SupercastError) {
      const { code } = error;
      if (code === "noproc" || code === "timeout" || code === "noconnection") {
        return code;
      }
    }
    throw error;
  }
  const incarnation = Buffer.from(answer).toString("latin1");
  throw new SupercastError(
    "config_mismatch",
    `the name ${JSON.stringify(name)} is taken: incarnation ${incarnation} answers to it; choose another name, or stop that node`,
  );
}

class ConnectionWatch {
  readonly #transport: Transport;
  readonly stop: () => void;
  #end: SupercastError | undefined;
  #tell: () => void = () => undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.stop = transport.onEvent((event) => {
      if (event.type === "closed") {
        this.#end = event.error ?? new SupercastError("noconnection", "the connection to NATS was closed");
      }
      this.#tell();
    });
  }

  /** Resolves when the connection stands; rejects when it has ended for good. */
  async standsAgain(): Promise<void> {
    while (!this.#transport.connected) {
      if (this.#end !== undefined) {
        throw this.#end;
      }
      await new Promise<void>((resolve) => {
        this.#tell = resolve;
      });
    }
  }
}
