/** What arrives from a peer, item by item. Everything is checked: a peer may be of another version. */

import type { Process } from "../actor/process.ts";
import type { ActorSystem } from "../actor/system.ts";
import { mailboxFull, noproc } from "../actor/system.ts";
import { type ErrorData, isErrorCode, SupercastError } from "../base/errors.ts";
import { isExitReason } from "../base/reason.ts";
import { OP } from "./envelope.ts";
import type { Peer } from "./peer.ts";
import { IncomingCall } from "./remote-call.ts";

export interface ItemHandlers {
  groups(peer: Peer, change: unknown): void;
}

/** Handles one item of `peer`. False when it makes no sense; then nothing has happened. */
export function handleItem(
  system: ActorSystem,
  peer: Peer,
  item: readonly unknown[],
  handlers: ItemHandlers,
): boolean {
  const [op, first, second, third, fourth] = item;
  switch (op) {
    case OP.cast:
    case OP.send:
      return receiveCast(system, op, first, second);
    case OP.call:
      return receiveCall(system, peer, first, second, third, fourth);
    case OP.reply:
      return isNumber(first) && done(peer.replied(first, second));
    case OP.error:
      return (
        isNumber(first) && isErrorData(second) && done(peer.failed(first, SupercastError.fromData(second)))
      );
    case OP.monitor:
      return isNumber(first) && isTarget(second) && done(peer.watchFor(first, second));
    case OP.demonitor:
      return isNumber(first) && done(peer.unwatchFor(first));
    case OP.down:
      return isNumber(first) && isExitReason(second) && done(peer.downArrived(first, second));
    case OP.groups:
      return done(handlers.groups(peer, first));
    default:
      return isNumber(first) && isNumber(second) && receiveSignal(system, peer, op, first, second, third);
  }
}

function receiveCast(system: ActorSystem, op: number, target: unknown, message: unknown): boolean {
  if (!isTarget(target)) {
    return false;
  }
  const process = find(system, target);
  if (process === undefined) {
    system.drop("noproc", String(target));
    return true;
  }
  const pushed =
    op === OP.send ? process.pushPlain(message) : isMessage(message) ? process.pushCast(message) : undefined;
  if (pushed === false) {
    system.drop("mailbox_full", process.label);
  }
  return pushed !== undefined;
}

function receiveCall(
  system: ActorSystem,
  peer: Peer,
  id: unknown,
  target: unknown,
  message: unknown,
  caller: unknown,
): boolean {
  if (!isNumber(id)) {
    return false;
  }
  const call = new IncomingCall(peer, id, isNumber(caller) ? peer.pidOf(caller) : undefined);
  if (!isTarget(target) || !isMessage(message)) {
    call.fail(new SupercastError("invalid_message", "a call needs a target and an object as its message"));
    return false;
  }
  const process = find(system, target);
  if (process === undefined) {
    call.fail(noproc(`${target}@${system.node}`));
  } else if (!process.pushCall(message, call)) {
    call.fail(mailboxFull(process.label));
  }
  return true;
}

function receiveSignal(
  system: ActorSystem,
  peer: Peer,
  op: unknown,
  from: number,
  to: number,
  reason: unknown,
): boolean {
  switch (op) {
    case OP.link:
      return done(peer.linkArrived(from, to));
    case OP.unlink:
      return done(peer.unlinkArrived(from, to));
    case OP.linkExit:
      return isExitReason(reason) && done(peer.linkExitArrived(from, to, reason));
    case OP.exit: {
      const process = system.processWithSerial(to);
      if (!isExitReason(reason)) {
        return false;
      }
      if (process !== undefined) {
        system.signals.exit(peer.pidOf(from), process.pid, reason);
      }
      return true;
    }
    default:
      return false;
  }
}

function find(system: ActorSystem, target: number | string): Process | undefined {
  return typeof target === "number" ? system.processWithSerial(target) : system.whereis(target);
}

function done(_result: void): true {
  return true;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isTarget(value: unknown): value is number | string {
  return typeof value === "string" || isNumber(value);
}

function isMessage(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isErrorData(value: unknown): value is ErrorData {
  return (
    typeof value === "object" &&
    value !== null &&
    "code" in value &&
    isErrorCode(value.code) &&
    "message" in value &&
    typeof value.message === "string"
  );
}
