/** What a transport subscribes to, whichever connection stands; each new connection gets it all. */
import type { Msg, NatsConnection, NatsError } from "nats";
import type { Subscription } from "./transport.ts";

interface Wanted {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly callback: Callback;
  /** Ends it on the present connection. */
  end: () => void;
}

/** Must not throw: it would end the client's read loop, without an event. */
export type Callback = (error: NatsError | null, message: Msg) => void;

export class NatsSubscriptions {
  readonly #wanted = new Set<Wanted>();

  /** Subscribes: on `nc` when it is given, and on whatever comes later. */
  add(
    subject: string,
    queue: string | undefined,
    callback: Callback,
    nc: NatsConnection | undefined,
  ): Subscription {
    const wanted: Wanted = { subject, queue, callback, end: () => undefined };
    this.#wanted.add(wanted);
    if (nc !== undefined) {
      begin(wanted, nc);
    }
    return {
      subject,
      unsubscribe: () => {
        this.#wanted.delete(wanted);
        wanted.end();
      },
    };
  }

  /** Subscribes to everything on a new connection. */
  establish(nc: NatsConnection): void {
    for (const wanted of this.#wanted) {
      begin(wanted, nc);
    }
  }
}

function begin(wanted: Wanted, nc: NatsConnection): void {
  const { subject, queue, callback } = wanted;
  const inner = nc.subscribe(subject, queue === undefined ? { callback } : { queue, callback });
  wanted.end = () => inner.unsubscribe();
}
