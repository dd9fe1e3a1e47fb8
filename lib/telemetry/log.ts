/** The logging port. `logger.ts` implements it with winston; tests collect lines with `collectLog`. */

export type LogLevel = "error" | "warn" | "info" | "debug";

export type LogFields = { readonly [field: string]: unknown };

export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
}

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that hands each line to `sink`. */
export function logTo(sink: (line: LogLine) => void, bound: LogFields = {}): Logger {
  const write =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      sink({ level, message, fields: { ...bound, ...fields } });
  return {
    error: write("error"),
    warn: write("warn"),
    info: write("info"),
    debug: write("debug"),
    child: (fields) => logTo(sink, { ...bound, ...fields }),
  };
}

/** A logger that keeps its lines, and the lines. */
export function collectLog(): { readonly log: Logger; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  return { log: logTo((line) => lines.push(line)), lines };
}
