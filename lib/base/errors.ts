/**
 * Every error that a caller can meet, declared once.
 *
 * An error travels between nodes as data (`ErrorData`) and is rebuilt on the other side, so that
 * `error.code` means the same thing in the process that threw it, on another node and in the JSON of
 * a foreign client.
 */

/** The codes of the contract, each with what it means and whether repeating the request can help. */
export const ERROR_CODES = {
  noproc: { retryable: true, help: "no process answers to that pid or name" },
  nodedown: { retryable: true, help: "the node is not up, or went down during the call" },
  noconnection: { retryable: true, help: "the connection to the node broke; the outcome is unknown" },
  timeout: { retryable: true, help: "no answer within the deadline; the outcome is unknown" },
  calling_self: { retryable: false, help: "a process called itself and would wait for ever" },
  mailbox_full: { retryable: true, help: "the receiver's mailbox is at its bound" },
  overload: { retryable: true, help: "a queue is at its bound; nothing was done" },
  majority_timeout: { retryable: true, help: "no majority answered in time; the outcome is unknown" },
  quorum_not_reached: { retryable: true, help: "too few replicas are reachable" },
  unknown_outcome: { retryable: true, help: "the request may or may not have taken effect" },
  not_writer: { retryable: true, help: "this node does not hold the writer's role" },
  locked: { retryable: true, help: "a transaction held a key for the whole wait; nothing was done" },
  forbidden: { retryable: false, help: "the sender may not send this message" },
  invalid_message: {
    retryable: false,
    help: "the message is malformed, of unknown type, or a field is wrong",
  },
  payload_too_large: { retryable: false, help: "the message exceeds the server's max_payload" },
  config_mismatch: { retryable: false, help: "the configuration is wrong or differs from the cluster's" },
  exit: { retryable: true, help: "the called process ended before it answered; `reason` says why" },
  already_started: { retryable: false, help: "a process is already registered under that name" },
  start_failed: { retryable: true, help: "a process did not start; `reason` says why" },
  internal: { retryable: false, help: "a defect in Supercast; please report it" },
} as const satisfies Record<string, { retryable: boolean; help: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An error as it travels: plain data. `details` holds whatever the error's area adds. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details?: unknown;
}

/** The base of every error that Supercast raises on purpose. */
export class SupercastError extends Error {
  override readonly name: string = "SupercastError";
  readonly code: ErrorCode;
  readonly details: unknown;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.details = options.details;
  }

  /** Whether the same request may succeed when repeated. Says nothing about whether it took effect. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }

  toData(): ErrorData {
    return this.details === undefined
      ? { code: this.code, message: this.message }
      : { code: this.code, message: this.message, details: this.details };
  }

  static fromData(data: ErrorData): SupercastError {
    return new SupercastError(data.code, data.message, { details: data.details });
  }
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_CODES, value);
}

/** The text of anything that was thrown, for logs and error answers. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Anything that was thrown as an error with a code: `internal` unless it has one. */
export function toSupercastError(thrown: unknown): SupercastError {
  return thrown instanceof SupercastError
    ? thrown
    : new SupercastError("internal", messageOf(thrown), { cause: thrown });
}
