/** The stage on which the cases of the transport conformance play, and what they share. */
import { SupercastError } from "../../lib/base/errors.ts";
import type { Limits } from "../../lib/base/limits.ts";
import type { IncomingMessage, Transport, TransportEvent } from "../../lib/transport/transport.ts";

/** An implementation under test, with its surroundings. */
export interface TransportWorld {
  /** A new client; the world closes it at the end. */
  connect(limits?: Limits): Promise<Transport>;
  /** Breaks every connection; none comes back before `endOutage`. */
  beginOutage(): Promise<void>;
  endOutage(): Promise<void>;
  close(): Promise<void>;
}

/** Two clients in a world, new for each case. */
export class Stage {
  #world: TransportWorld | undefined;
  #clients: readonly Transport[] = [];

  async open(openWorld: () => TransportWorld): Promise<void> {
    this.#world = openWorld();
    this.#clients = [await this.#world.connect(), await this.#world.connect()];
  }

  get world(): TransportWorld {
    return present(this.#world);
  }

  get alice(): Transport {
    return present(this.#clients[0]);
  }

  get bob(): Transport {
    return present(this.#clients[1]);
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) {
    throw new Error("the stage is not open yet");
  }
  return value;
}

const encoder = new TextEncoder();
export const bytes = (text: string): Uint8Array => encoder.encode(text);
export const text = (message: IncomingMessage): string => new TextDecoder().decode(message.payload);
export const PLENTY_MS = 5_000;

/** Everything that arrives on `subject`, as text. */
export function collect(transport: Transport, subject: string, queue?: string): string[] {
  const found: string[] = [];
  transport.subscribe(subject, (message) => found.push(text(message)), queue === undefined ? {} : { queue });
  return found;
}

export function eventsOf(transport: Transport): TransportEvent[] {
  const events: TransportEvent[] = [];
  transport.onEvent((event) => events.push(event));
  return events;
}

export async function rejectionOf(promise: Promise<unknown>): Promise<SupercastError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof SupercastError) {
      return error;
    }
    throw error;
  }
  throw new Error("it was fulfilled");
}

export function thrownBy(action: () => void): SupercastError {
  try {
    action();
  } catch (error) {
    if (error instanceof SupercastError) {
      return error;
    }
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** A subscription is known to the server when its transport's next flush is through. */
export async function settled(...transports: readonly Transport[]): Promise<void> {
  await Promise.all(transports.map((transport) => transport.flush()));
}
