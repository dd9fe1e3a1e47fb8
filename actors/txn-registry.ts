/**
 * TxnRegistry: this node's view of transactions in progress (SuperCache's Cluster.TxnRegistry).
 *
 * What is true of a transaction stands in its partition's log. The registry shows what this node's copies of
 * the partitions have applied, and beside it the transactions that a coordinator on this node has begun and
 * whose prepare has not arrived here. It decides nothing, so nothing is lost with it. What a process has
 * registered leaves with that process.
 */
import { z } from "zod";
import { Actor } from "../lib/actor/actor.ts";
import type { From } from "../lib/actor/from.ts";
import type { Info, MonitorRef } from "../lib/actor/info.ts";
import type { Pid } from "../lib/actor/pid.ts";
import { type CallMessage, defineProtocol, type ProtocolOf } from "../lib/actor/protocol.ts";
import type { CallResult } from "../lib/actor/result.ts";
import { SupercastError, toSupercastError } from "../lib/base/errors.ts";
import {
  transactionStateSchema,
  transactionViewSchema,
  txnIdField,
} from "../lib/stream/three-phase/transaction.ts";
import { noFields } from "./services.ts";
import type { TransactionStreams } from "./transaction-streams.ts";

const TRANSACTIONS_MAX = 10_000;
const OPS_MAX = 10_000;

const partitionField = z.int().min(0);

const transactionSchema = z.object({
  txnId: z.string(),
  partition: z.int(),
  /** As the log has it; where `seq` is null, as its coordinator says. */
  state: transactionStateSchema,
  /** The entry that prepared it; null before this node's copy has applied it, or without a copy. */
  seq: z.int().nullable(),
  /** Whether a process of this node coordinates it. */
  coordinatedHere: z.boolean(),
  replicas: z.array(z.string()).readonly(),
});
export type Transaction = z.output<typeof transactionSchema>;

export const txnRegistryProtocol = defineProtocol({
  register: {
    call: z.strictObject({
      txnId: txnIdField,
      partition: partitionField,
      ops: z.array(z.unknown()).max(OPS_MAX),
      replicas: z.array(z.string()).max(31),
    }),
    reply: z.literal(true),
    help: "a transaction that the calling process coordinates; shown until it is removed or the process ends",
    from: "node",
  },
  markPreCommitted: {
    call: z.strictObject({ txnId: txnIdField }),
    reply: z.boolean(),
    help: "the coordinator's word that every member holds the pre-commit; false for one that is not registered",
    from: "node",
  },
  remove: {
    call: z.strictObject({ txnId: txnIdField }),
    reply: z.boolean(),
    help: "its coordinator has ended; false for one that is not registered. The log is not changed",
    from: "node",
  },
  get: {
    call: z.strictObject({ txnId: txnIdField, partition: partitionField.optional() }),
    reply: transactionSchema.nullable(),
    help: "a transaction as this node knows it, also a decided one that is still remembered; null for an unknown one",
  },
  listAll: {
    call: noFields,
    reply: z.array(transactionSchema).readonly(),
    help: "the undecided transactions that this node knows, by partition, in the order of their entries",
  },
  count: { call: noFields, reply: z.int(), help: "how many listAll lists" },
});

export type TxnRegistryProtocol = ProtocolOf<typeof txnRegistryProtocol>;
type Message<Type extends CallMessage<TxnRegistryProtocol>["type"]> = Extract<
  CallMessage<TxnRegistryProtocol>,
  { readonly type: Type }
>;

export interface TxnRegistryArgs {
  readonly streams: TransactionStreams;
}

interface Registered {
  readonly partition: number;
  readonly operations: number;
  readonly replicas: readonly string[];
  readonly owner: Pid | undefined;
  preCommitted: boolean;
}

const READ_TIMEOUT_MS = 1_000;
const undecidedSchema = z.array(transactionViewSchema);

export class TxnRegistry extends Actor<TxnRegistryProtocol, Map<string, Registered>, TxnRegistryArgs> {
  static override readonly protocol = txnRegistryProtocol;
  readonly #owners = new Map<MonitorRef, Pid>();
  #streams: TransactionStreams | null = null;

  init({ streams }: TxnRegistryArgs): Map<string, Registered> {
    this.#streams = streams;
    return new Map();
  }

  override formatState(registered: Map<string, Registered>): unknown {
    return [...registered].map(([txnId, { partition, operations, preCommitted }]) => ({
      txnId,
      partition,
      operations,
      preCommitted,
    }));
  }

  override handleCall(
    message: CallMessage<TxnRegistryProtocol>,
    from: From<TxnRegistryProtocol>,
  ): CallResult {
    switch (message.type) {
      case "register":
        return this.#register(message, from);
      case "markPreCommitted": {
        const registered = this.state.get(message.txnId);
        if (registered !== undefined) {
          registered.preCommitted = true;
        }
        return this.reply(message, registered !== undefined);
      }
      case "remove":
        return this.reply(message, this.state.delete(message.txnId));
      case "get":
        this.#get(message).then(
          (found) => from.reply(message, found),
          (thrown: unknown) => from.fail(toSupercastError(thrown)),
        );
        return this.noReply();
      case "listAll":
        this.#list().then(
          (all) => from.reply(message, all),
          (thrown: unknown) => from.fail(toSupercastError(thrown)),
        );
        return this.noReply();
      case "count":
        this.#list().then(
          ({ length }) => from.reply(message, length),
          (thrown: unknown) => from.fail(toSupercastError(thrown)),
        );
        return this.noReply();
    }
  }

  override handleInfo(info: Info): void {
    const owner = info.type === "down" ? this.#owners.get(info.ref) : undefined;
    if (info.type !== "down" || owner === undefined) {
      this.process.system.drop("invalid_message", this.process.label);
      return;
    }
    this.#owners.delete(info.ref);
    for (const [txnId, registered] of this.state) {
      if (registered.owner === owner) {
        this.state.delete(txnId);
      }
    }
  }

  #register(message: Message<"register">, from: From<TxnRegistryProtocol>): CallResult {
    const { txnId, partition, ops, replicas } = message;
    if (this.state.size >= TRANSACTIONS_MAX && !this.state.has(txnId)) {
      from.fail(new SupercastError("overload", `${TRANSACTIONS_MAX} transactions are registered`));
      return this.noReply();
    }
    const owner = from.caller;
    if (owner !== undefined && ![...this.#owners.values()].includes(owner)) {
      this.#owners.set(this.monitor(owner), owner);
    }
    const operations = ops.length;
    this.state.set(txnId, { partition, operations, replicas, owner, preCommitted: false });
    return this.reply(message, true);
  }

  async #list(): Promise<Transaction[]> {
    const registered = new Map(this.state);
    const applied = await Promise.all(this.#use.copies().map((partition) => this.#undecidedOf(partition)));
    const known = applied.flat();
    const names = new Set(known.map(({ txnId }) => txnId));
    const begun = [...registered].filter(([txnId]) => !names.has(txnId));
    return [...known, ...begun.map(([txnId, each]) => registeredOnly(txnId, each))];
  }

  async #undecidedOf(partition: number): Promise<Transaction[]> {
    const found = undecidedSchema.parse(await this.#ask(partition, { transaction: "undecided" }));
    return found.map((each) => this.#shown(partition, each));
  }

  async #get({ txnId, partition }: Message<"get">): Promise<Transaction | null> {
    const registered = this.state.get(txnId);
    const copies = this.#use.copies();
    const wanted = partition ?? registered?.partition;
    for (const each of wanted === undefined ? copies : copies.filter((copy) => copy === wanted)) {
      const found = transactionViewSchema
        .nullable()
        .parse(await this.#ask(each, { transaction: "get", txnId }));
      if (found !== null) {
        return this.#shown(each, found);
      }
    }
    return registered === undefined ? null : registeredOnly(txnId, registered);
  }

  #shown(partition: number, { txnId, state, seq }: z.output<typeof transactionViewSchema>): Transaction {
    const registered = this.state.get(txnId);
    const { replicas = [] } = registered ?? {};
    return { txnId, partition, state, seq, coordinatedHere: registered !== undefined, replicas };
  }

  /** Of the copy on this node. */
  #ask(partition: number, query: unknown): Promise<unknown> {
    const { node } = this.process.system;
    const options = { mode: "local", node, minSeq: 0, timeoutMs: READ_TIMEOUT_MS } as const;
    return this.#use.client(partition).read(query, options);
  }

  get #use(): TransactionStreams {
    if (this.#streams === null) {
      throw new TypeError("the registry has been started");
    }
    return this.#streams;
  }
}

function registeredOnly(txnId: string, { partition, preCommitted, replicas }: Registered): Transaction {
  const state = preCommitted ? "preCommitted" : "prepared";
  return { txnId, partition, state, seq: null, coordinatedHere: true, replicas };
}
