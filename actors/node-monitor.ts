/**
 * NodeMonitor: which nodes this node wants to see, and where it knows that from.
 *
 * Three sources: a fixed list, a discovery function run every `refreshMs`, or all nodes that are up.
 * `reconfigure` swaps source and set in one step while everything runs, and announces the difference.
 * A discovery that throws or hangs is logged; the set it found last stays, and so does the monitor.
 */
import { z } from "zod";
import { Actor } from "../lib/actor/actor.ts";
import type { From } from "../lib/actor/from.ts";
import {
  type CallMessage,
  type CastMessage,
  defineProtocol,
  type ProtocolOf,
} from "../lib/actor/protocol.ts";
import type { Awaitable, CallResult } from "../lib/actor/result.ts";
import { messageOf, SupercastError } from "../lib/base/errors.ts";
import { nameProblem } from "../lib/base/names.ts";
import { type NodeServices, nodeName, noFields } from "./services.ts";

/** Finds the names of the nodes that should be there. */
export type DiscoverFunction = () => Awaitable<readonly string[]>;

/** Makes a discovery function from the `discover` text of a message, such as `dns:nodes.example`. */
export type DiscoveryTable = (discover: string) => DiscoverFunction;

export type NodeSource =
  | { readonly kind: "nodes"; readonly nodes: readonly string[] }
  | { readonly kind: "discover"; readonly discover: string; readonly refreshMs: number }
  | { readonly kind: "all" };

export interface NodeMonitorArgs {
  readonly services: NodeServices;
  /**
   * The source in force and what a discovery found last. They outlive the process, so that a restart
   * undoes neither a reconfigure nor a discovery.
   */
  readonly kept: { source: NodeSource; found?: readonly string[] };
  readonly discoveries: DiscoveryTable;
}

const sourceSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("nodes"), nodes: z.array(z.string()).readonly() }),
  z.object({ kind: z.literal("discover"), discover: z.string(), refreshMs: z.number() }),
  z.object({ kind: z.literal("all") }),
]);
const declaredSchema = z.union([z.array(z.string()).readonly(), z.literal("all")]);

const reconfigureFields = z
  .strictObject({
    nodes: z.array(nodeName).min(1).optional(),
    discover: z.string().min(1).optional(),
    refreshMs: z.int().min(100).optional(),
    all: z.literal(true).optional(),
  })
  .refine(
    (fields) => [fields.nodes, fields.discover, fields.all].filter((each) => each !== undefined).length === 1,
    {
      message: "give exactly one of nodes, discover, all",
      path: ["nodes"],
    },
  )
  .refine((fields) => fields.refreshMs === undefined || fields.discover !== undefined, {
    message: "refreshMs goes with discover only",
    path: ["refreshMs"],
  });

export const nodeMonitorProtocol = defineProtocol({
  reconfigure: {
    call: reconfigureFields,
    reply: z.object({
      source: sourceSchema,
      declared: declaredSchema,
      added: z.array(z.string()),
      removed: z.array(z.string()),
    }),
    help: "swaps the source: nodes (a list), discover (a name, with refreshMs), or all: true; a discovery is run once first",
  },
  status: {
    call: noFields,
    reply: z.object({
      source: sourceSchema,
      declared: declaredSchema,
      lastRefresh: z.enum(["none", "ok", "failed"]),
      lastError: z.string().optional(),
    }),
    help: "the present source, the set it gave, and how its last discovery went",
  },
  refresh: {
    cast: z.strictObject({ generation: z.int() }),
    help: "time for the next discovery",
    from: "node",
  },
});

export type NodeMonitorProtocol = ProtocolOf<typeof nodeMonitorProtocol>;
type Reconfigure = Extract<CallMessage<NodeMonitorProtocol>, { type: "reconfigure" }>;
type Declared = readonly string[] | "all";

interface NodeMonitorState {
  readonly source: NodeSource;
  readonly declared: Declared;
  readonly lastRefresh: "none" | "ok" | "failed";
  readonly lastError?: string;
}

export class NodeMonitor extends Actor<NodeMonitorProtocol, NodeMonitorState, NodeMonitorArgs> {
  static override readonly protocol = nodeMonitorProtocol;
  /** Raised by every reconfigure; what an older source still has under way counts no more. */
  #generation = 0;
  #args: NodeMonitorArgs | undefined;

  init(args: NodeMonitorArgs): NodeMonitorState {
    this.#args = args;
    const { source } = args.kept;
    const declared: Declared =
      source.kind === "all" ? "all" : source.kind === "nodes" ? source.nodes : (args.kept.found ?? []);
    this.#tell(declared);
    if (source.kind === "discover") {
      this.castAfter(0, { type: "refresh", generation: this.#generation });
    }
    return { source, declared, lastRefresh: "none" };
  }

  override handleCall(
    message: CallMessage<NodeMonitorProtocol>,
    from: From<NodeMonitorProtocol>,
  ): CallResult {
    if (message.type === "status") {
      return this.reply(message, this.state);
    }
    this.#reconfigure(message, from);
    return this.noReply();
  }

  override handleCast(message: CastMessage<NodeMonitorProtocol>): void {
    const { source } = this.state;
    if (!this.#isPresent(message.generation) || source.kind !== "discover") {
      return; // the timer of a source that was replaced
    }
    const { generation } = message;
    this.#discover(source.discover).then(
      (nodes) => this.#refreshed(generation, nodes),
      (error: unknown) => this.#refreshFailed(generation, error),
    );
  }

  // --- reconfigure ------------------------------------------------------------------------------

  #reconfigure(message: Reconfigure, from: From<NodeMonitorProtocol>): void {
    this.#generation += 1;
    const { discover, refreshMs } = message;
    const nodes = message.nodes === undefined ? undefined : [...new Set(message.nodes)];
    if (discover === undefined) {
      this.#swap(
        message,
        from,
        nodes === undefined ? { kind: "all" } : { kind: "nodes", nodes },
        nodes ?? "all",
      );
      return;
    }
    const { limits } = this.process.system;
    const source: NodeSource = {
      kind: "discover",
      discover,
      refreshMs: refreshMs ?? limits.discoveryRefreshMs,
    };
    const generation = this.#generation;
    this.#discover(discover).then(
      (found) => {
        if (!this.#isPresent(generation)) {
          from.fail(new SupercastError("invalid_message", "replaced by a later reconfigure"));
          return;
        }
        this.#swap(message, from, source, found);
        this.#scheduleRefresh(source.refreshMs);
      },
      (error: unknown) => {
        from.fail(
          new SupercastError("invalid_message", `discover: ${messageOf(error)}; the source stays as it was`),
        );
        if (this.#isPresent(generation)) {
          this.#resume();
        }
      },
    );
  }

  /** A reconfigure failed: the source that stays goes on under the new generation. */
  #resume(): void {
    const { source } = this.state;
    if (source.kind === "discover") {
      this.#scheduleRefresh(source.refreshMs);
    }
  }

  #swap(message: Reconfigure, from: From<NodeMonitorProtocol>, source: NodeSource, declared: Declared): void {
    const difference = this.#declare({
      source,
      declared,
      lastRefresh: source.kind === "discover" ? "ok" : "none",
    });
    from.reply(message, { source, declared, ...difference });
  }

  // --- discovery --------------------------------------------------------------------------------

  /** Runs a discovery, for at most `discoveryTimeoutMs`, and checks what it found. */
  #discover(name: string): Promise<readonly string[]> {
    const { discoveryTimeoutMs } = this.process.system.limits;
    return new Promise((resolve, reject) => {
      const timer = this.after(discoveryTimeoutMs, () => {
        reject(new SupercastError("timeout", `discovery ${name} took longer than ${discoveryTimeoutMs} ms`));
      });
      const run = async (): Promise<readonly string[]> => checkFound(name, await this.#find(name)());
      run()
        .then(resolve, reject)
        .finally(() => this.cancelTimer(timer));
    });
  }

  #find(name: string): DiscoverFunction {
    if (this.#args === undefined) {
      throw new SupercastError("internal", "the node monitor has not been initialised");
    }
    return this.#args.discoveries(name);
  }

  #refreshed(generation: number, nodes: readonly string[]): void {
    const { source } = this.state;
    if (this.#isPresent(generation) && source.kind === "discover") {
      this.#declare({ source, declared: nodes, lastRefresh: "ok" });
      this.#scheduleRefresh(source.refreshMs);
    }
  }

  #refreshFailed(generation: number, error: unknown): void {
    const { source } = this.state;
    if (!this.#isPresent(generation) || source.kind !== "discover") {
      return;
    }
    this.log.error(`node discovery failed: ${messageOf(error)}; the nodes found last stay declared`, {
      discover: source.discover,
    });
    this.#args?.services.metrics.increment("node_monitor", "discovery_failures");
    this.state = { ...this.state, lastRefresh: "failed", lastError: messageOf(error) };
    this.#scheduleRefresh(source.refreshMs);
  }

  /** Whether what was begun under `generation` still counts: no later source, and this process lives. */
  #isPresent(generation: number): boolean {
    return this.process.alive && generation === this.#generation;
  }

  #scheduleRefresh(refreshMs: number): void {
    this.castAfter(refreshMs, { type: "refresh", generation: this.#generation });
  }

  // --- the declared set -------------------------------------------------------------------------

  /** Takes the new source and set at once and announces what changed. */
  #declare(next: NodeMonitorState): { added: string[]; removed: string[] } {
    const before = namesIn(this.state.declared);
    const after = namesIn(next.declared);
    const added = after.filter((node) => !before.includes(node));
    const removed = before.filter((node) => !after.includes(node));
    const sourceChanged = JSON.stringify(this.state.source) !== JSON.stringify(next.source);
    this.state = next;
    if (this.#args !== undefined) {
      this.#args.kept.source = next.source;
      if (next.source.kind === "discover" && next.declared !== "all") {
        this.#args.kept.found = next.declared;
      } else {
        delete this.#args.kept.found;
      }
    }
    if (added.length > 0 || removed.length > 0 || sourceChanged) {
      this.#tell(next.declared);
      this.#announce(next, added, removed);
    }
    return { added, removed };
  }

  #tell(nodes: Declared): void {
    this.cast({ name: "manager" }, { type: "declared", nodes });
  }

  #announce({ source, declared }: NodeMonitorState, added: string[], removed: string[]): void {
    this.log.info("declared nodes changed", {
      source: source.kind,
      added: added.join(","),
      removed: removed.join(","),
    });
    const services = this.#args?.services;
    services?.publishJson(services.subjects.clusterEvent(services.floor.system.node), {
      type: "declaredChanged",
      source,
      declared,
      added,
      removed,
    });
  }
}

function namesIn(declared: Declared): readonly string[] {
  return declared === "all" ? [] : declared;
}

/** What a discovery function returned, checked and without repetitions. */
function checkFound(discovery: string, found: unknown): readonly string[] {
  if (!Array.isArray(found)) {
    throw new SupercastError("config_mismatch", `discovery ${discovery} did not return a list of node names`);
  }
  for (const node of found) {
    const problem = nameProblem("node", node);
    if (problem !== undefined) {
      throw new SupercastError("config_mismatch", `discovery ${discovery}: ${problem}`);
    }
  }
  return [...new Set(found.map(String))];
}
