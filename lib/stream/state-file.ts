/**
 * The applied state as a stored snapshot: the chunks of a transfer (`snapshot-source.ts`), each behind its
 * length. Written in slices while the state goes on changing; read back it is checked as a transfer is.
 */
import type { Clock } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import { decode, encode } from "../wire/codec.ts";
import type { StreamDefinition } from "./definition.ts";
import type { Position } from "./entry.ts";
import type { ReplicatedState } from "./replicated-state.ts";
import { SnapshotReceiver } from "./snapshot-receiver.ts";
import { SnapshotSource } from "./snapshot-source.ts";
import type { StateLimits } from "./state-limits.ts";

const LENGTH_BYTES = 4;
/** Larger than any chunk. */
const FRAME_BYTES_MAX = 16 * 1024 * 1024;
/** The source that a stored snapshot is read from, in the place of a replica's id. */
const STORED = "stored/snapshot";

/** The state in pieces. Between two of them others get their turn. */
export async function* saveState(state: ReplicatedState, clock: Clock): AsyncGenerator<Uint8Array> {
  const source = new SnapshotSource(state, 1);
  try {
    for (let chunk = source.next(); chunk !== null; chunk = source.next()) {
      yield framed(encode(chunk));
      source.receive({ type: "snapshotAck", transfer: 1, next: chunk.index + 1 });
      if (chunk.kind === "end") {
        return;
      }
      await new Promise<void>((resolve) => clock.immediate(resolve));
    }
    throw new SupercastError("overload", "more was committed while a snapshot was written than it may hold");
  } finally {
    source.cancel("the snapshot is written");
  }
}

/** Reads what `saveState` gave. Throws `invalid_message` for anything else. */
export async function loadState(
  pieces: AsyncIterable<Uint8Array>,
  definition: StreamDefinition<unknown, unknown>,
  stateLimits: Partial<StateLimits> = {},
): Promise<{ readonly state: ReplicatedState; readonly base: Position }> {
  const receiver = new SnapshotReceiver(definition, stateLimits);
  for await (const frame of frames(pieces)) {
    for (const effect of receiver.receive(STORED, decode(frame))) {
      if (effect.type === "received") {
        return { state: effect.state, base: effect.base };
      }
      if (effect.type === "failed") {
        throw unreadable(effect.reason);
      }
    }
  }
  throw unreadable("it ends too early");
}

function framed(bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LENGTH_BYTES + bytes.byteLength);
  new DataView(frame.buffer).setUint32(0, bytes.byteLength, true);
  frame.set(bytes, LENGTH_BYTES);
  return frame;
}

/** Pieces come in any size. */
async function* frames(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array(0);
  for await (const piece of pieces) {
    const bytes = new Uint8Array(rest.byteLength + piece.byteLength);
    bytes.set(rest);
    bytes.set(piece, rest.byteLength);
    rest = bytes;
    for (let length = lengthOf(rest); length !== null; length = lengthOf(rest)) {
      yield rest.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
      rest = rest.subarray(LENGTH_BYTES + length);
    }
  }
  if (rest.byteLength > 0) {
    throw unreadable("it is cut off");
  }
}

/** The length of the frame that `bytes` begin with; null while it is not whole. */
function lengthOf(bytes: Uint8Array): number | null {
  if (bytes.byteLength < LENGTH_BYTES) {
    return null;
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (length > FRAME_BYTES_MAX) {
    throw unreadable(`a chunk of ${length} bytes`);
  }
  return bytes.byteLength >= LENGTH_BYTES + length ? length : null;
}

function unreadable(what: string): SupercastError {
  return new SupercastError("invalid_message", `a stored snapshot cannot be read: ${what}`);
}
