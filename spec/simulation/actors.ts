/** The actors that simulated clusters run. */
import { Actor } from "../../lib/actor/actor.ts";
import type { From } from "../../lib/actor/from.ts";
import type { Info } from "../../lib/actor/info.ts";
import type { Pid } from "../../lib/actor/pid.ts";
import type { Call, CallMessage, Cast, CastMessage } from "../../lib/actor/protocol.ts";
import type { CallResult } from "../../lib/actor/result.ts";
import { abnormal, type ExitReason, formatReason } from "../../lib/base/reason.ts";

export type WorkerProtocol = {
  echo: Call<{ value: unknown }, unknown>;
  /** Answers after so long. */
  later: Call<{ ms: number }, string>;
  never: Call<Record<never, never>, string>;
  watch: Call<{ target: Pid }, true>;
  tie: Call<{ target: Pid }, true>;
  untie: Call<{ target: Pid }, true>;
  signal: Call<{ target: Pid; reason: ExitReason }, true>;
  /** What came so far: casts, infos. */
  seen: Call<Record<never, never>, readonly string[]>;
  note: Cast<{ from: string; n: number }>;
  crash: Cast<{ why: string }>;
};

export interface WorkerArgs {
  readonly trap?: boolean;
  /** Called for each note, as it is handled. */
  readonly onNote?: (from: string, n: number) => void;
}

export class Worker extends Actor<WorkerProtocol, readonly string[], WorkerArgs> {
  #onNote: WorkerArgs["onNote"];

  init({ trap, onNote }: WorkerArgs): readonly string[] {
    this.#onNote = onNote;
    if (trap === true) {
      this.trapExit();
    }
    return [];
  }

  override handleCall(message: CallMessage<WorkerProtocol>, from: From<WorkerProtocol>): CallResult {
    switch (message.type) {
      case "echo":
        return this.reply(message, message.value);
      case "later":
        this.after(message.ms, () => from.reply(message, "done"));
        return this.noReply();
      case "never":
        return this.noReply();
      case "watch":
        this.monitor(message.target);
        return this.reply(message, true);
      case "tie":
        this.link(message.target);
        return this.reply(message, true);
      case "untie":
        this.unlink(message.target);
        return this.reply(message, true);
      case "signal":
        this.exit(message.target, message.reason);
        return this.reply(message, true);
      case "seen":
        return this.reply(message, this.state);
    }
  }

  override handleCast(message: CastMessage<WorkerProtocol>): void {
    if (message.type === "crash") {
      throw new Error(message.why);
    }
    this.#onNote?.(message.from, message.n);
    this.state = [...this.state, `note ${message.from} ${message.n}`];
  }

  override handleInfo(info: Info): void {
    const shown = "reason" in info && info.type !== "nodeDown" ? ` ${formatReason(info.reason)}` : "";
    this.state = [...this.state, `${info.type}${shown}`];
  }
}

export const BOOM: ExitReason = abnormal("boom");
