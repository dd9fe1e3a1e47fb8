/**
 * Node discovery: the functions behind NodeMonitor's `discover`.
 *
 * `file:PATH` reads a JSON list of names, or one name per line; `dns:HOST` and `dns:HOST@SERVER` ask DNS
 * (`dns-discovery.ts`). Any other name is looked up among the functions given to `startNode`.
 */
import { readFile } from "node:fs/promises";
import { messageOf, SupercastError } from "../base/errors.ts";
import { BUILT_IN_DISCOVERIES, parseDiscovery } from "../config/discover.ts";
import { dnsDiscovery } from "./dns-discovery.ts";

export type DiscoverFunction = () => readonly string[] | Promise<readonly string[]>;

/** The discoveries by what a person writes; `timeoutMs` is the time that NodeMonitor gives to one run. */
export function discoveryTable(
  functions: Readonly<Record<string, DiscoverFunction>>,
  timeoutMs: number,
): (discover: string) => DiscoverFunction {
  const make = (discover: string): DiscoverFunction => {
    const parsed = parseDiscovery(discover);
    if (parsed === undefined) {
      return given(functions, discover);
    }
    if ("problem" in parsed) {
      throw new SupercastError("config_mismatch", `discovery ${JSON.stringify(discover)}: ${parsed.problem}`);
    }
    return parsed.kind === "file"
      ? () => discoverByFile(parsed.path)
      : dnsDiscovery(parsed.host, parsed.servers, timeoutMs);
  };
  // The last one is kept, because a DNS discovery remembers what it has under way.
  let last: { readonly discover: string; readonly run: DiscoverFunction } | undefined;
  return (discover) => {
    if (last?.discover !== discover) {
      last = { discover, run: make(discover) };
    }
    return last.run;
  };
}

function given(functions: Readonly<Record<string, DiscoverFunction>>, discover: string): DiscoverFunction {
  const found = Object.hasOwn(functions, discover) ? functions[discover] : undefined;
  if (found === undefined) {
    const known = [...BUILT_IN_DISCOVERIES, ...Object.keys(functions)].join(", ");
    throw new SupercastError(
      "config_mismatch",
      `there is no discovery ${JSON.stringify(discover)}; allowed: ${known}`,
    );
  }
  return found;
}

async function discoverByFile(path: string): Promise<readonly string[]> {
  const text = await readUtf8(path);
  if (!text.trimStart().startsWith("[")) {
    return text
      .split("\n")
      .map((line) => line.replace(/#.*/, "").trim())
      .filter((line) => line !== "");
  }
  let listed: unknown;
  try {
    listed = JSON.parse(text);
  } catch (error) {
    throw new SupercastError("config_mismatch", `the node file ${path} is not JSON`, { cause: error });
  }
  if (!Array.isArray(listed)) {
    throw new SupercastError("config_mismatch", `the node file ${path} holds no list of names`);
  }
  return listed;
}

/** The text of a file in UTF-8, without a byte-order mark. */
async function readUtf8(path: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path));
  } catch (error) {
    throw new SupercastError("config_mismatch", `the node file ${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
