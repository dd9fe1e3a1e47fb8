/** Stopping a process from outside and waiting for its end (gen_server:stop). */
import { SupercastError } from "../base/errors.ts";
import { type ExitReason, formatReason } from "../base/reason.ts";
import { exitError } from "./from.ts";
import type { Down } from "./info.ts";
import { Process } from "./process.ts";
import type { Address } from "./ref.ts";
import { type ActorSystem, callingSelf, noproc } from "./system.ts";

export interface StopOptions {
  /** What `terminate` is told and observers see; default "normal". */
  readonly reason?: ExitReason;
  /** Milliseconds to wait for the end; default Infinity, as in OTP. */
  readonly timeoutMs?: number;
}

export function stopProcess(system: ActorSystem, target: Address, options: StopOptions): Promise<void> {
  const { reason = "normal", timeoutMs = Number.POSITIVE_INFINITY } = options;
  const found = system.resolve(target);
  if (found === undefined) {
    return Promise.reject(noproc(describe(target)));
  }
  if (!(found instanceof Process)) {
    return system.remote.stop(found.remote, reason, timeoutMs);
  }
  if (found === system.current) {
    return Promise.reject(callingSelf(found.label));
  }
  return new Promise((resolve, reject) => {
    const timer = Number.isFinite(timeoutMs)
      ? system.clock.setTimer(() => {
          demonitor();
          reject(new SupercastError("timeout", `${found.label} did not end within ${timeoutMs} ms`));
        }, timeoutMs)
      : undefined;
    const deliverDown = (down: Down): void => {
      if (timer !== undefined) {
        system.clock.clearTimer(timer);
      }
      if (formatReason(down.reason) === formatReason(reason)) {
        resolve();
      } else {
        reject(exitError(found.label, down.reason));
      }
    };
    const { demonitor } = system.monitor({ deliverDown }, found.pid);
    found.pushSystem(() => found.end(reason));
  });
}

function describe(target: Address): string {
  if (typeof target === "string") {
    return target;
  }
  return "pid" in target ? target.pid : target.name;
}
