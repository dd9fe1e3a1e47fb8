/**
 * The foreign gateway: messages of any NATS client to the named actors of this node.
 *
 * Only actors with a protocol table can be reached, only with messages that the table lists and its
 * schemas accept; everything else gets an error answer that names what is wrong, is counted, and has no
 * other effect. A call may carry `requestId`: repeated on the same node within `requestIdMs` it gets the
 * first answer again and takes effect once.
 */
import { OpenCall } from "../actor/from.ts";
import type { Process } from "../actor/process.ts";
import type { CallEntry, CastEntry, Schema, SchemaIssue } from "../actor/protocol.ts";
import { mailboxFull, noproc } from "../actor/refusals.ts";
import type { ActorSystem } from "../actor/system.ts";
import { type ErrorCode, messageOf, SupercastError, toSupercastError } from "../base/errors.ts";
import type { MetricsStore } from "../telemetry/metrics.ts";
import type { IncomingMessage, Subscription, Transport } from "../transport/transport.ts";
import {
  decodeForeign,
  encodeAnswer,
  type ForeignAnswer,
  type ForeignForm,
  type ForeignMessage,
} from "../wire/foreign.ts";
import { describeProtocol } from "./describe.ts";
import { RequestMemory } from "./request-memory.ts";
import { ANY_NODE, ANY_QUEUE, type Subjects } from "./subjects.ts";

export interface ForeignGatewayOptions {
  readonly system: ActorSystem;
  readonly transport: Transport;
  readonly subjects: Subjects;
  readonly metrics: MetricsStore;
}

/**
 * The namespace of the gateway's counters: `calls`, `casts`, `errors`, one per error code, and `failures`:
 * the errors that are not their sender's fault.
 */
export const API_METRICS = "api";

/** Errors that say more about the client than about this node. */
const CLIENT_FAULTS: ReadonlySet<ErrorCode> = new Set([
  "invalid_message",
  "forbidden",
  "payload_too_large",
  "noproc",
  "config_mismatch",
  "already_started",
  "calling_self",
]);

/** Fields of the envelope that are no fields of the message. */
const ENVELOPE_FIELDS: ReadonlySet<string> = new Set(["type", "requestId", "position"]);
const REQUEST_ID_MAX_LENGTH = 128;

/** Where an answer goes: to the sender, or nowhere for casts. */
type Answer = (answer: ForeignAnswer) => void;

export class ForeignGateway {
  readonly #options: ForeignGatewayOptions;
  readonly #subscriptions: Subscription[] = [];
  readonly #requests: RequestMemory;
  #inFlight = 0;

  constructor(options: ForeignGatewayOptions) {
    this.#options = options;
    const { clock, limits } = options.system;
    const bytesOf = (answer: ForeignAnswer): number => encodeAnswer(answer, "msgpack").payload.length;
    this.#requests = new RequestMemory({ clock, limits, bytesOf });
  }

  start(): void {
    const { system, transport, subjects } = this.#options;
    const onCall = (message: IncomingMessage): void => this.#receiveCall(message);
    const onCast = (message: IncomingMessage): void => this.#receiveCast(message);
    this.#subscriptions.push(
      transport.subscribe(subjects.call(system.node, "*"), onCall),
      transport.subscribe(subjects.cast(system.node, "*"), onCast),
      transport.subscribe(subjects.call(ANY_NODE, "*"), onCall, { queue: ANY_QUEUE }),
      transport.subscribe(subjects.cast(ANY_NODE, "*"), onCast, { queue: ANY_QUEUE }),
    );
  }

  stop(): void {
    for (const subscription of this.#subscriptions.splice(0)) {
      subscription.unsubscribe();
    }
  }

  // --- calls and casts --------------------------------------------------------------------------

  #receiveCall(message: IncomingMessage): void {
    const decoded = decodeForeign(message.payload, this.#options.system.limits);
    const startedAt = this.#options.system.clock.now();
    const answer: Answer = (outcome) => this.#respond(message, decoded.form, outcome, startedAt);
    this.#options.metrics.increment(API_METRICS, "calls");
    if ("error" in decoded) {
      answer({ error: decoded.error.toData() });
      return;
    }
    this.#guard(answer, () => this.#call(actorOf(message.subject), decoded.message, answer));
  }

  #receiveCast(message: IncomingMessage): void {
    const decoded = decodeForeign(message.payload, this.#options.system.limits);
    const answer: Answer = (outcome) => this.#countOutcome(outcome, message.subject);
    this.#options.metrics.increment(API_METRICS, "casts");
    if ("error" in decoded) {
      answer({ error: decoded.error.toData() });
      return;
    }
    this.#guard(answer, () => this.#cast(actorOf(message.subject), decoded.message, answer));
  }

  #guard(answer: Answer, action: () => void): void {
    try {
      action();
    } catch (thrown) {
      if (!(thrown instanceof SupercastError)) {
        this.#options.system.log.error(`the foreign gateway failed: ${messageOf(thrown)}`, { error: thrown });
      }
      answer({ error: toSupercastError(thrown).toData() });
    }
  }

  #call(actor: string, message: ForeignMessage, answer: Answer): void {
    const { system } = this.#options;
    const process = this.#find(actor);
    if (message.type === "describe") {
      answer({ ok: describeProtocol(actor, system.node, tableOf(process)) });
      return;
    }
    const entry = findEntry(process, message.type);
    if (!("call" in entry)) {
      throw invalid(`type: "${message.type}" is a cast; publish it on the cast subject`);
    }
    const request = { type: message.type, ...validate(entry.call, message, entry.ownRequestId) };
    const requestId = requestIdOf(message);
    if (requestId === undefined || entry.ownRequestId === true) {
      this.#deliver(process, request, answer);
      return;
    }
    const settle = this.#requests.begin(`${actor}\n${requestId}`, answer);
    if (settle !== undefined) {
      this.#guard(settle, () => this.#deliver(process, request, settle));
    }
  }

  #deliver(process: Process, request: object, answer: Answer): void {
    const { system } = this.#options;
    if (this.#inFlight >= system.limits.foreignInFlight) {
      throw new SupercastError(
        "overload",
        `${system.limits.foreignInFlight} foreign calls are in hand already`,
      );
    }
    this.#inFlight += 1;
    const call = new ForeignCall(system, process.label, (outcome) => {
      this.#inFlight -= 1;
      answer(outcome);
    });
    if (process.pushCall(request, call)) {
      system.deadlines.add(call, system.limits.foreignTimeoutMs);
    } else {
      call.fail(process.alive ? mailboxFull(process.label) : noproc(process.label));
    }
  }

  /** A call sent as a cast is a call whose answer nobody wants. */
  #cast(actor: string, message: ForeignMessage, answer: Answer): void {
    const process = this.#find(actor);
    const entry = findEntry(process, message.type);
    const fields = validate("call" in entry ? entry.call : entry.cast, message);
    const request = { type: message.type, ...fields };
    if ("call" in entry) {
      this.#deliver(process, request, answer);
    } else if (!process.pushCast(request)) {
      throw process.alive ? mailboxFull(process.label) : noproc(process.label);
    }
  }

  #find(actor: string): Process {
    const process = this.#options.system.whereis(actor);
    if (process === undefined) {
      throw noproc(`${actor} at ${this.#options.system.node}`);
    }
    return process;
  }

  // --- answers ----------------------------------------------------------------------------------

  #respond(message: IncomingMessage, form: ForeignForm, outcome: ForeignAnswer, startedAt: number): void {
    const { system, transport, metrics } = this.#options;
    this.#countOutcome(outcome, message.subject);
    metrics.recordLatency("foreign_call", (system.clock.now() - startedAt) * 1000);
    const { payload, headers } = encodeAnswer(outcome, form, transport.maxPayload);
    try {
      message.respond(payload, headers);
    } catch (thrown) {
      system.log.warn(`an answer could not be sent: ${messageOf(thrown)}`, { subject: message.subject });
    }
  }

  #countOutcome(outcome: ForeignAnswer, subject: string): void {
    if ("error" in outcome) {
      const { metrics, system } = this.#options;
      metrics.increment(API_METRICS, "errors");
      metrics.increment(API_METRICS, outcome.error.code);
      if (!CLIENT_FAULTS.has(outcome.error.code)) {
        metrics.increment(API_METRICS, "failures");
      }
      system.log.debug(`a foreign message was refused: ${outcome.error.message}`, { subject });
    }
  }
}

/** A call of a foreign client: settles with the answer's data. */
class ForeignCall extends OpenCall {
  readonly #system: ActorSystem;
  readonly #target: string;
  readonly #answer: Answer;

  constructor(system: ActorSystem, target: string, answer: Answer) {
    super(undefined);
    this.#system = system;
    this.#target = target;
    this.#answer = answer;
  }

  protected describeTarget(): string {
    return this.#target;
  }

  protected deliverReply(value: unknown): void {
    this.#system.deadlines.remove(this);
    this.#answer({ ok: value });
  }

  protected deliverError(error: SupercastError): void {
    this.#system.deadlines.remove(this);
    this.#answer({ error: error.toData() });
  }
}

function actorOf(subject: string): string {
  return subject.slice(subject.lastIndexOf(".") + 1);
}

function tableOf(process: Process): NonNullable<Process["actorClass"]["protocol"]> {
  const table = process.actorClass.protocol;
  if (table === undefined) {
    throw new SupercastError("forbidden", `${process.label} declares no messages for foreign clients`);
  }
  return table;
}

function findEntry(process: Process, type: string): CallEntry | CastEntry {
  const table = tableOf(process);
  const entry = Object.hasOwn(table, type) ? table[type] : undefined;
  if (entry === undefined) {
    const known = Object.keys(table).filter((each) => table[each]?.from !== "node");
    throw invalid(
      `type: ${process.label} has no message ${JSON.stringify(type)}; it has describe, ${known.join(", ")}`,
    );
  }
  if (entry.from === "node") {
    throw new SupercastError("forbidden", `type: "${type}" is accepted from nodes of the cluster only`);
  }
  return entry;
}

/** The message's fields as its schema returns them; throws `invalid_message` naming the first that is wrong. */
function validate(schema: Schema<object>, message: ForeignMessage, ownRequestId: boolean = false): object {
  const isField = (name: string): boolean =>
    !ENVELOPE_FIELDS.has(name) || (ownRequestId && name === "requestId");
  const fields = Object.fromEntries(Object.entries(message).filter(([name]) => isField(name)));
  const result = schema["~standard"].validate(fields);
  if (result instanceof Promise) {
    throw new SupercastError("internal", "a message schema must validate at once");
  }
  if (result.issues !== undefined) {
    throw invalid(result.issues.map(formatIssue).join("; ").slice(0, 1024));
  }
  return result.value;
}

function formatIssue({ message, path = [] }: SchemaIssue): string {
  const steps = path.map((step) => String(typeof step === "object" ? step.key : step));
  return steps.length === 0 ? message : `${steps.join(".")}: ${message}`;
}

function requestIdOf(message: ForeignMessage): string | undefined {
  const id = message["requestId"];
  if (id !== undefined && (typeof id !== "string" || id === "" || id.length > REQUEST_ID_MAX_LENGTH)) {
    throw invalid(`requestId: must be a string of 1 to ${REQUEST_ID_MAX_LENGTH} characters`);
  }
  return id;
}

function invalid(text: string): SupercastError {
  return new SupercastError("invalid_message", text);
}
