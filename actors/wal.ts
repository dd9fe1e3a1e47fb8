/**
 * WAL: commits operations to the streams of the partitions, and keeps this node's replicas of them.
 *
 * It decides nothing about either: which replicas should be here follows from the cluster map, and what
 * commits is up to each stream. A crash loses no commit: the replicas' homes live in the stream host, and a
 * caller whose call ends with this process finds its outcome unknown, as it says.
 */
import { z } from "zod";
import { Actor } from "../lib/actor/actor.ts";
import type { From } from "../lib/actor/from.ts";
import type { Info } from "../lib/actor/info.ts";
import {
  type CallMessage,
  type CastMessage,
  defineProtocol,
  type ProtocolOf,
} from "../lib/actor/protocol.ts";
import type { CallResult } from "../lib/actor/result.ts";
import { toSupercastError } from "../lib/base/errors.ts";
import { invariant } from "../lib/base/invariant.ts";
import type { At } from "../lib/cluster/commits.ts";
import { partitionStream } from "../lib/cluster/partition-streams.ts";
import type { Letter } from "../lib/stream/messages.ts";
import {
  isLetter,
  READ_MODES,
  type ReplicaStatus,
  STREAM_MODES,
  streamActorName,
} from "../lib/stream/requests.ts";
import type { DataServices } from "./data-services.ts";
import { ReplicaKeeper } from "./replica-keeper.ts";
import { noFields } from "./services.ts";

const TIMEOUT_MAX_MS = 60_000;
const OPS_MAX = 10_000;

const partitionField = z.int().min(0);
const timeoutField = z.int().min(1).max(TIMEOUT_MAX_MS).optional();
const doneReply = z.object({ seq: z.int(), value: z.unknown() });

const partitionStats = z.object({
  partition: z.int(),
  role: z.string(),
  epoch: z.int(),
  lastSeq: z.int(),
  commitSeq: z.int(),
  pending: z.int(),
});

export const walProtocol = defineProtocol({
  commit: {
    call: z.strictObject({
      partition: partitionField,
      ops: z.array(z.unknown()).min(1).max(OPS_MAX),
      mode: z.enum(STREAM_MODES).optional(),
      timeoutMs: timeoutField,
      requestId: z.string().min(1).max(96).optional(),
    }),
    reply: doneReply,
    ownRequestId: true,
    help:
      "operations on one partition, carried out in order as one; answered when a majority holds them (mode strong, " +
      "the default), in memory (sync), or when the writer has taken them (async). majority_timeout: the outcome is unknown",
  },
  read: {
    call: z.strictObject({
      partition: partitionField,
      query: z.unknown(),
      mode: z.enum(READ_MODES).optional(),
      minSeq: z.int().min(0).optional(),
      timeoutMs: timeoutField,
    }),
    reply: doneReply,
    help: "a question to one partition; mode quorum (default) is linearizable, primary asks the writer, local any copy",
  },
  recover: {
    call: noFields,
    reply: z.object({ partitions: z.array(partitionStats) }),
    help: "sees to it that every partition with a copy here has a writer, and answers when it has; error quorum_not_reached",
  },
  stats: {
    call: noFields,
    reply: z.object({
      pending: z.int(),
      acksPending: z.int(),
      inHand: z.int(),
      partitions: z.array(partitionStats),
    }),
    help: "commits not decided yet, acknowledgements missing, calls in hand; per partition of which this node has a copy",
  },
  replicateAndAck: {
    cast: z.strictObject({ partition: partitionField, letter: z.custom<Letter>(isLetter) }),
    help: "entries from the partition's writer, which its replica here stores and acknowledges",
    from: "node",
  },
  ack: {
    cast: z.strictObject({ partition: partitionField, letter: z.custom<Letter>(isLetter) }),
    help: "a replica's acknowledgement, for the partition's writer here",
    from: "node",
  },
});

export type WalProtocol = ProtocolOf<typeof walProtocol>;
type Message<Type extends CallMessage<WalProtocol>["type"]> = Extract<
  CallMessage<WalProtocol>,
  { readonly type: Type }
>;

/** What letters the seed's two messages may carry. */
const CARRIED: Readonly<Record<CastMessage<WalProtocol>["type"], readonly string[]>> = {
  replicateAndAck: ["append", "heartbeat"],
  ack: ["ack", "nack"],
};

/** Plain message to itself: the map has changed. */
const MAP = Symbol("map");

export interface WalArgs {
  readonly data: DataServices;
}

export class Wal extends Actor<WalProtocol, DataServices, WalArgs> {
  static override readonly protocol = walProtocol;
  #keeper: ReplicaKeeper | null = null;

  init({ data }: WalArgs): DataServices {
    this.#keeper = new ReplicaKeeper(data, this.process.system.node, this.log, {
      changed: () => data.changes.emit(undefined),
      retired: () => this.#mapChanged(),
    });
    this.process.onEnd(data.view.onChange(() => this.#mapChanged()));
    this.#mapChanged();
    this.#cleanLater(data);
    return data;
  }

  override formatState({ commits, host }: DataServices): unknown {
    return { inHand: commits.inHand, streams: host.streams };
  }

  override handleCall(message: CallMessage<WalProtocol>, from: From<WalProtocol>): CallResult {
    switch (message.type) {
      case "commit":
        this.#commit(message, from);
        break;
      case "read":
        this.#read(message, from);
        break;
      case "stats":
        return this.reply(message, this.#stats());
      case "recover":
        this.#recover(message, from);
        break;
    }
    return this.noReply();
  }

  override handleCast(message: CastMessage<WalProtocol>): void {
    const { partition, letter, type } = message;
    if (!CARRIED[type].includes(letter.message.type)) {
      this.process.system.drop("invalid_message", this.process.label);
      return;
    }
    this.cast({ name: streamActorName(partitionStream(partition)) }, { type: "letter", letter });
  }

  override handleInfo(info: Info): void {
    if (info.type === "message" && info.body === MAP) {
      this.#use.keeper.follow();
    } else {
      this.process.system.drop("invalid_message", this.process.label);
    }
  }

  // --- commits and reads ------------------------------------------------------------------------

  #commit(message: Message<"commit">, from: From<WalProtocol>): void {
    const { partition, ops, ...options } = message;
    this.#answer(message, from, this.#use.data.commits.commit(partition, ops, options));
  }

  #read(message: Message<"read">, from: From<WalProtocol>): void {
    const { partition, query, ...options } = message;
    this.#answer(message, from, this.#use.data.commits.read(partition, query, options));
  }

  #answer(message: Message<"commit"> | Message<"read">, from: From<WalProtocol>, asked: Promise<At>): void {
    asked.then(
      ({ seq, value }) => from.reply(message, { seq, value }),
      (thrown: unknown) => from.fail(toSupercastError(thrown)),
    );
  }

  // --- recovery and figures ---------------------------------------------------------------------

  #recover(message: Message<"recover">, from: From<WalProtocol>): void {
    const { data } = this.#use;
    const served = this.#copies().map(async ({ partition }) => {
      await data.commits.read(partition, { type: "count" });
    });
    Promise.all(served).then(
      () => from.reply(message, { partitions: this.#copies().map(rowOf) }),
      (thrown: unknown) => from.fail(toSupercastError(thrown)),
    );
  }

  #stats(): { pending: number; acksPending: number; inHand: number; partitions: ReturnType<typeof rowOf>[] } {
    const { data } = this.#use;
    const copies = this.#copies();
    const sum = (of: (copy: Copy) => number): number => copies.reduce((total, copy) => total + of(copy), 0);
    return {
      pending: sum(({ status }) => status.undecided),
      acksPending: sum(({ acksPending }) => acksPending),
      inHand: data.commits.inHand,
      partitions: copies.map(rowOf),
    };
  }

  #copies(): Copy[] {
    const { data } = this.#use;
    const { partitions = [] } = data.view.map ?? {};
    return partitions.flatMap(({ partition }) => {
      const home = data.host.home(partitionStream(partition));
      if (home === undefined) {
        return [];
      }
      const { writer, log, hard } = home.replica;
      const members = hard.activated?.configuration.members ?? [];
      const behind = members.map(
        (member) => log.lastSeq - (writer?.progress.get(member)?.matchSeq ?? log.lastSeq),
      );
      return [
        { partition, status: home.status, acksPending: behind.reduce((total, each) => total + each, 0) },
      ];
    });
  }

  // --- replicas ---------------------------------------------------------------------------------

  #mapChanged(): void {
    this.process.pushInfo({ type: "message", body: MAP });
  }

  /** From time to time: replicas that are wanted nowhere go, those that could not be started are tried again. */
  #cleanLater(data: DataServices): void {
    this.after(data.wal.cleanupIntervalMs, () => {
      this.#mapChanged();
      this.#cleanLater(data);
    });
  }

  get #use(): { data: DataServices; keeper: ReplicaKeeper } {
    invariant(this.#keeper !== null, "the WAL has been started");
    return { data: this.state, keeper: this.#keeper };
  }
}

interface Copy {
  readonly partition: number;
  readonly status: ReplicaStatus;
  readonly acksPending: number;
}

function rowOf({ partition, status }: Copy): z.output<typeof partitionStats> {
  const { role, epoch, lastSeq, commitSeq, undecided } = status;
  return { partition, role, epoch: epoch.counter, lastSeq, commitSeq, pending: undecided };
}
