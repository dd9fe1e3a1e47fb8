/** An actor system on virtual time, with what a spec wants to look at. */

import { Actor, type ActorClass, type ArgsOf, type ProtocolOfActor } from "../../lib/actor/actor.ts";
import type { Down, Info } from "../../lib/actor/info.ts";
import { LocalRef } from "../../lib/actor/local-ref.ts";
import type { Process } from "../../lib/actor/process.ts";
import type { Call, CallMessage } from "../../lib/actor/protocol.ts";
import type { Awaitable, Reply } from "../../lib/actor/result.ts";
import type { StartOptions, StartOutcome } from "../../lib/actor/start.ts";
import { ActorSystem } from "../../lib/actor/system.ts";
import { SupercastError } from "../../lib/base/errors.ts";
import { seededRandom } from "../../lib/base/random.ts";
import { formatReason } from "../../lib/base/reason.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { collectLog, type LogLine } from "../../lib/telemetry/log.ts";

export class Rig {
  readonly clock: VirtualClock = new VirtualClock();
  readonly system: ActorSystem;
  readonly lines: LogLine[];

  constructor(node: string = "a") {
    const { log, lines } = collectLog();
    this.lines = lines;
    this.system = new ActorSystem({
      node,
      incarnation: "i1",
      clock: this.clock,
      random: seededRandom(1),
      log,
    });
  }

  /** Starts an actor that must start. */
  async start<C extends ActorClass>(
    actorClass: C,
    args: ArgsOf<C>,
    options: StartOptions = {},
  ): Promise<{ readonly process: Process; readonly ref: LocalRef<ProtocolOfActor<C>> }> {
    const outcome: StartOutcome = await this.system.start(actorClass, args, options);
    if (outcome.status !== "started") {
      throw new Error(`${actorClass.name} did not start: ${JSON.stringify(outcome)}`);
    }
    return { process: outcome.process, ref: new LocalRef<ProtocolOfActor<C>>(outcome.process) };
  }

  /** A process that runs code on behalf of a spec, as an actor would in a handler. */
  async runner(
    options: { trapExit: boolean } = { trapExit: false },
  ): Promise<{ readonly process: Process; run<T>(body: (self: Process) => Awaitable<T>): Promise<T> }> {
    const { process, ref } = await this.start(Runner, options);
    const run = async <T>(body: (self: Process) => Awaitable<T>): Promise<T> => {
      const results: T[] = [];
      const store = async (self: Process): Promise<void> => {
        results.push(await body(self));
      };
      await ref.call({ type: "run", body: store }, { timeoutMs: Number.POSITIVE_INFINITY });
      for (const result of results) {
        return result;
      }
      throw new Error("the body gave no result");
    };
    return { process, run };
  }

  /** The DOWNs of a process as they come. */
  watch(process: Process): Down[] {
    const downs: Down[] = [];
    this.system.monitor({ deliverDown: (down) => downs.push(down) }, process.pid);
    return downs;
  }
}

type RunnerProtocol = { run: Call<{ body: (self: Process) => unknown }> };

/** Runs what it is sent, as the code of one of its handlers; notes the exits it traps. */
export class Runner extends Actor<RunnerProtocol, readonly string[], { trapExit: boolean }> {
  init({ trapExit }: { trapExit: boolean }): readonly string[] {
    if (trapExit) {
      this.trapExit();
    }
    return [];
  }

  override async handleCall(message: CallMessage<RunnerProtocol>): Promise<Reply> {
    await message.body(this.process);
    return this.reply(message, undefined);
  }

  override handleInfo(info: Info): void {
    this.state = [...this.state, info.type === "exit" ? `exit ${formatReason(info.reason)}` : info.type];
  }
}

/** The `code` of what was thrown, for `promise.catch(codeOf)`. */
export function codeOf(thrown: unknown): string {
  if (thrown instanceof SupercastError) {
    return thrown.code;
  }
  throw thrown;
}

/** The `code` of what `run` throws; undefined when it does not. */
export function codeThrown(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (thrown) {
    return codeOf(thrown);
  }
}
