/**
 * A foreign client: a bare NATS connection that sends what any program could send, JSON or msgpack, and takes the
 * answer as it comes. It shares nothing with the product but the wire.
 */
import { pack, unpack } from "msgpackr";
import { connect, ErrorCode, type NatsConnection, NatsError } from "nats";

const RECONNECT_WAIT_MS = 100;
const CONNECT_TIMEOUT_MS = 2_000;
const PING_MS = 1_000;

export type WireForm = "json" | "msgpack";

export type Answer =
  | { readonly status: "ok"; readonly value: unknown }
  | { readonly status: "error"; readonly code: string; readonly message: string }
  /** Nobody was there to take the message. */
  | { readonly status: "nobody" }
  /** No answer in time, or the connection broke. */
  | { readonly status: "silence"; readonly why: string };

export class ForeignClient {
  readonly #connection: NatsConnection;
  readonly #form: WireForm;
  readonly #cluster: string;

  private constructor(connection: NatsConnection, form: WireForm, cluster: string) {
    this.#connection = connection;
    this.#form = form;
    this.#cluster = cluster;
  }

  /** Connects to one of the servers, and to another one whenever that is gone. */
  static async connect(servers: readonly string[], form: WireForm, cluster: string): Promise<ForeignClient> {
    const connection = await connect({
      servers: [...servers],
      ignoreClusterUpdates: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: PING_MS,
    });
    return new ForeignClient(connection, form, cluster);
  }

  /** `node`: a node's name, or any. */
  async call(
    node: string,
    actor: string,
    message: Readonly<Record<string, unknown>>,
    timeoutMs: number,
  ): Promise<Answer> {
    const payload = this.#form === "json" ? Buffer.from(JSON.stringify(message)) : pack(message);
    try {
      const subject = `supercast.${this.#cluster}.call.${node}.${actor}`;
      const { data } = await this.#connection.request(subject, payload, { timeout: timeoutMs });
      return answerOf(this.#form === "json" ? JSON.parse(Buffer.from(data).toString()) : unpack(data));
    } catch (error) {
      if (error instanceof NatsError) {
        return error.code === ErrorCode.NoResponders
          ? { status: "nobody" }
          : { status: "silence", why: error.message };
      }
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

/** Throws for what is no answer of the protocol. */
export function answerOf(body: unknown): Answer {
  if (typeof body === "object" && body !== null) {
    if ("ok" in body) {
      return { status: "ok", value: body.ok };
    }
    const error = "error" in body ? body.error : undefined;
    if (typeof error === "object" && error !== null && "code" in error) {
      const message = "message" in error ? String(error.message) : "";
      return { status: "error", code: String(error.code), message };
    }
  }
  throw new Error(`an answer is neither {"ok"} nor {"error"}: ${JSON.stringify(body)}`);
}
