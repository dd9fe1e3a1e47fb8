/**
 * Every error a journal raises. Wrong arguments and full queues are errors of the contract
 * (`invalid_message`, `payload_too_large`, `overload`, `config_mismatch`); what a disk can do to a
 * journal has the codes below.
 */
import { SupercastError } from "../base/errors.ts";

export const JOURNAL_ERROR_CODES = {
  journal_closed: { retryable: false, help: "the journal has been closed" },
  journal_failed: { retryable: false, help: "a write or sync failed; the journal closed itself for good" },
  journal_full: {
    retryable: false,
    help: "no space left; the journal closed itself, reopen it after space is back",
  },
  journal_damaged: {
    retryable: false,
    help: "data that had been synced is missing or wrong; nothing was changed",
  },
  journal_locked: { retryable: true, help: "another live process has the folder open" },
  journal_format: { retryable: false, help: "the files were written in a format this version does not know" },
  journal_missing: { retryable: false, help: "there is no journal in the folder" },
  journal_busy: { retryable: true, help: "the operation excludes another one that is running" },
} as const satisfies Record<string, { retryable: boolean; help: string }>;

export type JournalErrorCode = keyof typeof JOURNAL_ERROR_CODES;

export class JournalError extends Error {
  override readonly name: string = "JournalError";
  readonly code: JournalErrorCode;

  constructor(code: JournalErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
  }

  get retryable(): boolean {
    return JOURNAL_ERROR_CODES[this.code].retryable;
  }
}

/** Where the damage is and what is wrong there. */
export interface Damage {
  readonly file: string;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly what: string;
}

/** A journal that may not be opened as it is. */
export class JournalDamagedError extends JournalError {
  override readonly name: string = "JournalDamagedError";
  readonly file: string;
  readonly offset: number;
  readonly what: string;

  constructor({ file, offset, what }: Damage, options: { cause?: unknown } = {}) {
    super("journal_damaged", `${file} at offset ${offset}: ${what}`, options);
    this.file = file;
    this.offset = offset;
    this.what = what;
  }
}

/** A wrong argument: `invalid_message` naming the field. */
export function invalid(field: string, problem: string): SupercastError {
  return new SupercastError("invalid_message", `${field}: ${problem}`, { details: { field } });
}
