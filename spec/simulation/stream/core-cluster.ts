/**
 * The replicas of `core-run.ts` in time: messages, stores and snapshots arrive when the network and the disks let
 * them, a process that stands still gets everything later, and one that has ended gets nothing.
 */
import type { Random } from "../../../lib/base/random.ts";
import type { Position } from "../../../lib/stream/entry.ts";
import type { Message } from "../../../lib/stream/messages.ts";
import { nodeOf, type ReplicaId, replicaId } from "../../../lib/stream/replica-id.ts";
import type { ReplicaState, StreamEvent, StreamSettings } from "../../../lib/stream/replica-state.ts";
import { nothingStored } from "../../stream/walk/host.ts";
import { Replicas, type ReplicasPorts } from "../../stream/walk/replicas.ts";
import type { Witness } from "../../stream/walk/witness.ts";
import type { Agenda } from "./agenda.ts";
import type { CoreNetwork } from "./core-network.ts";
import type { Cell } from "./core-types.ts";
import { pick } from "./draw.ts";
import type { Observer } from "./observer.ts";
import { shortId } from "./world.ts";

export interface CoreParts {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly settings: StreamSettings;
  readonly network: CoreNetwork;
  readonly observer: Observer;
  readonly witness: Witness;
}

export class CoreCluster {
  /** Steps that were taken. */
  steps = 0;
  readonly #agenda: Agenda;
  readonly #random: Random;
  readonly #settings: StreamSettings;
  readonly #network: CoreNetwork;
  readonly #observer: Observer;
  readonly #witness: Witness;
  readonly #replicas: Replicas<Cell>;

  constructor({ agenda, random, settings, network, observer, witness }: CoreParts) {
    this.#agenda = agenda;
    this.#random = random;
    this.#settings = settings;
    this.#network = network;
    this.#observer = observer;
    this.#witness = witness;
    this.#replicas = new Replicas(settings, this.#ports());
  }

  get cells(): readonly Cell[] {
    return this.#replicas.hosts;
  }

  // --- replicas -----------------------------------------------------------------------------------

  newId(node: string): ReplicaId {
    return replicaId(node, this.#random.token(8));
  }

  add(node: string, state: ReplicaState): void {
    const stored = { ...nothingStored(), hard: state.hard };
    this.#replicas.hosts.push({
      node,
      clock: { rate: 1, offsetMs: 0 },
      id: state.self,
      state,
      stored,
      pending: [],
      pausedUntil: 0,
      life: 1,
      alive: true,
      probe: this.#observer.probe(),
      nudged: false,
    });
  }

  /** A process begins on a node where one has ended. */
  #begin(cell: Cell): void {
    cell.life += 1;
    cell.alive = true;
    cell.pausedUntil = 0;
    cell.nudged = false;
    cell.probe = this.#observer.probe();
  }

  on(node: string): Cell | undefined {
    return this.cells.find((cell) => cell.node === node);
  }

  tick(cell: Cell): void {
    if (cell.alive && cell.pausedUntil <= this.#agenda.now) {
      this.step(cell, { type: "tick", draw: this.#random.next() });
      const to = pick(this.#random, this.cells);
      if (cell.state.role === "empty" && to !== undefined && to !== cell) {
        this.step(cell, { type: "join", to: to.id });
      }
    }
    this.later(100, () => this.tick(cell));
  }

  step(cell: Cell, event: StreamEvent): void {
    this.#run(cell, () => this.#replicas.feed(cell, event));
  }

  /** Something happens to a process: when it goes on, if it stands still; never, if it has ended by then. */
  #run(cell: Cell, what: () => void): void {
    const { life } = cell;
    if (!cell.alive) {
      return;
    }
    if (cell.pausedUntil > this.#agenda.now) {
      this.#agenda.at(cell.pausedUntil, () => {
        if (cell.life === life) {
          this.#run(cell, what);
        }
      });
      return;
    }
    this.steps += 1;
    try {
      what();
    } catch (thrown) {
      this.#observer.world.violate("step", `${shortId(cell.id)}: ${String(thrown)}`);
      this.end(cell, true);
    }
  }

  #ports(): ReplicasPorts<Cell> {
    return {
      localMs: () => this.#agenda.now,
      saw: (cell, before, event, stepped, durable) => {
        cell.probe(before, event, stepped.state, stepped.effects);
        this.#witness.see(cell.id, before, event, stepped, durable);
      },
      send: (cell, to, message) => this.#send(cell.id, to, message),
      sendSnapshot: (cell, to, base) => this.#transfer(cell, to, base),
      asksStore: (cell) => {
        // Stores end in their order, each a little later.
        this.#laterIn(cell, 1 + this.#random.next() * 10, () => this.#replicas.finishStore(cell));
      },
      nudge: (cell) => this.#nudge(cell),
      fed: () => undefined,
    };
  }

  #nudge(cell: Cell): void {
    if (!cell.nudged) {
      cell.nudged = true;
      this.#laterIn(cell, 5, () => {
        cell.nudged = false;
        this.#replicas.feed(cell, { type: "nudged" });
      });
    }
  }

  #transfer(cell: Cell, to: ReplicaId, base: Position): void {
    const { life } = cell;
    const lost = this.#network.delays(cell.node, nodeOf(to)).length === 0;
    this.later(20 + this.#random.next() * 200, () => {
      const receiver = this.on(nodeOf(to));
      const arrives = !lost && receiver?.id === to;
      if (arrives) {
        this.step(receiver, { type: "snapshotReceived", base });
      }
      if (cell.life === life) {
        this.step(cell, { type: "snapshotSent", to, seq: arrives ? base.seq : null });
      }
    });
  }

  later(ms: number, run: () => void): void {
    this.#agenda.at(this.#agenda.now + ms, run);
  }

  /** The same for what a process does: not once it has ended. */
  #laterIn(cell: Cell, ms: number, what: () => void): void {
    const { life } = cell;
    this.later(ms, () => {
      if (cell.life === life) {
        this.#run(cell, what);
      }
    });
  }

  // --- the network --------------------------------------------------------------------------------

  #send(from: ReplicaId, to: ReplicaId, message: Message): void {
    for (const delayMs of this.#network.delays(nodeOf(from), nodeOf(to))) {
      this.later(delayMs, () => {
        const cell = this.on(nodeOf(to));
        if (cell?.id === to) {
          this.step(cell, { type: "message", from, message });
        }
      });
    }
  }

  // --- ends and returns ---------------------------------------------------------------------------

  /** The process ends; `lost`: and with it what it held. */
  end(cell: Cell, lost: boolean): void {
    cell.alive = false;
    cell.life += 1;
    this.#replicas.crash(cell, this.#random.below(cell.pending.length + 1));
    this.#observer.ended(cell.id, lost);
  }

  /** The same replica with what its disk holds; in memory somebody else. */
  restart(cell: Cell): void {
    if (this.#settings.durability === "disk") {
      this.#replicas.comeBack(
        cell,
        Math.min(cell.stored.commitSeq, cell.stored.log.lastSeq),
        String(cell.life),
      );
      this.#witness.returned(cell.id, cell.state);
    } else {
      this.#replicas.replace(cell, this.newId(cell.node));
    }
    this.#begin(cell);
  }

  /** An empty replica in place of the one that is there. */
  refresh(cell: Cell): void {
    this.end(cell, true);
    this.#replicas.replace(cell, this.newId(cell.node));
    this.#begin(cell);
  }
}
