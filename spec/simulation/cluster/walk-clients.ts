/** Clients of a simulated cluster: they write unique values and read, at any node, and remember what came of it. */
import { SupercastError } from "../../../lib/base/errors.ts";
import type { Random } from "../../../lib/base/random.ts";
import { ANY, type Operation } from "../../checkers/history.ts";
import type { KeyValueInput, Scalar } from "../../checkers/models.ts";
import type { SimCluster } from "../../support/sim-cluster.ts";

export type KeyOperation = Operation<KeyValueInput, Scalar | null>;

const CALL_LIMIT_MS = 8_000;
/** By name only, so that one function asks for all. */
const WAL: { readonly name: string } = { name: "wal" };

/** Errors after which a write may have taken effect. */
const UNSURE: ReadonlySet<string> = new Set([
  ...["majority_timeout", "unknown_outcome", "timeout", "noconnection", "nodedown", "exit", "silent"],
]);

export interface ClientsOptions {
  readonly keys: number;
  readonly partitions: number;
  /** Nodes that are not to be asked at present. */
  readonly isHeld: (name: string) => boolean;
}

export class WalkClients {
  readonly history: KeyOperation[] = [];
  /** Calls that were answered neither by anybody nor by an error, within their time. */
  silent = 0;
  readonly #sim: SimCluster;
  readonly #options: ClientsOptions;
  #ticket = 0;
  #value = 0;
  #working = true;

  constructor(sim: SimCluster, options: ClientsOptions) {
    this.#sim = sim;
    this.#options = options;
  }

  end(): void {
    this.#working = false;
  }

  /** One client, until the end. */
  async work(clientId: number, random: Random): Promise<void> {
    while (this.#working) {
      const key = `k${random.below(this.#options.keys)}`;
      const at = this.anyNode(random);
      if (at !== null && random.below(10) < 6) {
        await this.#write(clientId, key, random);
      } else if (at !== null) {
        await this.read(clientId, key, at);
      }
      await this.pause(10 + random.below(60));
    }
  }

  /** Reads and notes it; the code of what went wrong, or null. */
  async read(clientId: number | string, key: string, at: string): Promise<string | null> {
    const call = this.#now();
    const query = { type: "get", key };
    const read = { type: "read", partition: this.#partitionOf(key), query, mode: "quorum" };
    const outcome = await this.#ask(at, read);
    if (typeof outcome === "string") {
      return outcome;
    }
    this.#note(clientId, { op: "get", key }, call, valueIn(outcome), this.#now());
    return null;
  }

  anyNode(random: Random): string | null {
    const names = [...this.#sim.nodes.keys()].filter((name) => !this.#options.isHeld(name)).sort();
    return names[random.below(Math.max(1, names.length))] ?? null;
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#sim.clock.setTimer(resolve, ms);
    });
  }

  /** Resolves when a node that has been killed would have answered long ago. */
  async silence(): Promise<string> {
    await this.pause(CALL_LIMIT_MS + 1_000);
    return "silent";
  }

  /** Some are repeated under their requestId, at whichever node, and are one write all the same. */
  async #write(clientId: number, key: string, random: Random): Promise<void> {
    this.#value += 1;
    const value = this.#value;
    const attempts = random.below(3) === 0 ? 3 : 1;
    const commit = {
      ...{ type: "commit", partition: this.#partitionOf(key), ops: [{ op: "put", record: [key, value] }] },
      ...{ mode: "strong", ...(attempts === 1 ? {} : { requestId: `write ${value}` }) },
    };
    const call = this.#now();
    let unsure = false;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const at = this.anyNode(random);
      const outcome = at === null ? "nowhere" : await this.#ask(at, commit);
      if (typeof outcome !== "string") {
        this.#note(clientId, { op: "put", key, value }, call, true, this.#now());
        return;
      }
      unsure ||= UNSURE.has(outcome);
    }
    if (unsure) {
      this.#note(clientId, { op: "put", key, value }, call, ANY, Number.POSITIVE_INFINITY);
    }
  }

  /** The answer, or the code of what went wrong. */
  async #ask(at: string, message: object): Promise<object | string> {
    const { node } = this.#sim.get(at);
    const asked = node.call(WAL, { type: "", ...message }, { timeoutMs: CALL_LIMIT_MS }).then(
      (answer: unknown): object | string =>
        typeof answer === "object" && answer !== null ? answer : "no answer",
      (thrown: unknown): string => {
        if (thrown instanceof SupercastError) {
          return thrown.code;
        }
        throw thrown;
      },
    );
    const outcome = await Promise.race([asked, this.silence()]);
    this.silent += outcome === "silent" || outcome === "timeout" ? 1 : 0;
    return outcome;
  }

  #note(
    clientId: number | string,
    input: KeyValueInput,
    call: number,
    output: KeyOperation["output"],
    returned: number,
  ): void {
    this.history.push({ clientId, input, call, output, return: returned });
  }

  #partitionOf(key: string): number {
    return key.charCodeAt(key.length - 1) % this.#options.partitions;
  }

  #now(): number {
    this.#ticket += 1;
    return this.#ticket;
  }
}

function valueIn(answer: object): Scalar | null {
  const { value }: { readonly value?: unknown } = answer;
  const held: unknown = Array.isArray(value) ? value[1] : null;
  return typeof held === "number" ? held : null;
}
