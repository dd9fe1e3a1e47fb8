/**
 * The driver of pure replicas: takes their steps, shows each to whoever watches, performs its effects, and keeps
 * what disks hold. What comes next, and when, is for others to say: `walk.ts` lets anything happen in any order,
 * `core-run.ts` of the simulator lets it happen in time.
 */
import type { Position } from "../../../lib/stream/entry.ts";
import type { Log } from "../../../lib/stream/log.ts";
import type { Message } from "../../../lib/stream/messages.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type {
  ReplicaState,
  Stepped,
  StreamEffect,
  StreamEvent,
  StreamSettings,
} from "../../../lib/stream/replica-state.ts";
import { createReplica, step } from "../../../lib/stream/step.ts";
import { type Host, nothingStored, persist } from "./host.ts";

/** What the driver asks of those who say what comes next. */
export interface ReplicasPorts<H extends Host> {
  /** The time on the host's own clock. */
  localMs(host: H): number;
  /** A step has been taken. `durable`: the log as memory, or in disk mode the disk, really holds it. */
  saw(host: H, before: ReplicaState, event: StreamEvent, stepped: Stepped, durable: Log): void;
  send(host: H, to: ReplicaId, message: Message): void;
  sendSnapshot(host: H, to: ReplicaId, base: Position): void;
  /** `finishStore` is to be called, once for each. */
  asksStore(host: H, mark: number): void;
  nudge(host: H): void;
  /** All effects of a step have been performed. */
  fed(host: H): void;
}

export class Replicas<H extends Host> {
  readonly hosts: H[] = [];
  readonly #settings: StreamSettings;
  readonly #ports: ReplicasPorts<H>;

  constructor(settings: StreamSettings, ports: ReplicasPorts<H>) {
    this.#settings = settings;
    this.#ports = ports;
  }

  feed(host: H, event: StreamEvent): void {
    const before = host.state;
    const stepped = step(before, event, this.#ports.localMs(host));
    const { state, effects } = stepped;
    host.state = state;
    const durable = this.#settings.durability === "memory" ? state.log : host.stored.log;
    this.#ports.saw(host, before, event, stepped, durable);
    for (const effect of effects) {
      this.#perform(host, effect);
    }
    this.#ports.fed(host);
  }

  /** The next store that waits is done. */
  finishStore(host: H): void {
    const pending = host.pending.shift();
    if (pending !== undefined) {
      persist(host.stored, pending);
      this.feed(host, { type: "stored", mark: pending.store.mark });
    }
  }

  /** The process ends; of the stores that wait, so many were done all the same. */
  crash(host: H, storesDone: number): void {
    for (const store of host.pending.slice(0, storesDone)) {
      persist(host.stored, store);
    }
    host.pending = [];
  }

  /** An empty replica, somebody else than was here before. */
  replace(host: H, id: ReplicaId): void {
    host.id = id;
    host.state = createReplica(id, this.#settings, {});
    host.stored = nothingStored();
    host.pending = [];
  }

  /** The same replica, with what its disk holds. `commitSeq`: up to where it knows that entries are committed. */
  comeBack(host: H, commitSeq: number, life: string): void {
    const { hard, log, tailCertain } = host.stored;
    const stored = { hard, log, commitSeq, tailCertain };
    const nowMs = this.#ports.localMs(host);
    host.state = createReplica(host.id, this.#settings, { stored, nowMs, life });
  }

  #perform(host: H, effect: StreamEffect): void {
    const { state } = host;
    if (effect.type === "send") {
      for (const to of effect.to) {
        this.#ports.send(host, to, effect.message);
      }
    } else if (effect.type === "store") {
      host.pending.push({ store: effect, commitSeq: state.commitSeq, confirms: false });
      this.#ports.asksStore(host, effect.mark);
    } else if (effect.type === "confirmTail") {
      const last = host.pending.at(-1);
      if (last === undefined) {
        host.stored.tailCertain = true;
      } else {
        last.confirms = true;
      }
    } else if (effect.type === "sendSnapshot") {
      const { seq, epoch, chain } = state.log.position(state.commitSeq) ?? state.log.base;
      this.#ports.sendSnapshot(host, effect.to, { seq, epoch, chain });
    } else if (effect.type === "nudge") {
      this.#ports.nudge(host);
    }
  }
}
