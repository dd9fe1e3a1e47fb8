/**
 * The pulse of a node: it beats every `heartbeatMs`, hears the others beat, and asks those that fall
 * silent. Who is up, suspect or down is decided by `liveness.ts`; this is its shell.
 */
import type { ActorSystem } from "../actor/system.ts";
import type { Timer } from "../base/clock.ts";
import { messageOf, SupercastError } from "../base/errors.ts";
import type { IncomingMessage, Transport } from "../transport/transport.ts";
import {
  type ConnectionCount,
  decodeHeartbeat,
  encodeHeartbeat,
  type Heartbeat,
  type HeartbeatKind,
} from "./heartbeat.ts";
import { Liveness, type LivenessEffect, type LivenessEvent, type PeerLife } from "./liveness.ts";
import type { Subjects } from "./subjects.ts";

export interface PulseHost {
  readonly system: ActorSystem;
  readonly transport: Transport;
  readonly subjects: Subjects;
  /** What heartbeats tell of the connections to others. */
  connections(): ConnectionCount[];
  /** Somebody came up, fell silent, went down or is forgotten. */
  liveness(effect: Exclude<LivenessEffect, { type: "ask" }>): void;
  /** A peer's heartbeat, after it has been taken as a sign of life. */
  heartbeat(beat: Heartbeat): void;
  /** An incarnation with this node's own name was heard. */
  namesake(incarnation: string): void;
  invalid(what: string, thrown: unknown): void;
}

const NOTHING = new Uint8Array(0);

export class Pulse {
  readonly #host: PulseHost;
  readonly #liveness: Liveness;
  #timer: Timer | undefined;
  #beatSoon = false;
  #stopped = false;

  constructor(host: PulseHost) {
    this.#host = host;
    this.#liveness = new Liveness(host.system.limits);
  }

  start(): void {
    this.publish("hello");
    this.#schedule();
  }

  /** Says goodbye and is silent from now on. */
  stop(): void {
    this.publish("bye");
    this.#stopped = true;
    if (this.#timer !== undefined) {
      this.#host.system.clock.clearTimer(this.#timer);
    }
  }

  peers(): IterableIterator<PeerLife> {
    return this.#liveness.peers();
  }

  isUp(node: string): boolean {
    const status = this.#liveness.get(node)?.status;
    return status === "up" || status === "suspect";
  }

  /** Some other message is a sign of life too. */
  heard(node: string, incarnation: string): void {
    const now = this.#host.system.clock.now();
    if (!this.#liveness.heardAgain(node, incarnation, now)) {
      this.#step({ type: "heard", node, incarnation });
    }
  }

  /** Beats once more in this turn, because somebody should know something at once. */
  beatNow(): void {
    if (!this.#beatSoon) {
      this.#beatSoon = true;
      this.#host.system.clock.immediate(() => {
        this.#beatSoon = false;
        this.publish("beat");
      });
    }
  }

  publish(kind: HeartbeatKind): void {
    const { system, transport, subjects } = this.#host;
    if (!transport.connected || this.#stopped) {
      return;
    }
    const { node, incarnation } = system;
    const beat = encodeHeartbeat({ kind, node, incarnation, connections: this.#host.connections() });
    try {
      transport.publish(subjects.heartbeat(node), beat);
    } catch (thrown) {
      system.log.warn(`a heartbeat could not be published: ${messageOf(thrown)}`);
    }
  }

  #schedule(): void {
    const { clock, limits } = this.#host.system;
    this.#timer = clock.setTimer(() => {
      this.#schedule();
      this.#beat();
    }, limits.heartbeatMs);
  }

  #beat(): void {
    this.publish("beat");
    const { connectedAt } = this.#host.transport;
    const connectedForMs =
      connectedAt === undefined ? undefined : this.#host.system.clock.now() - connectedAt;
    this.#step({ type: "tick", connectedForMs });
  }

  receive(message: IncomingMessage): void {
    let beat: Heartbeat;
    try {
      beat = decodeHeartbeat(message.payload);
    } catch (thrown) {
      this.#host.invalid(`heartbeat on ${message.subject}`, thrown);
      return;
    }
    const { node, incarnation } = beat;
    if (node === this.#host.system.node) {
      if (incarnation !== this.#host.system.incarnation) {
        this.#host.namesake(incarnation);
      }
      return;
    }
    this.#step({ type: beat.kind === "bye" ? "goodbye" : "heard", node, incarnation });
    this.#host.heartbeat(beat);
    if (beat.kind === "hello") {
      this.beatNow();
    }
  }

  #step(event: LivenessEvent): void {
    if (this.#stopped) {
      return;
    }
    for (const effect of this.#liveness.step(event, this.#host.system.clock.now())) {
      if (effect.type === "ask") {
        this.#ask(effect.node, effect.incarnation);
      } else {
        this.#host.liveness(effect);
      }
    }
  }

  #ask(node: string, incarnation: string): void {
    const { system, transport, subjects } = this.#host;
    const options = { timeoutMs: system.limits.failureTimeoutMs };
    transport.request(subjects.probe(node, incarnation), NOTHING, options).then(
      () => this.#step({ type: "heard", node, incarnation }),
      (error: unknown) => {
        // Only "nobody subscribes" says something; a timeout or a lost connection leaves it to the clock.
        if (error instanceof SupercastError && error.code === "noproc") {
          this.#step({ type: "noResponders", node, incarnation });
        }
      },
    );
  }
}
