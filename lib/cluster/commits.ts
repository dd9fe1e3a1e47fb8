/**
 * Commits to partitions and questions to them, as one node makes them: bounded in number and in time, and in
 * the seed's words where nobody can tell what became of one.
 */
import { SupercastError, toSupercastError } from "../base/errors.ts";
import type { ReadMode, StreamMode } from "../stream/requests.ts";
import type { ClientReadOptions, Done } from "../stream/stream-client.ts";
import { type PartitionStreams, partitionStream } from "./partition-streams.ts";
import type { StreamHost } from "./stream-host.ts";

/** The bounds of the write-ahead log, as the options `wal.*` have them. */
export interface WalBounds {
  readonly majorityTimeoutMs: number;
  readonly cleanupIntervalMs: number;
  readonly pendingMax: number;
}

/** Less than a call's own, so that who asks hears why there is no answer. */
const READ_TIMEOUT_MS = 4_000;

/** An answer, and the position in the partition's stream up to which it takes everything into account. */
export type At = Pick<Done, "seq" | "value">;

export interface CommitOptions {
  /** When it is answered; never earlier than the cluster's mode says. Default `strong`. */
  readonly mode?: StreamMode | undefined;
  /** Default: the option `wal.majorityTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** What makes a repetition the same commit, also at another node. */
  readonly requestId?: string | undefined;
}

export interface ReadOptions {
  /** Default `quorum`. */
  readonly mode?: ReadMode | undefined;
  /** The position wanted at least; default: what this node has written and read. */
  readonly minSeq?: number | undefined;
  /** Default 4000. */
  readonly timeoutMs?: number | undefined;
}

export interface CommitsParts {
  readonly node: string;
  readonly host: StreamHost;
  readonly partitions: PartitionStreams;
  readonly bounds: WalBounds;
}

export class Commits {
  readonly #parts: CommitsParts;
  #inHand = 0;

  constructor(parts: CommitsParts) {
    this.#parts = parts;
  }

  /** Commits that have not been answered yet. */
  get inHand(): number {
    return this.#inHand;
  }

  /**
   * Carries out operations on a partition, in order, as one. Rejects with `majority_timeout`: the outcome is
   * unknown; or, when nothing was done and nothing will be, with `overload`, `quorum_not_reached` or
   * `invalid_message`.
   */
  async commit(partition: number, ops: readonly unknown[], options: CommitOptions = {}): Promise<At> {
    const { partitions, bounds } = this.#parts;
    const { mode = "strong", timeoutMs = bounds.majorityTimeoutMs, requestId } = options;
    if (this.#inHand >= bounds.pendingMax) {
      throw new SupercastError("overload", `${bounds.pendingMax} commits are in hand; nothing was done`);
    }
    const client =
      requestId === undefined
        ? partitions.client(partition)
        : partitions.clientFor(partition, `request:${requestId}`);
    this.#inHand += 1;
    try {
      return await client.request({ ops }, { mode, timeoutMs });
    } catch (thrown) {
      throw inSeedsWords(thrown);
    } finally {
      this.#inHand -= 1;
    }
  }

  /** Asks a partition. Rejects with `quorum_not_reached` or `invalid_message`. */
  async read(partition: number, query: unknown, options: ReadOptions = {}): Promise<At> {
    const { partitions, host, node } = this.#parts;
    const { mode = "quorum", minSeq, timeoutMs = READ_TIMEOUT_MS } = options;
    const isHere = mode === "local" && host.home(partitionStream(partition)) !== undefined;
    const where: ClientReadOptions = {
      mode,
      ...(minSeq === undefined ? {} : { minSeq }),
      timeoutMs,
      ...(isHere ? { node } : {}),
    };
    return await partitions.client(partition).readAt(query, where);
  }
}

/** `majority_timeout` is what the seed says where nobody can tell whether a commit took effect. */
function inSeedsWords(thrown: unknown): SupercastError {
  const error = toSupercastError(thrown);
  return error.code === "unknown_outcome"
    ? new SupercastError("majority_timeout", `${error.message}; the outcome is unknown`, { cause: error })
    : error;
}
