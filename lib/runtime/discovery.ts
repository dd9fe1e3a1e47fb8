/**
 * Node discovery: the functions behind NodeMonitor's `discover`.
 *
 * `file:PATH` reads a JSON list of names, or one name per line; `dns:HOST` takes the first label of what
 * an SRV query returns, or, for a plain host, of the names its addresses resolve back to. Any other name
 * is looked up among the functions given to `startNode`.
 */

import { promises as dns } from "node:dns";
import { readFile } from "node:fs/promises";
import { messageOf, SupercastError } from "../base/errors.ts";

export type DiscoverFunction = () => readonly string[] | Promise<readonly string[]>;

export function discoveryTable(
  functions: Readonly<Record<string, DiscoverFunction>>,
): (discover: string) => DiscoverFunction {
  return (discover) => {
    if (discover.startsWith("file:")) {
      return () => discoverByFile(discover.slice("file:".length));
    }
    if (discover.startsWith("dns:")) {
      return () => discoverByDns(discover.slice("dns:".length));
    }
    const found = Object.hasOwn(functions, discover) ? functions[discover] : undefined;
    if (found === undefined) {
      const known = ["file:PATH", "dns:HOST", ...Object.keys(functions)].join(", ");
      throw new SupercastError(
        "config_mismatch",
        `there is no discovery ${JSON.stringify(discover)}; allowed: ${known}`,
      );
    }
    return found;
  };
}

async function discoverByFile(path: string): Promise<readonly string[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new SupercastError("config_mismatch", `the node file cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
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

async function discoverByDns(host: string): Promise<readonly string[]> {
  if (host.startsWith("_")) {
    const records = await dns.resolveSrv(host);
    return firstLabels(records.map((record) => record.name));
  }
  const addresses = await dns.lookup(host, { all: true });
  const names = await Promise.all(addresses.map(({ address }) => dns.reverse(address)));
  return firstLabels(names.flat());
}

function firstLabels(names: readonly string[]): readonly string[] {
  return [...new Set(names.map((each) => each.split(".", 1)[0] ?? each))];
}
