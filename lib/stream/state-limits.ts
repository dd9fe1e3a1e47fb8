/**
 * The bounds of a stream's replicated state and of its transfer, each with its reason. Only the writer and
 * the source of a transfer act on them; what is in the log is applied everywhere.
 */
export const DEFAULT_STATE_LIMITS = {
  /** One entry's payload: half of NATS's default max_payload, so that an append with it fits. */
  entryBytes: 512 * 1024,
  /** Clients whose answers are kept; a further one is refused until idle ones are expired. */
  clients: 100_000,
  /** Answers kept for one client: requests from `doneBelow` on, less than this. */
  clientWindow: 4_096,
  /** Bytes of the answers kept for one client, which go into one chunk of a transfer. */
  clientBytes: 256 * 1024,
  /** Bytes of all answers kept. */
  clientTableBytes: 64 * 1024 * 1024,
} as const satisfies Record<string, number>;

export type StateLimits = { readonly [Name in keyof typeof DEFAULT_STATE_LIMITS]: number };

export const DEFAULT_TRANSFER_LIMITS = {
  /** What a chunk is filled up to; one record that is larger goes alone. Cutting it takes well under 2 ms. */
  chunkBytes: 128 * 1024,
  /** A chunk beyond this is foreign: larger than any record, client or entry that the writer lets in. */
  chunkBytesMax: 1024 * 1024,
  /** Chunks sent and not yet acknowledged. */
  windowChunks: 8,
  /** Without progress for so long, the unacknowledged chunks are sent again. */
  retryTicks: 3,
  /** Without a word from the other side for so long, a transfer is given up. */
  silentTicks: 50,
  /** Entries that are committed while a transfer goes on, kept for its end; beyond this it is given up. */
  trailingBytes: 64 * 1024 * 1024,
  /** All that a receiver stages; beyond this it cancels. */
  stagedBytes: 4 * 1024 * 1024 * 1024,
} as const satisfies Record<string, number>;

export type TransferLimits = { readonly [Name in keyof typeof DEFAULT_TRANSFER_LIMITS]: number };
