/**
 * Telemetry: what happens inside, on `node:diagnostics_channel` under `supercast:<area>:<event>`.
 *
 * Every channel is declared here with the shape of its messages. Publishing costs nothing while nobody
 * listens; listeners run synchronously and must not throw (Node reports those that do).
 */
import { channel } from "node:diagnostics_channel";
import type { ExitReason } from "../base/reason.ts";

export interface TelemetryEvents {
  /** A process ended abnormally. */
  "supercast:actor:crash": {
    readonly node: string;
    readonly pid: string;
    readonly name: string | undefined;
    readonly actor: string;
    readonly reason: ExitReason;
    readonly lastMessage: unknown;
    /** Who sent it, when it was a call from a process. */
    readonly caller: string | undefined;
    readonly state: unknown;
  };
  /** A supervisor restarted a child, gave up on one, or could not stop one in good order. */
  "supercast:supervisor:report": {
    readonly node: string;
    readonly supervisor: string;
    readonly event: "child_terminated" | "restarted" | "start_error" | "gave_up" | "shutdown_error";
    readonly child: string;
    readonly reason: ExitReason;
  };
  /** A message could not be delivered and was dropped. */
  "supercast:actor:deadLetter": {
    readonly node: string;
    readonly why: string;
    readonly target: string;
    readonly count: number;
  };
  "supercast:node:up": { readonly node: string; readonly peer: string; readonly incarnation: string };
  "supercast:node:suspect": { readonly node: string; readonly peer: string; readonly incarnation: string };
  "supercast:node:down": {
    readonly node: string;
    readonly peer: string;
    readonly incarnation: string;
    readonly reason: string;
  };
  /** The connection between two nodes broke: something was lost, or could have been. */
  "supercast:node:connectionBroken": { readonly node: string; readonly peer: string; readonly why: string };
  "supercast:transport:event": {
    readonly node: string;
    readonly type: string;
    readonly message: string | undefined;
  };
  /** A replica of a stream has another role than before. */
  "supercast:stream:role": {
    readonly node: string;
    readonly stream: string;
    readonly replica: string;
    readonly role: string;
    readonly previous: string;
  };
  /** A writer's epoch has ended: so many of its entries, up to `lastSeq`, are not known to be committed. */
  "supercast:stream:epochLost": {
    readonly node: string;
    readonly stream: string;
    readonly replica: string;
    readonly epoch: number;
    readonly uncommitted: number;
    readonly lastSeq: number;
  };
  /** A batch of a former writer had no effect; `answered`: requests in it that had been answered `ok` before. */
  "supercast:stream:superseded": {
    readonly node: string;
    readonly stream: string;
    readonly replica: string;
    readonly epoch: number;
    readonly seq: number;
    readonly answered: number;
  };
  "supercast:health:check": object;
  "supercast:health:alert": object;
}

export function publishEvent<Name extends keyof TelemetryEvents>(
  name: Name,
  event: () => TelemetryEvents[Name],
): void {
  const target = channel(name);
  if (target.hasSubscribers) {
    target.publish(event());
  }
}

/** Listens to one channel; returns what stops it. */
export function onEvent<Name extends keyof TelemetryEvents>(
  name: Name,
  listener: (event: TelemetryEvents[Name]) => void,
): () => void;
export function onEvent(name: string, listener: (event: unknown) => void): () => void {
  const target = channel(name);
  const receive = (message: unknown): void => listener(message);
  target.subscribe(receive);
  return () => target.unsubscribe(receive);
}
