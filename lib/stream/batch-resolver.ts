/**
 * The writer's side of a batch: which requests are new, whether they may be taken, and what they come to.
 * Whatever is refused is refused before it has had any effect.
 */
import { messageOf, SupercastError } from "../base/errors.ts";
import { BATCH_HEAD_BYTES, BatchBuilder, problemOfRequest, type RequestRow } from "./batch-codec.ts";
import type { ClientTable } from "./client-table.ts";
import { KeyLocked, type RequestOutcome, type StreamDefinition, type StreamRequest } from "./definition.ts";
import type { Overlay } from "./overlay.ts";
import type { StateLimits } from "./state-limits.ts";

/** For one batch at a time: a batch is resolved in one go. */
let room = Buffer.alloc(0);

function roomOf(bytes: number): Buffer {
  if (room.length < bytes) {
    room = Buffer.allocUnsafeSlow(bytes);
  }
  return room.subarray(0, bytes);
}

/** What a batch is resolved against. */
export interface ResolverParts {
  readonly definition: StreamDefinition<unknown, unknown>;
  readonly limits: StateLimits;
  readonly clients: ClientTable;
  readonly overlay: Overlay;
  /** Whether somebody waits for a key to be released: then the batch ends behind what releases one. */
  readonly endsAtRelease: boolean;
}

/** One batch on its way to becoming the payload of entry `seq`. */
export class BatchResolver {
  readonly rows: RequestRow[] = [];
  readonly #seq: number;
  readonly #parts: ResolverParts;
  readonly #builder: BatchBuilder;
  #full = false;
  /** Whether a request of this batch, or one before it, waits for a key. */
  #endsAtRelease: boolean;

  constructor(seq: number, parts: ResolverParts) {
    this.#seq = seq;
    this.#parts = parts;
    this.#endsAtRelease = parts.endsAtRelease;
    this.#builder = new BatchBuilder(roomOf(parts.limits.entryBytes));
  }

  /** The payload of what has been taken. */
  payload(): Uint8Array {
    return this.#builder.finish();
  }

  take(request: StreamRequest): RequestOutcome {
    if (this.#full) {
      return { kind: "deferred" };
    }
    const known = this.#known(request);
    if (known !== null) {
      return known;
    }
    try {
      return this.#execute(request);
    } catch (error) {
      return { kind: "refused", error: this.#refusal(error) };
    }
  }

  #refusal(thrown: unknown): SupercastError {
    if (!(thrown instanceof KeyLocked)) {
      return asSupercastError(thrown);
    }
    const { definition, overlay } = this.#parts;
    if (definition.isLocked?.(overlay, thrown.key) !== true) {
      return new SupercastError("internal", `the stream's definition waits for a free key: ${thrown.key}`);
    }
    this.#endsAtRelease = true;
    return thrown;
  }

  /** What a request that was here before is answered; null for a new one. */
  #known({ clientId, requestSeq }: StreamRequest): RequestOutcome | null {
    const { overlay, clients } = this.#parts;
    const pending = overlay.find(clientId, requestSeq);
    const found = pending ?? clients.find(clientId, requestSeq);
    if (found === "belowDone") {
      return { kind: "belowDone" };
    }
    if (pending !== null && pending !== "belowDone") {
      return { kind: "inFlight", seq: pending.seq, answer: pending.answer };
    }
    if (found !== null && "epoch" in found) {
      return { kind: "applied", seq: found.seq, epoch: found.epoch, answer: found.answer };
    }
    return null;
  }

  #execute(request: StreamRequest): RequestOutcome {
    this.#admit(request);
    const { definition, overlay, limits } = this.#parts;
    const resolution = definition.resolve(overlay, request.operation, this.#seq);
    const row = this.#builder.add(request, request.doneBelow, resolution);
    if (row.kind === "tooLong") {
      const [bytes, most] = [row.bytes - BATCH_HEAD_BYTES, limits.entryBytes - BATCH_HEAD_BYTES];
      throw new SupercastError(
        "payload_too_large",
        `the operation comes to ${bytes} bytes; allowed: ${most}`,
      );
    }
    if (row.kind === "full") {
      this.#full = true;
      return { kind: "deferred" };
    }
    const answerBytes = this.#admitAnswer(row);
    this.#builder.keep();
    this.rows.push(row);
    overlay.add(this.#seq, row, answerBytes);
    this.#full = this.#endsAtRelease && resolution.releases === true;
    return { kind: "new", answer: row.answer };
  }

  /** Throws unless the request is well-formed and its client has room for an answer. */
  #admit({ clientId, requestSeq, doneBelow }: StreamRequest): void {
    const problem = problemOfRequest(clientId, requestSeq, doneBelow);
    if (problem !== null) {
      throw new SupercastError("invalid_message", problem);
    }
    const { clients, overlay, limits } = this.#parts;
    const client = clients.client(clientId);
    const begin = Math.max(client?.doneBelow ?? 0, overlay.doneBelow(clientId), doneBelow, 1);
    if (requestSeq >= begin + limits.clientWindow) {
      throw overload(`client ${clientId} is done below ${begin} only`, "clientWindow", limits.clientWindow);
    }
    const isKnown = client !== undefined || overlay.hasClient(clientId);
    if (!isKnown && clients.size + overlay.clients >= limits.clients) {
      throw overload("too many clients", "clients", limits.clients);
    }
  }

  /** The bytes of the answer; throws when its client, or all of them, may not keep so many. */
  #admitAnswer({ clientId, spans: [start = 0, end = 0] }: RequestRow): number {
    const { clients, overlay, limits } = this.#parts;
    const bytes = end - start;
    if (bytes > limits.clientBytes) {
      throw new SupercastError(
        "payload_too_large",
        `the answer comes to ${bytes} bytes; allowed: ${limits.clientBytes}`,
      );
    }
    const kept = (clients.client(clientId)?.bytes ?? 0) + overlay.bytesOf(clientId);
    if (kept + bytes > limits.clientBytes) {
      throw overload(`client ${clientId} leaves ${kept} bytes of answers`, "clientBytes", limits.clientBytes);
    }
    if (clients.bytes + overlay.bytes + bytes > limits.clientTableBytes) {
      throw overload("too many bytes of answers", "clientTableBytes", limits.clientTableBytes);
    }
    return bytes;
  }
}

function overload(problem: string, limit: keyof StateLimits, value: number): SupercastError {
  return new SupercastError("overload", `${problem}; ${limit} is ${value}`);
}

/** A definition that throws anything else has a bug; the request is refused, the replica goes on. */
function asSupercastError(error: unknown): SupercastError {
  return error instanceof SupercastError
    ? error
    : new SupercastError("internal", `the stream's definition failed: ${messageOf(error)}`, { cause: error });
}
