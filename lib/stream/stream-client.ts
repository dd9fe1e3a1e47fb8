/**
 * StreamClient: requests and reads of one client of a stream, from any node.
 *
 * It finds the writer, repeats a request under the same number until it has an answer or its time is over,
 * and says what it knows: a request that is rejected with `unknown_outcome` may have taken effect or not, and
 * after any other rejection it has not. Reads carry the position of what this client has written and read, so
 * that it reads its own writes and never goes back.
 */
import type { Clock } from "../base/clock.ts";
import { type ErrorCode, SupercastError } from "../base/errors.ts";
import type { Random } from "../base/random.ts";
import type { Epoch } from "../journal/epoch.ts";
import { nodeOf } from "./replica-id.ts";
import {
  CLIENT_ID_MAX,
  type ReadAnswer,
  type ReadMode,
  type RequestAnswer,
  type RequestMode,
  streamActorName,
} from "./requests.ts";

/** What a client needs of its node; an ActorSystem has all of it. */
export interface ClientHost {
  readonly clock: Clock;
  readonly random: Random;
  /** The node has ended: nothing is tried again. */
  readonly closed?: boolean;
  call(
    target: { readonly name: string; readonly node: string },
    message: object,
    options?: { readonly timeoutMs?: number },
  ): Promise<unknown>;
}

export interface ClientOptions {
  readonly stream: string;
  /** Nodes on which replicas of the stream may live; the first is asked first. May be a getter. */
  readonly nodes: readonly string[];
  /** The node that is taken for the writer's where the client knows no better; asked once for each request. */
  readonly guess?: () => string | null;
  /** Never used by another client; drawn unless given. */
  readonly clientId?: string;
  /** For a request or read with everything that it takes. Default 10000. */
  readonly timeoutMs?: number;
  /** For one attempt; longer than the replicas' majorityTimeoutMs. Default 3000. */
  readonly attemptTimeoutMs?: number;
  /** Between two attempts, half to all of it. Default 100. */
  readonly retryMs?: number;
  /** Requests under way at a time; one more is rejected with `overload`. Default 1024. */
  readonly windowMax?: number;
}

export interface Done {
  readonly value: unknown;
  readonly seq: number;
  readonly epoch: Epoch;
}

export interface RequestOptions {
  readonly timeoutMs?: number;
  /** A later answer than the stream's mode gives. */
  readonly mode?: RequestMode;
}

export interface ClientReadOptions {
  /** Default `quorum`. */
  readonly mode?: ReadMode;
  /** The position wanted at least; default: what this client has seen. */
  readonly minSeq?: number;
  /** With `local`: the node to ask. Default: the first. */
  readonly node?: string;
  readonly timeoutMs?: number;
}

const DEFAULTS = { timeoutMs: 10_000, attemptTimeoutMs: 3_000, retryMs: 100, windowMax: 1_024 } as const;

/** The rest is for the way there and back. */
const LOCK_WAIT_SHARE = 0.75;

/** Errors of a call that say that its message was not handled. */
const NOT_HANDLED: ReadonlySet<ErrorCode> = new Set(["noproc", "mailbox_full", "overload"]);
/** Errors of a call after which another attempt may succeed. All others are the replica's refusal. */
const LOST: ReadonlySet<ErrorCode> = new Set(["timeout", "noconnection", "nodedown", "exit"]);

/** How an attempt ended: with an answer, without one, or with the replica's refusal. */
type Attempt<Answer> =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "lost" }
  | { readonly kind: "notHandled"; readonly busy: boolean }
  | { readonly kind: "refused"; readonly error: SupercastError };

export class StreamClient {
  readonly clientId: string;
  readonly #host: ClientHost;
  readonly #options: Required<Omit<ClientOptions, "clientId" | "nodes" | "guess">>;
  readonly #where: Pick<ClientOptions, "nodes" | "guess">;
  readonly #target: string;
  /** Numbers of the requests under way; none is below `#oldest`. */
  readonly #open = new Set<number>();
  #oldest = 1;
  #lastRequestSeq = 0;
  #position = 0;
  /** The node that is taken for the writer's. */
  #writer: string | null = null;
  #asked = 0;

  /** Throws `config_mismatch` for options that cannot be. */
  constructor(host: ClientHost, options: ClientOptions) {
    const clientId = options.clientId ?? host.random.token(20);
    if (options.nodes.length === 0) {
      throw new SupercastError("config_mismatch", "nodes is empty; allowed: at least one node");
    }
    if (clientId === "" || clientId.length > CLIENT_ID_MAX) {
      throw new SupercastError("config_mismatch", `clientId must have 1 to ${CLIENT_ID_MAX} characters`);
    }
    this.#host = host;
    this.#options = { ...DEFAULTS, ...options };
    this.#where = options;
    this.#target = streamActorName(options.stream);
    this.clientId = clientId;
  }

  /** The position of the newest write or read that this client has seen; reads wait for it. */
  get position(): number {
    return this.#position;
  }

  /**
   * Carries out an operation once. Rejects with `unknown_outcome`; or, when it has not taken effect and will
   * not, with `overload`, `locked` (a transaction held a key), `quorum_not_reached` (no writer was found in
   * time) or what the stream refused it with.
   */
  async request(operation: unknown, { timeoutMs, mode }: RequestOptions = {}): Promise<Done> {
    const oldest = this.#oldestOpen();
    if (this.#lastRequestSeq + 1 - oldest >= this.#options.windowMax) {
      throw new SupercastError(
        "overload",
        `${this.#options.windowMax} requests are under way since the oldest`,
      );
    }
    this.#lastRequestSeq += 1;
    const requestSeq = this.#lastRequestSeq;
    this.#open.add(requestSeq);
    try {
      const done = await this.#carryOut(requestSeq, operation, mode, this.#deadline(timeoutMs));
      this.#position = Math.max(this.#position, done.seq);
      return done;
    } finally {
      this.#open.delete(requestSeq);
    }
  }

  /**
   * Asks the state. Rejects with `quorum_not_reached` when nobody could answer in time, or with what the
   * stream refused the query with.
   */
  async read(query: unknown, options: ClientReadOptions = {}): Promise<unknown> {
    const { value } = await this.readAt(query, options);
    return value;
  }

  /** As `read`, with the position up to which the answer takes everything into account. */
  async readAt(query: unknown, options: ClientReadOptions = {}): Promise<Pick<Done, "seq" | "value">> {
    const { mode = "quorum", timeoutMs } = options;
    // A quorum read sees all there is. Where an answered write was lost, nobody may ever come to its position.
    const { minSeq = mode === "quorum" ? 0 : this.#position } = options;
    const deadlineAt = this.#deadline(timeoutMs);
    let node = mode === "local" ? (options.node ?? this.#nodes[0]) : (options.node ?? this.#writer);
    for (;;) {
      const asked = node ?? this.#nextNode();
      const attempt = await this.#attempt<ReadAnswer>(
        asked,
        { type: "read", query, mode, minSeq },
        deadlineAt,
      );
      if (attempt.kind === "refused") {
        throw attempt.error;
      }
      if (attempt.kind === "answer" && attempt.answer.status === "ok") {
        const { value, seq } = attempt.answer;
        this.#position = Math.max(this.#position, seq);
        return { value, seq };
      }
      this.#learn(asked, attempt);
      const again = await this.#pause(asked, attempt, deadlineAt);
      if (!again) {
        throw new SupercastError(
          "quorum_not_reached",
          `nobody answered a ${mode} read of ${this.#target} in time`,
        );
      }
      node = mode === "local" ? this.#nextNode() : this.#writer;
    }
  }

  async #carryOut(
    requestSeq: number,
    operation: unknown,
    mode: RequestMode | undefined,
    deadlineAt: number,
  ): Promise<Done> {
    let unsure = false;
    let refusal: Refusal = "noWriter";
    let guess = this.#where.guess?.() ?? null;
    for (;;) {
      const node = this.#writer ?? guess ?? this.#nextNode();
      guess = null;
      const doneBelow = this.#oldestOpen();
      const request = { type: "request", clientId: this.clientId, requestSeq, doneBelow, operation };
      const lockWaitMs = this.#lockWaitMs(deadlineAt);
      const asked = mode === undefined ? request : { ...request, mode };
      const message = lockWaitMs === null ? asked : { ...asked, lockWaitMs };
      const attempt = await this.#attempt<RequestAnswer>(node, message, deadlineAt);
      const answer = attempt.kind === "answer" ? attempt.answer : null;
      if (answer?.status === "ok") {
        this.#writer = node;
        const { value, seq, epoch } = answer;
        return { value, seq, epoch };
      }
      if (attempt.kind === "refused" && !unsure) {
        throw attempt.error;
      }
      if (attempt.kind === "refused" || answer?.status === "belowDone") {
        throw unknownOutcome(requestSeq, "an earlier attempt got no answer");
      }
      unsure ||= attempt.kind === "lost" || answer?.status === "unknown";
      refusal = refusalOf(attempt, answer);
      this.#learn(node, attempt);
      if (!(await this.#pause(node, attempt, deadlineAt))) {
        throw unsure ? unknownOutcome(requestSeq, "its time is over") : notDone(refusal, this.#target);
      }
    }
  }

  async #attempt<Answer>(node: string, message: object, deadlineAt: number): Promise<Attempt<Answer>>;
  async #attempt(node: string, message: object, deadlineAt: number): Promise<Attempt<unknown>> {
    const rest = deadlineAt - this.#host.clock.now();
    const timeoutMs = Math.max(0, Math.min(this.#options.attemptTimeoutMs, rest));
    try {
      const answer = await this.#host.call({ name: this.#target, node }, message, { timeoutMs });
      return { kind: "answer", answer };
    } catch (thrown) {
      if (!(thrown instanceof SupercastError)) {
        throw thrown;
      }
      if (NOT_HANDLED.has(thrown.code)) {
        return { kind: "notHandled", busy: thrown.code !== "noproc" };
      }
      return LOST.has(thrown.code) ? { kind: "lost" } : { kind: "refused", error: thrown };
    }
  }

  /** Who is to be asked next, as far as an attempt that failed tells. */
  #learn(asked: string, attempt: Attempt<RequestAnswer | ReadAnswer>): void {
    const answer = attempt.kind === "answer" ? attempt.answer : null;
    if (answer?.status === "redirect") {
      this.#writer = answer.primary === null ? null : nodeOf(answer.primary);
    } else if (attempt.kind === "lost" || answer?.status === "unavailable" || attempt.kind === "notHandled") {
      this.#writer = this.#writer === asked ? null : this.#writer;
    }
  }

  /** Waits before the next attempt; not when the writer is elsewhere. False when there is no time left. */
  async #pause(
    asked: string,
    attempt: Attempt<RequestAnswer | ReadAnswer>,
    deadlineAt: number,
  ): Promise<boolean> {
    const { clock, random } = this.#host;
    const redirected = attempt.kind === "answer" && attempt.answer.status === "redirect";
    const elsewhere = redirected && this.#writer !== null && this.#writer !== asked;
    // Two replicas may name each other: a little rest after each word of that, too.
    const share = elsewhere ? 0.05 : 0.5 + random.next() / 2;
    const delayMs = this.#options.retryMs * share;
    if (this.#host.closed === true || clock.now() + delayMs >= deadlineAt) {
      return false;
    }
    await new Promise<void>((resolve) => {
      clock.setTimer(resolve, delayMs);
    });
    return true;
  }

  /** For a request with little time left: its answer is to be here when its wait for a locked key is over. */
  #lockWaitMs(deadlineAt: number): number | null {
    const rest = Math.max(0, deadlineAt - this.#host.clock.now());
    return rest < this.#options.attemptTimeoutMs ? rest * LOCK_WAIT_SHARE : null;
  }

  /** The oldest request under way, or the next one. Not by the set's own order: it keeps holes of what has left. */
  #oldestOpen(): number {
    while (this.#oldest <= this.#lastRequestSeq && !this.#open.has(this.#oldest)) {
      this.#oldest += 1;
    }
    return this.#oldest;
  }

  #deadline(timeoutMs: number | undefined): number {
    return this.#host.clock.now() + (timeoutMs ?? this.#options.timeoutMs);
  }

  get #nodes(): readonly string[] {
    return this.#where.nodes;
  }

  #nextNode(): string {
    const node = this.#nodes[this.#asked % this.#nodes.length];
    this.#asked += 1;
    return node ?? "";
  }
}

function unknownOutcome(requestSeq: number, why: string): SupercastError {
  return new SupercastError("unknown_outcome", `request ${requestSeq} may have taken effect: ${why}`);
}

/** Why the last attempt was of no effect. */
type Refusal = "overload" | "locked" | "noWriter";

function refusalOf(attempt: Attempt<RequestAnswer>, answer: RequestAnswer | null): Refusal {
  if (answer?.status === "locked") {
    return "locked";
  }
  const busy = answer?.status === "overload" || (attempt.kind === "notHandled" && attempt.busy);
  return busy ? "overload" : "noWriter";
}

function notDone(refusal: Refusal, target: string): SupercastError {
  switch (refusal) {
    case "overload":
      return new SupercastError("overload", `${target} had no room in time; nothing was done`);
    case "locked":
      return new SupercastError("locked", `a transaction of ${target} held a key; nothing was done`);
    case "noWriter":
      return new SupercastError(
        "quorum_not_reached",
        `no writer of ${target} was found in time; nothing was done`,
      );
  }
}
