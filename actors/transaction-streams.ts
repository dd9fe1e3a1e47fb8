/** How the actors of three-phase commit reach the streams of the partitions: no more than they need. */
import type { ClientReadOptions, Done, RequestOptions } from "../lib/stream/stream-client.ts";

/** A client of one partition's stream; a StreamClient is one. */
export interface TransactionClient {
  request(operation: unknown, options?: RequestOptions): Promise<Done>;
  read(query: unknown, options?: ClientReadOptions): Promise<unknown>;
}

/** A partition whose open writer is on this node. */
export interface WrittenPartition {
  readonly partition: number;
  /** The first entry of the writer's epoch: what stands before it is of an older one. */
  readonly barrierSeq: number;
}

export interface TransactionStreams {
  /** Throws `invalid_message` for a partition that there is not, `quorum_not_reached` for one not yet founded. */
  client(partition: number): TransactionClient;
  /** The partitions of which this node has a copy, sorted. */
  copies(): readonly number[];
  /** The partitions whose open writer is on this node. */
  written(): readonly WrittenPartition[];
  /** Calls the listener whenever `written` may have changed; returns what ends that. */
  onChange(listener: () => void): () => void;
}
