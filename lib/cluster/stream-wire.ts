/**
 * Messages to all replicas of a stream at once, by a subject of the stream's own: packed once, published
 * once, and NATS fans them out. What goes to a single replica takes the connection between the two nodes.
 *
 * Neither way is reliable to the stream, nor ordered with the other; a replica that misses an append says so.
 * Like all traffic between nodes, the subject is for nodes only: NATS permissions keep others out.
 */
import type { ActorSystem } from "../actor/system.ts";
import { messageOf, SupercastError } from "../base/errors.ts";
import type { Subjects } from "../node/subjects.ts";
import { decodeAppend, encodeAppend, isAppendLetter } from "../stream/append-codec.ts";
import type { Letter } from "../stream/messages.ts";
import { isLetter, streamActorName } from "../stream/requests.ts";
import { DEFAULT_STREAM_SETTINGS, type ReplicaSettings } from "../stream/settings.ts";
import { DEFAULT_STATE_LIMITS, DEFAULT_TRANSFER_LIMITS } from "../stream/state-limits.ts";
import type { Transport } from "../transport/transport.ts";

/** Shares of the server's largest message; what is left is for what stands around it. */
const ENTRY_SHARE = 0.5;
const APPEND_SHARE = 0.25;
const CHUNK_SHARE = 0.125;

export interface StreamWireParts {
  readonly system: ActorSystem;
  readonly transport: Transport;
  readonly subjects: Subjects;
}

export class StreamWire {
  readonly #parts: StreamWireParts;

  constructor(parts: StreamWireParts) {
    this.#parts = parts;
  }

  /** The largest entry: an append with it alone fits into one message. */
  get entryBytes(): number {
    return Math.min(DEFAULT_STATE_LIMITS.entryBytes, this.#shareOfPayload(ENTRY_SHARE));
  }

  /** What a chunk of a snapshot is filled up to, beside one entry's worth of a record. */
  get chunkBytes(): number {
    return Math.min(DEFAULT_TRANSFER_LIMITS.chunkBytes, this.#shareOfPayload(CHUNK_SHARE));
  }

  /** What of a stream's settings follows from the server's largest message. */
  get settings(): Pick<ReplicaSettings, "appendBytes" | "batchBytes"> {
    const appendBytes = Math.min(DEFAULT_STREAM_SETTINGS.appendBytes, this.#shareOfPayload(APPEND_SHARE));
    return { appendBytes, batchBytes: Math.min(DEFAULT_STREAM_SETTINGS.batchBytes, appendBytes) };
  }

  #shareOfPayload(share: number): number {
    return Math.floor(this.#parts.transport.maxPayload * share);
  }

  /** Publishes an append to all who listen. False when it did not leave; then each is to be reached singly. */
  fanOut(letter: Letter): boolean {
    const { transport, subjects, system } = this.#parts;
    if (!isAppendLetter(letter)) {
      return false;
    }
    try {
      transport.publish(subjects.stream(letter.stream), encodeAppend(letter));
      return true;
    } catch (thrown) {
      if (!(thrown instanceof SupercastError)) {
        throw thrown;
      }
      system.log.debug(`a letter of ${letter.stream} was not published: ${thrown.message}`);
      return false;
    }
  }

  /** Hands the stream's letters to the replica on this node; returns what ends it. */
  listen(stream: string): () => void {
    const { system, transport, subjects } = this.#parts;
    const actor = streamActorName(stream);
    const subscription = transport.subscribe(subjects.stream(stream), ({ payload }) => {
      const replica = system.whereis(actor);
      const letter = this.#read(payload, stream);
      if (replica === undefined || letter === null) {
        return;
      }
      system.scheduler.hold();
      try {
        replica.pushCast({ type: "letter", letter });
      } finally {
        system.scheduler.release();
      }
    });
    return () => subscription.unsubscribe();
  }

  #read(payload: Uint8Array, stream: string): Letter | null {
    const { system } = this.#parts;
    try {
      const letter = decodeAppend(payload);
      if (isLetter(letter)) {
        return letter;
      }
    } catch (thrown) {
      system.log.debug(`a message on the subject of ${stream} cannot be read: ${messageOf(thrown)}`);
    }
    system.drop("invalid_message", stream);
    return null;
  }
}
