/**
 * What a person writes for a discovery: `file:PATH`, `dns:HOST`, `dns:HOST@SERVER,...`, or the name of a
 * function. Read here, so that what is wrong is said when the options are checked and not at the first run.
 */
import { isIP, isIPv6 } from "node:net";

/** The discoveries that need no function, as error messages list them. */
export const BUILT_IN_DISCOVERIES: readonly string[] = ["file:PATH", "dns:HOST", "dns:HOST@SERVER"];

export type BuiltInDiscovery =
  | { readonly kind: "file"; readonly path: string }
  /** Without `servers` the system says which are asked. */
  | { readonly kind: "dns"; readonly host: string; readonly servers: readonly string[] };

/** Letters, digits, `-` and `_` in labels with dots between; a name of SRV records begins with `_`. */
const HOST = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;
const HOST_MAX = 253;

/** A built-in discovery, what is wrong with it, or undefined when `text` names a function. */
export function parseDiscovery(text: string): BuiltInDiscovery | { readonly problem: string } | undefined {
  if (text.startsWith("file:")) {
    const path = text.slice("file:".length);
    return path === "" ? { problem: "file: needs a path" } : { kind: "file", path };
  }
  return text.startsWith("dns:") ? parseDns(text.slice("dns:".length)) : undefined;
}

function parseDns(text: string): BuiltInDiscovery | { readonly problem: string } {
  const [host = "", listed, ...more] = text.split("@");
  if (!isHost(host) || more.length > 0) {
    return { problem: "dns: needs a host name, and may name who is asked: dns:HOST@SERVER,SERVER" };
  }
  const servers = listed === undefined ? [] : listed.split(",").map((each) => each.trim());
  const wrong = servers.find((server) => !isServer(server));
  return wrong === undefined
    ? { kind: "dns", host, servers }
    : {
        problem: `${JSON.stringify(wrong)} is no DNS server; allowed: ADDRESS, IPV4:PORT or [IPV6]:PORT, no name`,
      };
}

function isHost(host: string): boolean {
  return host.length <= HOST_MAX && !host.includes("..") && HOST.test(host);
}

/** Whether the resolver takes it: an address, or one with a port. */
function isServer(text: string): boolean {
  if (isIP(text) !== 0) {
    return true;
  }
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = v6 === undefined ? isIP(v4 ?? "") === 4 : isIPv6(v6);
  return address && (port === undefined || (Number(port) >= 1 && Number(port) <= 65_535));
}
