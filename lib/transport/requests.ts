/**
 * Requests over a transport: a table of open requests behind one private reply subject.
 *
 * Unlike a NATS client's own requests these fail at once when the connection breaks, and their timeouts come
 * from the clock port.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { SupercastError } from "../base/errors.ts";
import type { IncomingMessage, MessageHandler, RequestOptions, Transport } from "./transport.ts";

interface OpenRequest {
  readonly resolve: (message: IncomingMessage) => void;
  readonly reject: (error: SupercastError) => void;
  readonly timer: Timer;
  readonly subject: string;
}

export interface RequestsSetup {
  readonly clock: Clock;
  /** Answers arrive on `<inbox>.<token>`; nobody else subscribes there. */
  readonly inbox: string;
  /** Bound of open requests; one more is refused with `overload`. */
  readonly openMax: number;
  readonly publish: Transport["publish"];
  readonly subscribe: (pattern: string, handler: MessageHandler) => void;
}

export class Requests {
  readonly #setup: RequestsSetup;
  readonly #open = new Map<string, OpenRequest>();
  #subscribed = false;
  #serial = 0;

  constructor(setup: RequestsSetup) {
    this.#setup = setup;
  }

  get open(): number {
    return this.#open.size;
  }

  request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<IncomingMessage> {
    const { clock, inbox, openMax, publish } = this.#setup;
    if (this.#open.size >= openMax) {
      const text = `${openMax} requests are open, no more are allowed`;
      return Promise.reject(new SupercastError("overload", text));
    }
    this.#subscribe();
    this.#serial += 1;
    const token = this.#serial.toString(36);
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(() => this.#onTimeout(token, options.timeoutMs), options.timeoutMs);
      this.#open.set(token, { resolve, reject, timer, subject });
      const { headers } = options;
      try {
        publish(subject, payload, {
          reply: `${inbox}.${token}`,
          ...(headers === undefined ? {} : { headers }),
        });
      } catch (error) {
        this.#take(token);
        reject(error);
      }
    });
  }

  /** Fails whatever is open, because no answer can come any more. */
  rejectAll(makeError: (subject: string) => SupercastError): void {
    for (const token of [...this.#open.keys()]) {
      const request = this.#take(token);
      request?.reject(makeError(request.subject));
    }
  }

  /** The subscription to the inbox is gone; the next request makes a new one. */
  forgetSubscription(): void {
    this.#subscribed = false;
  }

  #subscribe(): void {
    if (!this.#subscribed) {
      this.#subscribed = true;
      this.#setup.subscribe(`${this.#setup.inbox}.*`, (message) => this.#onAnswer(message));
    }
  }

  #onAnswer(message: IncomingMessage): void {
    const request = this.#take(message.subject.slice(this.#setup.inbox.length + 1));
    if (request === undefined) {
      return; // Too late, or a second answer: the caller has been told another outcome.
    }
    if (message.noResponders) {
      const text = `nobody subscribes to ${request.subject}`;
      request.reject(new SupercastError("noproc", text, { details: { noResponders: true } }));
    } else {
      request.resolve(message);
    }
  }

  #onTimeout(token: string, timeoutMs: number): void {
    const request = this.#take(token);
    request?.reject(new SupercastError("timeout", `no answer on ${request.subject} within ${timeoutMs} ms`));
  }

  #take(token: string): OpenRequest | undefined {
    const request = this.#open.get(token);
    if (request !== undefined) {
      this.#open.delete(token);
      this.#setup.clock.clearTimer(request.timer);
    }
    return request;
  }
}
