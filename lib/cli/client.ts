/**
 * A client of a cluster, as any NATS client could be one: JSON on the contract's subjects, no node started.
 */
import type { Schema } from "../actor/protocol.ts";
import { messageOf, SupercastError } from "../base/errors.ts";
import { checkLimits, DEFAULT_LIMITS } from "../base/limits.ts";
import { ANY_NODE } from "../base/names.ts";
import { systemClock } from "../base/system-clock.ts";
import { systemRandom } from "../base/system-random.ts";
import type { ConnectionSettings } from "../config/options.ts";
import { type Subjects, subjectsOf } from "../node/subjects.ts";
import { connectNats } from "../transport/nats.ts";
import type { Transport } from "../transport/transport.ts";
import { AnsweredError, CliError } from "./failure.ts";
import { connectionOf, type Flags, isJson, timeoutOf } from "./flags.ts";
import { Output } from "./output.ts";

export interface ForeignMessage {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface ClientOptions {
  readonly transport: Transport;
  readonly cluster: string;
  readonly subjects: Subjects;
  readonly timeoutMs: number;
  /** Where the transport leads to, for error texts. */
  readonly where: string;
}

export class Client {
  readonly transport: Transport;
  readonly cluster: string;
  readonly subjects: Subjects;
  readonly timeoutMs: number;
  readonly where: string;

  constructor(options: ClientOptions) {
    this.transport = options.transport;
    this.cluster = options.cluster;
    this.subjects = options.subjects;
    this.timeoutMs = options.timeoutMs;
    this.where = options.where;
  }

  /**
   * Asks a named actor; `node` may be "any". Rejects with an AnsweredError, with a CliError of code `nodedown`
   * (nobody listens there) or `timeout`, or with what publishing throws, such as `noconnection`.
   */
  async call(
    node: string,
    actor: string,
    message: ForeignMessage,
    timeoutMs: number = this.timeoutMs,
  ): Promise<unknown> {
    const payload = Buffer.from(JSON.stringify(message));
    let answer: Uint8Array;
    try {
      answer = (await this.transport.request(this.subjects.call(node, actor), payload, { timeoutMs }))
        .payload;
    } catch (error) {
      throw this.#explain(error, node, actor, timeoutMs);
    }
    return readAnswer(answer, node, actor);
  }

  /** As `call`, and checks the answer's shape. */
  async ask<Reply>(
    node: string,
    actor: string,
    message: ForeignMessage,
    reply: Schema<Reply>,
  ): Promise<Reply> {
    const value = await this.call(node, actor, message);
    const result = await reply["~standard"].validate(value);
    if (result.issues !== undefined) {
      const [issue] = result.issues;
      throw new CliError(
        `${actor} at ${node} answered ${message.type} in a form that is not known here: ${issue?.message}`,
        {
          hint: "do node and command line have the same version?",
        },
      );
    }
    return result.value;
  }

  /** Tells a named actor; settles when the message has reached the server. */
  async cast(node: string, actor: string, message: ForeignMessage): Promise<void> {
    this.transport.publish(this.subjects.cast(node, actor), Buffer.from(JSON.stringify(message)));
    await this.transport.flush();
  }

  async close(): Promise<void> {
    await this.transport.close({ drain: true });
  }

  #explain(error: unknown, node: string, actor: string, timeoutMs: number): unknown {
    if (!(error instanceof SupercastError)) {
      return error;
    }
    const there = `cluster ${this.cluster} at ${this.where}`;
    if (error.code === "noproc") {
      return node === ANY_NODE
        ? new CliError(`no node of ${there} answers`, {
            code: "nodedown",
            hint: "supercast up starts a cluster; --servers, --cluster and --prefix say which one is meant",
          })
        : new CliError(`no node ${node} in ${there}`, {
            code: "nodedown",
            hint: "supercast nodes lists those that are there",
          });
    }
    if (error.code === "timeout") {
      return new CliError(
        `${actor} at ${node} gave no answer within ${timeoutMs} ms; whether it took effect is unknown`,
        {
          code: "timeout",
          hint: "--timeout waits longer; supercast health tells how the node fares",
          cause: error,
        },
      );
    }
    return error;
  }
}

function readAnswer(payload: Uint8Array, node: string, actor: string): unknown {
  let answer: unknown;
  try {
    answer = JSON.parse(Buffer.from(payload).toString("utf8"));
  } catch (error) {
    throw new CliError(`${actor} at ${node} answered with something that is not JSON`, { cause: error });
  }
  if (typeof answer === "object" && answer !== null) {
    if ("ok" in answer) {
      return answer.ok;
    }
    const error = "error" in answer ? answer.error : undefined;
    if (typeof error === "object" && error !== null && "code" in error && "message" in error) {
      throw new AnsweredError(String(error.code), String(error.message));
    }
  }
  throw new CliError(`${actor} at ${node} answered neither "ok" nor "error"`);
}

/** Connects; the connection's options are checked already. Throws `noconnection`, `forbidden`, `config_mismatch`. */
export async function connectClient(settings: ConnectionSettings, timeoutMs: number): Promise<Client> {
  const { cluster, subjectPrefix, servers, user, password, token, nkey, nkeyFile, creds, tls } = settings;
  const subjects = subjectsOf(cluster, subjectPrefix);
  const address = { servers, user, password, token, nkey, nkeyFile, creds, tls };
  const limits = checkLimits({
    natsConnectTimeoutMs: Math.min(timeoutMs, DEFAULT_LIMITS.natsConnectTimeoutMs),
  });
  const ports = { clock: systemClock, random: systemRandom, limits };
  let transport: Transport;
  try {
    transport = await connectNats({ ...address, name: "supercast command line" }, ports);
  } catch (error) {
    if (error instanceof SupercastError && error.code === "noconnection") {
      throw new CliError(messageOf(error), {
        code: "noconnection",
        hint: "is a nats-server running there? --servers names another; supercast up starts one with a cluster",
        cause: error,
      });
    }
    throw error;
  }
  const shown =
    servers === undefined ? "the default server" : String(servers).replace(/\/\/[^@/,]*@/g, "//***@");
  return new Client({ transport, cluster, subjects, timeoutMs, where: shown });
}

/** Runs a command that needs a client, and closes it however that goes. */
export async function withClient(
  flags: Flags,
  action: (client: Client, output: Output) => Promise<void>,
): Promise<void> {
  const client = await connectClient(connectionOf(flags), timeoutOf(flags));
  try {
    await action(client, new Output(isJson(flags)));
  } finally {
    await client.close();
  }
}
