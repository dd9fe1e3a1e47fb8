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
  /** From now on lines below `level` are left out, by this logger and all that share its output. */
  setLevel(level: LogLevel): void;
  readonly level: LogLevel;
}

/** From the most urgent to the least. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const satisfies readonly LogLevel[];

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that hands each line to `sink`; all levels, until `setLevel` says otherwise. */
export function logTo(sink: (line: LogLine) => void): Logger {
  return sinkLogger({ sink, rank: LOG_LEVELS.length }, {});
}

interface Output {
  readonly sink: (line: LogLine) => void;
  rank: number;
}

function sinkLogger(output: Output, bound: LogFields): Logger {
  const write =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LOG_LEVELS.indexOf(level) <= output.rank) {
        output.sink({ level, message, fields: { ...bound, ...fields } });
      }
    };
  return {
    error: write("error"),
    warn: write("warn"),
    info: write("info"),
    debug: write("debug"),
    child: (fields) => sinkLogger(output, { ...bound, ...fields }),
    setLevel: (level) => {
      output.rank = LOG_LEVELS.indexOf(level);
    },
    get level() {
      return LOG_LEVELS[output.rank] ?? "debug";
    },
  };
}

/** A logger that keeps its lines, and the lines. */
export function collectLog(): { readonly log: Logger; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  return { log: logTo((line) => lines.push(line)), lines };
}
