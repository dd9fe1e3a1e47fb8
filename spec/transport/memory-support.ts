/** What the specs of the memory hub share. */
import { SupercastError } from "../../lib/base/errors.ts";
import type { VirtualClock } from "../../lib/base/virtual-clock.ts";
import type { Transport, TransportEvent } from "../../lib/transport/transport.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export interface Arrival {
  readonly at: number;
  readonly text: string;
}

/** What arrives, and when. */
export function watch(clock: VirtualClock, transport: Transport, subject: string): Arrival[] {
  const arrivals: Arrival[] = [];
  transport.subscribe(subject, (message) => {
    arrivals.push({ at: clock.now(), text: new TextDecoder().decode(message.payload) });
  });
  return arrivals;
}

export const texts = (arrivals: readonly Arrival[]): string[] => arrivals.map(({ text }) => text);

export function typesOf(transport: Transport): string[] {
  const types: string[] = [];
  transport.onEvent((event: TransportEvent) => types.push(event.type));
  return types;
}

/** How the promise came out by the time somebody looks. */
export function outcomeOf(promise: Promise<unknown>): { code: string } {
  const outcome = { code: "open" };
  promise.then(
    () => {
      outcome.code = "answered";
    },
    (error: unknown) => {
      outcome.code = error instanceof SupercastError ? error.code : String(error);
    },
  );
  return outcome;
}
