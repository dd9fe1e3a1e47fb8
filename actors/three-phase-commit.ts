/**
 * ThreePhaseCommit: operations on one partition, committed when every copy has them (SuperCache's
 * Cluster.ThreePhaseCommit). Slower than `wal` in every respect, and it stalls with the slowest member; it is
 * for callers who want each member to hold each phase.
 *
 * Prepare, pre-commit and decision are entries of the partition's log, so all copies decide alike, and what
 * was decided stays decided. The coordinator is a client of that log: it decides nothing by itself and calls
 * unknown what the log does not tell it.
 *
 * On the node of a partition's open writer this actor also recovers: transactions of an older epoch, and those
 * that have stood undecided for longer than any living coordinator takes, are decided by an entry. It commits
 * those whose pre-commit stands in the log and aborts the others.
 */
import { z } from "zod";
import { Actor } from "../lib/actor/actor.ts";
import type { From } from "../lib/actor/from.ts";
import type { Info } from "../lib/actor/info.ts";
import { type CallMessage, defineProtocol, type ProtocolOf } from "../lib/actor/protocol.ts";
import type { CallResult } from "../lib/actor/result.ts";
import { SupercastError, toSupercastError } from "../lib/base/errors.ts";
import { PHASE_TIMEOUTS_MS, type Phase } from "../lib/stream/three-phase/coordinator.ts";
import {
  type TransactionOperation,
  transactionAnswerSchema,
  transactionStateSchema,
  txnIdField,
} from "../lib/stream/three-phase/transaction.ts";
import { noFields } from "./services.ts";
import { type CommitOutcome, coordinate, type Registry } from "./transaction-coordinator.ts";
import { TransactionRecovery } from "./transaction-recovery.ts";
import type { TransactionStreams } from "./transaction-streams.ts";
import type { TxnRegistryProtocol } from "./txn-registry.ts";

const OPS_MAX = 10_000;
/** Transactions that this node coordinates at a time. */
const IN_HAND_MAX = 10_000;
/** Between two looks at undecided transactions; a new epoch is looked at sooner. */
const RECOVERY_INTERVAL_MS = 1_000;
const NEWS_DELAY_MS = 50;

const partitionField = z.int().min(0);
const opsField = z.array(z.unknown()).min(1).max(OPS_MAX);
const named = z.strictObject({ txnId: txnIdField, partition: partitionField });

export const threePhaseCommitProtocol = defineProtocol({
  commit: {
    call: z.strictObject({ partition: partitionField, ops: opsField }),
    reply: z.custom<CommitOutcome>(),
    help:
      "operations on one partition, as one transaction that every copy prepares, pre-commits and commits; answers " +
      "committed, or aborted with the reason. unknown_outcome: the log decides it, by recovery at the latest",
  },
  recover: {
    call: noFields,
    reply: z.object({
      decided: z.array(z.object({ txnId: z.string(), partition: z.int(), state: transactionStateSchema })),
    }),
    help: "decides what is in doubt in the partitions whose writer is on this node, and answers what it decided",
  },
  stats: {
    call: noFields,
    reply: z.object({
      inHand: z.int(),
      committed: z.int(),
      aborted: z.int(),
      unknown: z.int(),
      recovered: z.int(),
    }),
    help: "transactions that this node coordinates now and has coordinated, and those that it has recovered",
  },
  handlePrepare: {
    call: z.strictObject({ txnId: txnIdField, partition: partitionField, ops: opsField }),
    reply: transactionAnswerSchema,
    help: "prepares a transaction in the partition's log for another coordinator; answered when every copy holds it",
    from: "node",
  },
  handlePreCommit: {
    call: named,
    reply: transactionAnswerSchema,
    help: "pre-commits a prepared transaction; error invalid_message for one that the log does not know",
    from: "node",
  },
  handleCommit: {
    call: named,
    reply: transactionAnswerSchema,
    help: "commits what was prepared and pre-committed; for a decided transaction, what was decided",
    from: "node",
  },
  handleAbort: {
    call: named,
    reply: transactionAnswerSchema,
    help: "aborts a transaction that is not pre-committed; else answers the state it has",
    from: "node",
  },
});

export type ThreePhaseCommitProtocol = ProtocolOf<typeof threePhaseCommitProtocol>;
type Message<Type extends CallMessage<ThreePhaseCommitProtocol>["type"]> = Extract<
  CallMessage<ThreePhaseCommitProtocol>,
  { readonly type: Type }
>;
type Handled = Message<"handlePrepare" | "handlePreCommit" | "handleCommit" | "handleAbort">;

export interface ThreePhaseCommitArgs {
  readonly streams: TransactionStreams;
  /** The nodes that hold a partition, for the registry. */
  replicasOf(partition: number): readonly string[];
}

interface Counts {
  inHand: number;
  committed: number;
  aborted: number;
  unknown: number;
  recovered: number;
}

/** Plain message to itself: time to look at undecided transactions. */
const LOOK = Symbol("look");

export class ThreePhaseCommit extends Actor<ThreePhaseCommitProtocol, Counts, ThreePhaseCommitArgs> {
  static override readonly protocol = threePhaseCommitProtocol;
  #args: ThreePhaseCommitArgs | null = null;
  #recovery: TransactionRecovery | null = null;
  #expected = false;

  init(args: ThreePhaseCommitArgs): Counts {
    const { system } = this.process;
    this.#args = args;
    this.#recovery = new TransactionRecovery({
      streams: args.streams,
      node: system.node,
      nowMs: () => this.now(),
      log: this.log,
      active: () => this.process.alive,
    });
    this.process.onEnd(args.streams.onChange(() => this.#lookSoon()));
    this.#lookLater();
    this.#lookSoon();
    return { inHand: 0, committed: 0, aborted: 0, unknown: 0, recovered: 0 };
  }

  override handleCall(
    message: CallMessage<ThreePhaseCommitProtocol>,
    from: From<ThreePhaseCommitProtocol>,
  ): CallResult {
    switch (message.type) {
      case "commit":
        this.#commit(message, from);
        break;
      case "recover":
        this.#recover().then(
          (decided) => from.reply(message, { decided }),
          (thrown: unknown) => from.fail(toSupercastError(thrown)),
        );
        break;
      case "stats":
        return this.reply(message, { ...this.state });
      default:
        this.#handle(message).then(
          (answer) => from.reply(message, answer),
          (thrown: unknown) => from.fail(toSupercastError(thrown)),
        );
    }
    return this.noReply();
  }

  override handleInfo(info: Info): void {
    if (info.type !== "message" || info.body !== LOOK) {
      this.process.system.drop("invalid_message", this.process.label);
      return;
    }
    this.#recover().catch((error: unknown) => this.log.warn("undecided transactions are left", { error }));
  }

  // --- coordinating -------------------------------------------------------------------------------

  #commit(message: Message<"commit">, from: From<ThreePhaseCommitProtocol>): void {
    const { state } = this;
    if (state.inHand >= IN_HAND_MAX) {
      from.fail(new SupercastError("overload", `${IN_HAND_MAX} transactions are in hand; nothing was done`));
      return;
    }
    state.inHand += 1;
    this.#coordinate(message).then(
      (outcome) => {
        state.inHand -= 1;
        state[outcome.outcome] += 1;
        from.reply(message, outcome);
      },
      (thrown: unknown) => {
        const error = toSupercastError(thrown);
        state.inHand -= 1;
        state.unknown += error.code === "unknown_outcome" ? 1 : 0;
        from.fail(error);
      },
    );
  }

  async #coordinate({ partition, ops }: Message<"commit">): Promise<CommitOutcome> {
    const { streams, replicasOf } = this.#use;
    const { system } = this.process;
    const client = streams.client(partition);
    const txnId = system.random.token(20);
    return await coordinate({
      txnId,
      operation: { ops },
      client,
      registry: this.#registry(txnId, partition, ops, replicasOf(partition)),
      active: () => this.process.alive,
    });
  }

  /** The registry is for looking at: a transaction goes on without it. */
  #registry(
    txnId: string,
    partition: number,
    ops: readonly unknown[],
    replicas: readonly string[],
  ): Registry {
    const tell = (message: CallMessage<TxnRegistryProtocol>): void => {
      this.call({ name: "txn_registry" }, message).catch((error: unknown) =>
        this.log.debug("the registry of transactions was not told", { error, txnId }),
      );
    };
    return {
      begun: () => tell({ type: "register", txnId, partition, ops: [...ops], replicas: [...replicas] }),
      preCommitted: () => tell({ type: "markPreCommitted", txnId }),
      ended: () => tell({ type: "remove", txnId }),
    };
  }

  // --- the seed's participant messages --------------------------------------------------------------

  async #handle(message: Handled): Promise<z.output<typeof transactionAnswerSchema>> {
    const { operation, phase } = handledBy(message);
    const timeoutMs = PHASE_TIMEOUTS_MS[phase];
    const client = this.#use.streams.client(message.partition);
    const { value } = await client.request(operation, {
      mode: phase === "aborting" ? "strong" : "all",
      timeoutMs,
    });
    return transactionAnswerSchema.parse(value);
  }

  // --- recovery -------------------------------------------------------------------------------------

  async #recover(): ReturnType<TransactionRecovery["run"]> {
    const { state } = this;
    if (this.#recovery === null) {
      throw new TypeError("the actor has been started");
    }
    const decided = await this.#recovery.run();
    state.recovered += decided.length;
    return decided;
  }

  #lookLater(): void {
    this.after(RECOVERY_INTERVAL_MS, () => {
      this.process.pushInfo({ type: "message", body: LOOK });
      this.#lookLater();
    });
  }

  /** Roles change in bursts, and every applied entry may be told as news: one look for all of them. */
  #lookSoon(): void {
    if (this.#expected) {
      return;
    }
    this.#expected = true;
    this.after(NEWS_DELAY_MS, () => {
      this.#expected = false;
      if (this.#recovery?.hasNews() === true) {
        this.process.pushInfo({ type: "message", body: LOOK });
      }
    });
  }

  get #use(): ThreePhaseCommitArgs {
    if (this.#args === null) {
      throw new TypeError("the actor has been started");
    }
    return this.#args;
  }
}

function handledBy(message: Handled): { readonly operation: TransactionOperation; readonly phase: Phase } {
  const { txnId } = message;
  switch (message.type) {
    case "handlePrepare":
      return {
        operation: { transaction: "prepare", txnId, operation: { ops: message.ops } },
        phase: "preparing",
      };
    case "handlePreCommit":
      return { operation: { transaction: "preCommit", txnId }, phase: "preCommitting" };
    case "handleCommit":
      return { operation: { transaction: "decide", txnId, outcome: "commit" }, phase: "committing" };
    case "handleAbort":
      return { operation: { transaction: "decide", txnId, outcome: "abort" }, phase: "aborting" };
  }
}
