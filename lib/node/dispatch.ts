/** What arrives from a peer, item by item. Everything is checked: a peer may be of another version. */

import type { Pid } from "../actor/pid.ts";
import type { Process } from "../actor/process.ts";
import { asInvalidMessage, mailboxFull, noproc } from "../actor/refusals.ts";
import type { ActorSystem } from "../actor/system.ts";
import { type ErrorData, isErrorCode, SupercastError } from "../base/errors.ts";
import { type ExitReason, isExitReason } from "../base/reason.ts";
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
  const op = item[0]; // by index: taking an array apart by a pattern makes thrice the code
  const first = item[1];
  switch (op) {
    case OP.cast:
    case OP.send:
      return receiveCast(system, op, first, item[2]);
    case OP.call:
      return receiveCall(system, peer, first, item[2], item[3], item[4]);
    case OP.reply:
      return receiveReply(peer, first, item[2]);
    case OP.stop:
      return receiveStop(system, peer, first, item[2], item[3]);
    case OP.groups:
      handlers.groups(peer, first);
      return true;
    default:
      return isNumber(first) && receiveSignal(system, peer, op, first, item[2], item[3]);
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
  takeRoom(system, process);
  const pushed =
    op === OP.send ? process.pushPlain(message) : isMessage(message) ? process.pushCast(message) : undefined;
  if (pushed === false) {
    system.drop(process.alive ? "mailbox_full" : "noproc", process.label);
  }
  return pushed !== undefined;
}

/** Lets a process whose mailbox is full handle some of it first: input is taken no faster than it is handled. */
function takeRoom(system: ActorSystem, process: Process): void {
  if (process.crowded) {
    system.scheduler.relieve();
  }
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
    return true;
  }
  takeRoom(system, process);
  if (!process.pushCall(message, call)) {
    call.fail(process.alive ? mailboxFull(process.label) : noproc(process.label));
  }
  return true;
}

/** gen_server:stop from another node: answered when the process has ended. */
function receiveStop(
  system: ActorSystem,
  peer: Peer,
  id: unknown,
  target: unknown,
  reason: unknown,
): boolean {
  if (!isNumber(id)) {
    return false;
  }
  const call = new IncomingCall(peer, id, undefined);
  if (!isTarget(target) || !isExitReason(reason)) {
    call.fail(new SupercastError("invalid_message", "a stop needs a target and an exit reason"));
    return false;
  }
  const process = find(system, target);
  if (process === undefined) {
    call.fail(noproc(`${target}@${system.node}`));
    return true;
  }
  system.stop(process.pid, { reason }).then(
    () => call.settle(null),
    (error: unknown) => call.fail(asInvalidMessage(error)),
  );
  return true;
}

function receiveReply(peer: Peer, id: unknown, value: unknown): boolean {
  if (!isNumber(id)) {
    return false;
  }
  peer.replied(id, value);
  return true;
}

/** Errors, monitors, links and exits: what begins with an id, a ref or a serial. */
function receiveSignal(
  system: ActorSystem,
  peer: Peer,
  op: unknown,
  first: number,
  second: unknown,
  third: unknown,
): boolean {
  switch (op) {
    case OP.error:
      if (!isErrorData(second)) {
        return false;
      }
      peer.failed(first, SupercastError.fromData(second));
      return true;
    case OP.monitor:
      if (!isTarget(second)) {
        return false;
      }
      peer.ties.watchFor(first, second);
      return true;
    case OP.demonitor:
      peer.ties.unwatchFor(first);
      return true;
    case OP.down:
      if (!isExitReason(second)) {
        return false;
      }
      peer.ties.downArrived(first, second);
      return true;
    default:
      return isNumber(second) && receiveTie(system, peer, op, first, second, third);
  }
}

function receiveTie(
  system: ActorSystem,
  peer: Peer,
  op: unknown,
  from: number,
  to: number,
  third: unknown,
): boolean {
  switch (op) {
    case OP.link:
      peer.ties.linkArrived(from, to);
      return true;
    case OP.unlink:
      if (!isNumber(third)) {
        return false;
      }
      peer.ties.unlinkArrived(from, to, third);
      return true;
    case OP.unlinkAck:
      if (!isNumber(third)) {
        return false;
      }
      peer.ties.unlinkAckArrived(from, to, third);
      return true;
    case OP.linkExit:
      if (!isExitReason(third)) {
        return false;
      }
      peer.ties.linkExitArrived(from, to, third);
      return true;
    case OP.exit:
      if (!isExitReason(third)) {
        return false;
      }
      exitArrived(system, peer.pidOf(from), to, third);
      return true;
    default:
      return false;
  }
}

function exitArrived(system: ActorSystem, from: Pid, to: number, reason: ExitReason): void {
  const process = system.processWithSerial(to);
  if (process !== undefined) {
    system.signals.exit(from, process.pid, reason);
  }
}

function find(system: ActorSystem, target: number | string): Process | undefined {
  return typeof target === "number" ? system.processWithSerial(target) : system.whereis(target);
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
