/** The flags of the command line, made from the settings of `lib/config/load.ts`, so that both say the same. */
import { type Command, Option } from "commander";
import { DEFAULT_LIMITS } from "../base/limits.ts";
import { CONNECTION_SETTINGS, loadOptions, type Setting } from "../config/load.ts";
import { type ConnectionSettings, checkConnection, optionTable } from "../config/options.ts";
import { usageError } from "./failure.ts";

/** What commander hands to an action: flags by their attribute names. */
export type Flags = Readonly<Record<string, unknown>>;

/** What differs between commands in how they take their connection. */
interface ConnectionHelp {
  /** What `--servers` means to this command. */
  readonly servers: string;
  /** Whether the environment counts too. */
  readonly environment: boolean;
}

const CLIENT: ConnectionHelp = { servers: "NATS servers; default nats://127.0.0.1:4222", environment: true };

/** Adds `--json`, `--timeout`, and the flags with which a command reaches its cluster, below its own. */
export function withConnection(command: Command, { servers, environment }: ConnectionHelp = CLIENT): Command {
  const standard = DEFAULT_LIMITS.callTimeoutMs;
  command.option("--json", "print exactly the data, as JSON");
  command.option("--timeout <ms>", `how long to wait for an answer [SUPERCAST_TIMEOUT] (${standard})`);
  command.optionsGroup(environment ? "Connection, also from the environment:" : "Connection:");
  for (const setting of CONNECTION_SETTINGS) {
    addSettings(
      command,
      [environment ? setting : { ...setting, env: [] }],
      setting.key === "servers" ? servers : undefined,
    );
  }
  return command.helpOption("-h, --help", "this text");
}

/** Adds the flags of settings, with help and default from the table of options. */
export function addSettings(command: Command, settings: readonly Setting[], help?: string): Command {
  const rows = new Map(optionTable().map((row) => [row.key, row]));
  for (const { key, flag, env } of settings) {
    const row = rows.get(key);
    if (flag !== undefined) {
      const variables = env.length === 0 ? "" : ` [${env.join(", ")}]`;
      const standard = row === undefined || row.default === "" ? "" : ` (${row.default.replaceAll('"', "")})`;
      command.addOption(new Option(flag, `${help ?? row?.help ?? ""}${variables}${standard}`));
    }
  }
  return command;
}

/** The flags that were given, by the keys of their settings. */
export function givenSettings(flags: Flags, settings: readonly Setting[]): ReadonlyMap<string, unknown> {
  const given = new Map<string, unknown>();
  for (const { key, flag } of settings) {
    const value = flag === undefined ? undefined : flags[new Option(flag).attributeName()];
    if (value !== undefined) {
      given.set(key, value);
    }
  }
  return given;
}

/** The checked connection options of a command. Throws `config_mismatch`. */
export function connectionOf(
  flags: Flags,
  env: Readonly<NodeJS.ProcessEnv> = process.env,
): ConnectionSettings {
  const settings = CONNECTION_SETTINGS;
  const loaded = loadOptions({ env, flags: givenSettings(flags, settings), settings });
  return checkConnection(loaded.options, loaded.sources);
}

/** `--timeout`, or $SUPERCAST_TIMEOUT, or the default of calls, in milliseconds. */
export function timeoutOf(flags: Flags): number {
  const flag = flags["timeout"];
  const [source, text] =
    typeof flag === "string" ? ["--timeout", flag] : ["SUPERCAST_TIMEOUT", process.env["SUPERCAST_TIMEOUT"]];
  if (text === undefined || text === "") {
    return DEFAULT_LIMITS.callTimeoutMs;
  }
  return wholeNumber(text, source, { min: 1, max: 3_600_000 });
}

/** Reads a whole number; the error names where it came from, the value and what is allowed. */
export function wholeNumber(
  text: string,
  source: string,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < min || value > max) {
    throw usageError(`${source} is ${JSON.stringify(text)}; allowed: a whole number from ${min} to ${max}`);
  }
  return value;
}

export function isJson(flags: Flags): boolean {
  return flags["json"] === true;
}
