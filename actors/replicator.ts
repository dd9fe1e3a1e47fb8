/**
 * Replicator: sees to it that the streams of partitions have the copies that the cluster map wants, and
 * takes the seed's replication calls.
 *
 * It acts for those streams whose open writer is on this node, one step at a time: a copy is fed as a
 * learner before it becomes a member, members that are not wanted go, and in the end the preferred writer
 * gets the role. What a step may do is decided in `lib/cluster/reconcile.ts`.
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
import { delay } from "../lib/base/clock.ts";
import { messageOf, SupercastError, toSupercastError } from "../lib/base/errors.ts";
import { nodesOfPartition } from "../lib/cluster/cluster-map.ts";
import type { At } from "../lib/cluster/commits.ts";
import { partitionStream } from "../lib/cluster/partition-streams.ts";
import { StreamSteward } from "../lib/cluster/stream-steward.ts";
import type { Letter } from "../lib/stream/messages.ts";
import type { ReplicaHome } from "../lib/stream/replica-home.ts";
import { isLetter, STREAM_MODES, streamActorName } from "../lib/stream/requests.ts";
import type { DataServices } from "./data-services.ts";
import { nodeName } from "./services.ts";

const OPS_MAX = 10_000;
const TIMEOUT_MAX_MS = 600_000;
const partitionField = z.int().min(0);
const doneReply = z.object({ seq: z.int(), value: z.unknown() });
const modeField = z.enum(STREAM_MODES).optional();
const letterFields = z.strictObject({ partition: partitionField, letter: z.custom<Letter>(isLetter) });

export const replicatorProtocol = defineProtocol({
  replicate: {
    call: z.strictObject({ partition: partitionField, op: z.unknown(), mode: modeField }),
    reply: doneReply,
    help: "one operation on a partition, answered as its mode says (default: the cluster's)",
  },
  replicateBatch: {
    call: z.strictObject({
      partition: partitionField,
      ops: z.array(z.unknown()).min(1).max(OPS_MAX),
      mode: modeField,
    }),
    reply: doneReply,
    help: "operations on a partition, carried out in order as one",
  },
  pushPartition: {
    call: z.strictObject({
      partition: partitionField,
      node: nodeName,
      timeoutMs: z.int().min(1).max(TIMEOUT_MAX_MS).optional(),
    }),
    reply: z.object({ seq: z.int() }),
    help: "waits until the copy on a node holds all that was committed when this was asked; error timeout",
  },
  applyOp: {
    cast: letterFields,
    help: "an entry from a partition's writer, for the replica here",
    from: "node",
  },
  applyOpBatch: {
    cast: letterFields,
    help: "entries from a partition's writer, for the replica here",
    from: "node",
  },
});

export type ReplicatorProtocol = ProtocolOf<typeof replicatorProtocol>;
type Message<Type extends CallMessage<ReplicatorProtocol>["type"]> = Extract<
  CallMessage<ReplicatorProtocol>,
  { readonly type: Type }
>;

const LOOK = Symbol("look");
/** Between two looks at the streams when nothing has changed. */
const LOOK_MS = 500;
/** Longer than all phases of a transaction may take. */
const TRANSACTION_MS = 15_000;
const PUSH_TIMEOUT_MS = 60_000;
const PUSH_POLL_MS = 50;

export interface ReplicatorArgs {
  readonly data: DataServices;
  /** The nodes that are up, this one included. */
  readonly up: () => ReadonlySet<string>;
  /** Publishes a cluster event of this node. */
  readonly publish: (event: object) => void;
}

interface ReplicatorState {
  readonly args: ReplicatorArgs;
  readonly stewards: Map<number, StreamSteward>;
  /** By partition: the newest epoch of a writer here that has been told of. */
  readonly told: Map<number, number>;
}

export class Replicator extends Actor<ReplicatorProtocol, ReplicatorState, ReplicatorArgs> {
  static override readonly protocol = replicatorProtocol;
  #looking = false;

  init(args: ReplicatorArgs): ReplicatorState {
    const look = (): void => this.#lookSoon();
    this.process.onEnd(args.data.view.onChange(look));
    this.process.onEnd(args.data.changes.add(look));
    look();
    this.#lookLater();
    return { args, stewards: new Map(), told: new Map() };
  }

  override formatState({ stewards }: ReplicatorState): unknown {
    return { partitions: [...stewards.keys()] };
  }

  override handleCall(message: CallMessage<ReplicatorProtocol>, from: From<ReplicatorProtocol>): CallResult {
    switch (message.type) {
      case "replicate":
        this.#replicate(message, [message.op], from);
        break;
      case "replicateBatch":
        this.#replicate(message, message.ops, from);
        break;
      case "pushPartition":
        this.#push(message).then(
          (seq) => from.reply(message, { seq }),
          (thrown: unknown) => from.fail(toSupercastError(thrown)),
        );
        break;
    }
    return this.noReply();
  }

  override handleCast({ partition, letter }: CastMessage<ReplicatorProtocol>): void {
    if (letter.message.type === "append") {
      this.cast({ name: streamActorName(partitionStream(partition)) }, { type: "letter", letter });
    } else {
      this.process.system.drop("invalid_message", this.process.label);
    }
  }

  override handleInfo(info: Info): void {
    if (info.type === "message" && info.body === LOOK) {
      this.#looking = false;
      this.#look();
    } else {
      this.process.system.drop("invalid_message", this.process.label);
    }
  }

  #replicate(
    message: Message<"replicate"> | Message<"replicateBatch">,
    ops: readonly unknown[],
    from: From<ReplicatorProtocol>,
  ): void {
    const { data } = this.state.args;
    const { partition, mode } = message;
    const byThreePhases = data.settings.replicationMode === "3pc" && mode === undefined;
    const done = byThreePhases
      ? this.#inThreePhases(partition, ops)
      : data.commits.commit(partition, ops, { mode: mode ?? data.mode });
    done.then(
      ({ seq, value }) => from.reply(message, { seq, value }),
      (thrown: unknown) => from.fail(toSupercastError(thrown)),
    );
  }

  async #inThreePhases(partition: number, ops: readonly unknown[]): Promise<At> {
    const commit = { type: "commit", partition, ops } as const;
    const outcome = await this.call({ name: "three_phase_commit" }, commit, { timeoutMs: TRANSACTION_MS });
    if (outcome.outcome === "aborted") {
      throw new SupercastError("quorum_not_reached", `the transaction was aborted: ${outcome.reason}`);
    }
    return { seq: outcome.seq, value: outcome.value };
  }

  /** Feeding is the stream's own business; this waits for it. */
  async #push({ partition, node, timeoutMs = PUSH_TIMEOUT_MS }: Message<"pushPartition">): Promise<number> {
    const { clock } = this.process.system;
    const deadlineAt = clock.now() + timeoutMs;
    const { data } = this.state.args;
    const { seq } = await data.partitions
      .client(partition)
      .readAt({ type: "count" }, { mode: "quorum", timeoutMs });
    const target = { name: streamActorName(partitionStream(partition)), node };
    let problem = `it is behind ${seq}`;
    while (clock.now() < deadlineAt) {
      try {
        const { appliedSeq } = await this.call(
          target,
          { type: "status" },
          { timeoutMs: deadlineAt - clock.now() },
        );
        if (appliedSeq >= seq) {
          return seq;
        }
      } catch (thrown) {
        problem = messageOf(thrown);
      }
      await delay(clock, PUSH_POLL_MS);
    }
    throw new SupercastError("timeout", `the copy of partition ${partition} on ${node}: ${problem}`);
  }

  // --- copies -----------------------------------------------------------------------------------

  #lookSoon(): void {
    if (!this.#looking) {
      this.#looking = true;
      this.process.pushInfo({ type: "message", body: LOOK });
    }
  }

  #lookLater(): void {
    this.after(LOOK_MS, () => {
      this.#lookSoon();
      this.#lookLater();
    });
  }

  #look(): void {
    const { stewards, args } = this.state;
    const { map } = args.data.view;
    for (const entry of map?.partitions ?? []) {
      const { partition, lineage, founded, generation } = entry;
      const home = args.data.host.home(partitionStream(partition));
      if (map === null || home === undefined || home.options.lineage !== lineage) {
        continue;
      }
      const steward = stewards.get(partition) ?? this.#newSteward(partition);
      stewards.set(partition, steward);
      this.#tellOfWriter(partition, home);
      if (home.replica.role === "open" && !founded) {
        steward.once(`founded ${generation}`, () =>
          args.data.root.request({ type: "founded", partition, generation }),
        );
      }
      steward.step(home, nodesOfPartition(map, partition), args.up());
    }
  }

  /** Whose epoch has opened here is the partition's writer. */
  #tellOfWriter(partition: number, { replica: { role, writer } }: ReplicaHome): void {
    const { told, args } = this.state;
    const epoch = writer?.epoch.counter ?? 0;
    if (role === "open" && told.get(partition) !== epoch) {
      told.set(partition, epoch);
      args.publish({ type: "writerChanged", partition, writer: this.process.system.node, epoch });
    }
  }

  #newSteward(partition: number): StreamSteward {
    const { host } = this.state.args.data;
    return new StreamSteward({
      log: this.log,
      order: (message, timeoutMs) => host.order(partitionStream(partition), message, timeoutMs),
      done: () => this.#lookSoon(),
    });
  }
}
