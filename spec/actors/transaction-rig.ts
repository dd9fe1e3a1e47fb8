/** Three-phase commit over replicas of one stream on a simulated cluster; that stream is partition 0. */
import { ThreePhaseCommit, type ThreePhaseCommitProtocol } from "../../actors/three-phase-commit.ts";
import type { CommitOutcome } from "../../actors/transaction-coordinator.ts";
import type { TransactionClient, TransactionStreams } from "../../actors/transaction-streams.ts";
import { TxnRegistry, type TxnRegistryProtocol } from "../../actors/txn-registry.ts";
import type { CallMessage } from "../../lib/actor/protocol.ts";
import { SupercastError } from "../../lib/base/errors.ts";
import type { Change, ReadView, StreamDefinition } from "../../lib/stream/definition.ts";
import { streamActorName } from "../../lib/stream/requests.ts";
import { withTransactions } from "../../lib/stream/three-phase/definition.ts";
import { type CounterOperation, counters, STREAM, StreamRig } from "../stream/stream-rig.ts";

/** Several operations on counters as one. */
const several: StreamDefinition<{ readonly ops: readonly CounterOperation[] }, { readonly key: string }> = {
  resolve(view, { ops }) {
    const changes = new Map<string, Change>();
    const draft: ReadView = {
      get: (key) => {
        const change = changes.get(key);
        return change !== undefined && "value" in change ? change.value : view.get(key);
      },
      count: () => view.count(),
      keys: (after) => view.keys(after),
    };
    const answers = ops.map((operation) => {
      const { answer, changes: more } = counters.resolve(draft, operation);
      for (const change of more) {
        changes.set(change.key, change);
      }
      return answer;
    });
    return { answer: answers, changes: [...changes.values()] };
  },
  query: (view, query) => counters.query(view, query),
};
const inner: StreamDefinition<unknown, unknown> = several;

export const add = (key: string, n: number): CounterOperation => ({ op: "add", key, n });

/** What the coordinator has just been answered. */
export type PhaseHook = (node: string, transaction: string) => void;

export class TransactionRig {
  readonly names = ["a", "b", "c"] as const;
  readonly streams: StreamRig;
  readonly #clients = new Map<string, TransactionClient>();
  readonly #listeners = new Set<() => void>();
  /** Called after each phase; what it throws or kills happens between two phases. */
  afterPhase: PhaseHook = () => undefined;

  constructor(seed: number, options: ConstructorParameters<typeof StreamRig>[2] = {}) {
    this.streams = new StreamRig(seed, this.names, {
      ...options,
      definition: withTransactions(inner),
      changed: () => this.#changed(),
    });
  }

  async begin(): Promise<void> {
    await this.streams.begin();
    for (const name of this.names) {
      await this.host(name);
    }
  }

  /** Starts the actors of three-phase commit on a node. */
  async host(name: string): Promise<void> {
    const { node } = this.streams.cluster.get(name);
    const streams = this.#streamsOf(name);
    const args = { streams, replicasOf: () => this.names };
    await this.streams.run(node.start(TxnRegistry, { streams }, { name: "txn_registry" }));
    await this.streams.run(node.start(ThreePhaseCommit, args, { name: "three_phase_commit" }));
  }

  /** A transaction coordinated on `on`; asked from there, or from another node. */
  commit(on: string, ops: readonly CounterOperation[], from: string = on): Promise<CommitOutcome> {
    return this.streams.cluster
      .get(from)
      .node.call(
        { name: "three_phase_commit", node: on },
        { type: "commit", partition: 0, ops: [...ops] },
        { timeoutMs: 30_000 },
      )
      .then(outcomeIn);
  }

  ask(on: string, message: CallMessage<ThreePhaseCommitProtocol>): Promise<unknown> {
    const { node } = this.streams.cluster.get(on);
    return this.streams.run(
      node.call({ name: "three_phase_commit", node: on }, message, { timeoutMs: 20_000 }),
    );
  }

  registry(on: string, message: CallMessage<TxnRegistryProtocol>): Promise<unknown> {
    const { node } = this.streams.cluster.get(on);
    return this.streams.run(node.call({ name: "txn_registry", node: on }, message));
  }

  /** An ordinary request, outside of any transaction. */
  add(on: string, key: string, n: number): Promise<unknown> {
    const client = this.client(on);
    return client.request({ ops: [add(key, n)] }, { timeoutMs: 20_000 }).then(({ value }) => value);
  }

  /** Linearizable. */
  get(on: string, key: string): Promise<unknown> {
    return this.streams.run(this.client(on).read({ key }, { timeoutMs: 20_000 }));
  }

  undecided(on: string): Promise<unknown> {
    return this.streams.run(this.client(on).read({ transaction: "undecided" }, { timeoutMs: 20_000 }));
  }

  client(on: string): TransactionClient {
    const known = this.#clients.get(on) ?? this.streams.client(on);
    this.#clients.set(on, known);
    return known;
  }

  others(name: string): [string, string] {
    const [first = "", second = ""] = this.names.filter((each) => each !== name);
    return [first, second];
  }

  kill(name: string): void {
    this.streams.kill(name);
    this.#clients.delete(name);
  }

  /** Starts a node that was killed, with what is on its disk. */
  async restart(name: string): Promise<void> {
    await this.streams.cluster.start(name, { peers: [...this.names] });
    await this.streams.start(name);
    await this.host(name);
  }

  reconfigure(on: string, nodes: readonly string[]): Promise<unknown> {
    const members = nodes.map((name) => this.streams.home(name).replica.self);
    const { node } = this.streams.cluster.get(on);
    return this.streams.run(
      node.call(
        { name: streamActorName(STREAM), node: on },
        { type: "reconfigure", members },
        { timeoutMs: 20_000 },
      ),
    );
  }

  async settled(): Promise<void> {
    await this.streams.cluster.until(() => this.streams.agree(), 30_000);
  }

  #streamsOf(name: string): TransactionStreams {
    return {
      client: (partition) => {
        if (partition !== 0) {
          throw new SupercastError("invalid_message", `partition: ${partition}; allowed: 0`);
        }
        const client = this.client(name);
        return {
          read: (query, options) => client.read(query, options),
          request: async (operation, options) => {
            const done = await client.request(operation, options);
            this.afterPhase(name, transactionIn(operation));
            return done;
          },
        };
      },
      copies: () => (this.streams.homes.has(name) ? [0] : []),
      written: () => {
        const { role, writer } = this.streams.homes.get(name)?.replica ?? { role: null, writer: null };
        return role === "open" && writer !== null ? [{ partition: 0, barrierSeq: writer.barrierSeq }] : [];
      },
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }

  #changed(): void {
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

function transactionIn(operation: unknown): string {
  return typeof operation === "object" && operation !== null && "transaction" in operation
    ? String(operation.transaction)
    : "";
}

function outcomeIn(answer: unknown): CommitOutcome {
  if (typeof answer !== "object" || answer === null || !("outcome" in answer)) {
    throw new TypeError("a commit answers an outcome");
  }
  const { outcome } = answer;
  const txnId = "txnId" in answer ? String(answer.txnId) : "";
  if (outcome === "committed") {
    const value: unknown = "value" in answer ? answer.value : undefined;
    return { outcome, txnId, value, seq: "seq" in answer ? Number(answer.seq) : 0 };
  }
  return { outcome: "aborted", txnId, reason: "reason" in answer ? String(answer.reason) : "" };
}
