/**
 * Deciding transactions whose coordinator is gone, where the partition's open writer is. Each decision is an
 * entry, made by what stands in the log when it is appended, so it does no harm that several decide.
 */
import { z } from "zod";
import { messageOf, SupercastError } from "../lib/base/errors.ts";
import { stateIn, TRANSACTION_DEADLINE_MS } from "../lib/stream/three-phase/coordinator.ts";
import {
  type TransactionState,
  type TransactionView,
  transactionViewSchema,
} from "../lib/stream/three-phase/transaction.ts";
import type { Logger } from "../lib/telemetry/log.ts";
import type { TransactionStreams, WrittenPartition } from "./transaction-streams.ts";

const TIMEOUT_MS = 3_000;

const undecidedSchema = z.array(transactionViewSchema);

export interface Recovered {
  readonly txnId: string;
  readonly partition: number;
  readonly state: TransactionState;
}

export interface RecoveryParts {
  readonly streams: TransactionStreams;
  readonly node: string;
  readonly log: Logger;
  nowMs(): number;
  /** False when the process that recovers has ended. */
  active(): boolean;
}

export class TransactionRecovery {
  readonly #parts: RecoveryParts;
  /** When this node, as the writer's, first saw an undecided transaction; by partition. */
  #seen = new Map<number, ReadonlyMap<string, number>>();
  /** The epochs that have been looked at: the barrier by partition. */
  #looked = new Map<number, number>();
  #running: Promise<Recovered[]> | null = null;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** Whether a partition has its writer here in an epoch that has not been looked at. */
  hasNews(): boolean {
    return this.#parts.streams
      .written()
      .some(({ partition, barrierSeq }) => this.#looked.get(partition) !== barrierSeq);
  }

  /** Decides what is in doubt here, one run at a time: who asks during one gets its result. */
  run(): Promise<Recovered[]> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run(): Promise<Recovered[]> {
    const written = this.#parts.streams.written();
    const here = new Set(written.map(({ partition }) => partition));
    this.#seen = new Map([...this.#seen].filter(([partition]) => here.has(partition)));
    this.#looked = new Map([...this.#looked].filter(([partition]) => here.has(partition)));
    const decided: Recovered[] = [];
    for (const each of written) {
      decided.push(...(await this.#recover(each)));
    }
    return decided;
  }

  /** A partition that cannot be asked now is asked again at the next run. */
  async #recover(written: WrittenPartition): Promise<Recovered[]> {
    const { partition, barrierSeq } = written;
    const decided: Recovered[] = [];
    try {
      for (const txnId of await this.#inDoubt(written)) {
        const state = await this.#decide(partition, txnId);
        if (state !== null) {
          decided.push({ txnId, partition, state });
        }
      }
      this.#looked.set(partition, barrierSeq);
    } catch (thrown) {
      this.#parts.log.info(`undecided transactions of partition ${partition} wait: ${messageOf(thrown)}`);
    }
    return decided;
  }

  /** Of an older epoch than the writer's, or past any coordinator's time on this node's clock. */
  async #inDoubt({ partition, barrierSeq }: WrittenPartition): Promise<string[]> {
    const { streams, node, nowMs } = this.#parts;
    const options = { mode: "local", node, minSeq: barrierSeq, timeoutMs: TIMEOUT_MS } as const;
    const answer = await streams.client(partition).read({ transaction: "undecided" }, options);
    const undecided: readonly TransactionView[] = undecidedSchema.parse(answer);
    const before = this.#seen.get(partition);
    const seen = new Map(undecided.map(({ txnId }) => [txnId, before?.get(txnId) ?? nowMs()]));
    this.#seen.set(partition, seen);
    return undecided
      .filter(
        ({ txnId, seq }) =>
          seq < barrierSeq || nowMs() - (seen.get(txnId) ?? nowMs()) >= TRANSACTION_DEADLINE_MS,
      )
      .map(({ txnId }) => txnId);
  }

  /** Null for one that the log has decided and forgotten meanwhile, and when nobody is left to decide. */
  async #decide(partition: number, txnId: string): Promise<TransactionState | null> {
    const { streams, log, active } = this.#parts;
    if (!active()) {
      return null;
    }
    try {
      const operation = { transaction: "recover", txnId };
      const { value } = await streams.client(partition).request(operation, { timeoutMs: TIMEOUT_MS });
      const state = stateIn(value);
      log.info(`transaction ${txnId} of partition ${partition} is ${state} by recovery`);
      return state;
    } catch (thrown) {
      if (thrown instanceof SupercastError && thrown.code === "invalid_message") {
        return null;
      }
      throw thrown;
    }
  }
}
