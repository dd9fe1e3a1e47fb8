/**
 * Node discovery by DNS: the first labels of what an SRV query returns, or, for a plain host, of the names
 * that its addresses (A and AAAA) resolve back to.
 *
 * All or nothing: a query that fails, or that finds nothing, fails the whole run, so that a DNS server in
 * trouble takes no node out of the declared set.
 */
import { promises as dns } from "node:dns";
import { messageOf, SupercastError } from "../base/errors.ts";

/** Each query is asked twice at most. */
const TRIES = 2;
/**
 * The share of a run's time that the first try may take. The second has twice as long, and the resolver
 * looks at its deadlines no more often than the first try lasts: five such times at the most.
 */
const TRY_SHARE = 0.15;

/** What answers: the servers that were named, or the system's with its hosts file. */
interface Answers {
  services(host: string): Promise<readonly string[]>;
  addresses(host: string): Promise<readonly string[]>;
  reverse(address: string): Promise<readonly string[]>;
}

/**
 * Makes the discovery; `timeoutMs` is the time one run has. The promise rejects with `config_mismatch`,
 * naming host, servers and what DNS answered, such as ENOTFOUND, ESERVFAIL or ETIMEOUT.
 */
export function dnsDiscovery(
  host: string,
  servers: readonly string[],
  timeoutMs: number,
): () => Promise<readonly string[]> {
  const answers = (): Answers => {
    const resolver = new dns.Resolver({ timeout: Math.ceil(timeoutMs * TRY_SHARE), tries: TRIES });
    if (servers.length > 0) {
      resolver.setServers(servers);
      return askServers(resolver);
    }
    return { ...askServers(resolver), addresses: systemAddresses };
  };
  const systemAddresses = oneAtATime(async (name: string) => {
    const found = await dns.lookup(name, { all: true });
    return found.map(({ address }) => address);
  });
  return async () => {
    try {
      return await discover(host, answers());
    } catch (error) {
      const whom = servers.length === 0 ? "" : ` (asked: ${servers.join(", ")})`;
      throw new SupercastError("config_mismatch", `DNS for ${host}${whom}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  };
}

async function discover(host: string, answers: Answers): Promise<readonly string[]> {
  if (host.startsWith("_")) {
    return firstLabels(await answers.services(host));
  }
  const addresses = await answers.addresses(host);
  const names = await Promise.all(addresses.map((address) => answers.reverse(address)));
  return firstLabels(names.flat());
}

function askServers(resolver: dns.Resolver): Answers {
  return {
    services: async (host) => (await resolver.resolveSrv(host)).map(({ name }) => name),
    addresses: async (host) => {
      const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
      const failures = found.flatMap((each) => (each.status === "rejected" ? [each.reason] : []));
      const addresses = found.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
      const failure = failures.find((each) => !saysNone(each)) ?? failures[0];
      if (failure !== undefined && (addresses.length === 0 || !saysNone(failure))) {
        throw failure;
      }
      return addresses;
    },
    reverse: (address) => resolver.reverse(address),
  };
}

/** Whether an error is the plain answer that there is no record of that kind. */
function saysNone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === dns.NODATA || code === dns.NOTFOUND;
}

/**
 * The system's look-up holds a thread of Node's pool, which the disk needs too, and cannot be called off:
 * while one is under way no other is begun, whoever asks gets its answer.
 */
function oneAtATime<Value>(run: (name: string) => Promise<Value>): (name: string) => Promise<Value> {
  let underWay: Promise<Value> | undefined;
  return (name) => {
    underWay ??= run(name).finally(() => {
      underWay = undefined;
    });
    return underWay;
  };
}

function firstLabels(names: readonly string[]): readonly string[] {
  return [...new Set(names.map((each) => each.split(".", 1)[0] ?? each))];
}
