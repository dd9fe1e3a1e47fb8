/** Logging by winston, behind the port of `log.ts`. The level can be switched at run time. */
import winston from "winston";
import { LOG_LEVELS, type LogFields, type Logger, type LogLevel } from "./log.ts";

export interface LoggerOptions {
  readonly level: LogLevel;
  /** One JSON object per line instead of text. */
  readonly json?: boolean;
  /** Colours; only sensible on a terminal. */
  readonly colour?: boolean;
  readonly stream?: NodeJS.WritableStream;
}

/** A winston logger that writes to standard error, or to `stream`. */
export function createLogger(options: LoggerOptions): Logger {
  const { combine, timestamp, json, printf, colorize } = winston.format;
  const text = printf(({ timestamp: at, level, message, ...fields }) => {
    const rest = Object.entries(fields).filter(([, value]) => value !== undefined);
    const shown = rest.map(([key, value]) => `${key}=${formatField(value)}`).join(" ");
    return `${String(at)} ${level} ${String(message)}${shown === "" ? "" : ` ${shown}`}`;
  });
  const format =
    options.json === true
      ? combine(timestamp(), json())
      : combine(
          timestamp({ format: "HH:mm:ss.SSS" }),
          ...(options.colour === true ? [colorize()] : []),
          text,
        );
  const logger = winston.createLogger({
    level: options.level,
    format,
    transports: [new winston.transports.Stream({ stream: options.stream ?? process.stderr })],
  });
  return wrap(logger, {});
}

function wrap(logger: winston.Logger, bound: LogFields): Logger {
  const write =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      logger.log(level, message, { ...bound, ...fields });
    };
  return {
    error: write("error"),
    warn: write("warn"),
    info: write("info"),
    debug: write("debug"),
    child: (fields) => wrap(logger, { ...bound, ...fields }),
    setLevel: (level) => {
      logger.level = level;
    },
    get level() {
      return LOG_LEVELS.find((each) => each === logger.level) ?? "info";
    },
  };
}

function formatField(value: unknown): string {
  if (value instanceof Error) {
    return JSON.stringify(value.message);
  }
  return typeof value === "string" && !/[\s"]/.test(value) ? value : (JSON.stringify(value) ?? "undefined");
}
