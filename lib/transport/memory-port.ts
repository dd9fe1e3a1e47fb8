/** A memory hub's side of one client: its connection, and what waits while it is paused or away. */
import type { Clock } from "../base/clock.ts";
import type { Interest, MemoryClient, Parcel } from "./memory-client.ts";
import type { Schedule } from "./memory-schedule.ts";

export interface PortSetup {
  readonly clock: Clock;
  readonly schedule: Schedule;
  /** Bytes that may wait for a paused client before it is cut off. */
  readonly pendingMax: number;
  /** Whether the client still subscribes. */
  readonly isWanted: (interest: Interest) => boolean;
  readonly makeClient: (port: Port) => MemoryClient;
}

export class Port {
  readonly name: string;
  readonly client: MemoryClient;
  readonly #setup: PortSetup;
  #connected = true;
  #connection = 1;
  #pausedAt: number | undefined;
  /** Earlier connections whose deliveries still arrive. */
  readonly #lateConnections = new Set<number>();
  #outHeld: (() => void)[] = [];
  #inHeld: (() => void)[] = [];
  #inHeldBytes = 0;

  constructor(name: string, setup: PortSetup) {
    this.name = name;
    this.#setup = setup;
    this.client = setup.makeClient(this);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Counts the client's connections; what was sent or routed in an earlier one is lost. */
  get connection(): number {
    return this.#connection;
  }

  /** Runs `action` when what the client sends now reaches the hub, or `lost` when it never will. */
  send(action: () => void, lost?: () => void): void {
    const connection = this.#connection;
    const arrive = (): void => {
      if (this.#connection === connection) {
        action();
      } else {
        lost?.();
      }
    };
    if (this.#pausedAt === undefined) {
      this.#setup.schedule.soon(arrive);
    } else {
      this.#outHeld.push(arrive);
    }
  }

  /** Gives the client a message that was routed to it in `connection`. */
  hand(connection: number, interest: Interest, parcel: Parcel): void {
    const lost = connection !== this.#connection && !this.#lateConnections.has(connection);
    if (lost || !this.#setup.isWanted(interest)) {
      return;
    }
    // Behind what is held already, even when that is about to be released.
    if (this.#connected && this.#pausedAt === undefined && this.#inHeld.length === 0) {
      this.client.receive(interest, parcel);
      return;
    }
    this.#inHeld.push(() => this.hand(connection, interest, parcel));
    this.#inHeldBytes += parcel.payload.length + parcel.subject.length;
    if (this.#pausedAt !== undefined && this.#inHeldBytes > this.#setup.pendingMax) {
      this.#breakOff(false, this.#setup.clock.now() - this.#pausedAt);
    }
  }

  pause(): void {
    this.#pausedAt ??= this.#setup.clock.now();
  }

  resume(): void {
    this.#pausedAt = undefined;
    const actions = this.#outHeld;
    this.#outHeld = [];
    for (const action of actions) {
      this.#setup.schedule.soon(action);
    }
    this.#release();
  }

  /** With `late`, what is on its way to the client arrives after it has come back. */
  cut(late: boolean): void {
    this.#breakOff(late, 0);
  }

  reconnect(): void {
    if (!this.#connected) {
      this.#connected = true;
      this.client.onReconnected();
      this.#release();
    }
  }

  /** The client will not come back. */
  end(): void {
    this.#connected = false;
    this.#dropHeld();
    this.#nextConnection();
  }

  #breakOff(late: boolean, lateMs: number): void {
    if (!this.#connected) {
      return;
    }
    this.#connected = false;
    if (late) {
      this.#lateConnections.add(this.#connection);
    } else {
      this.#dropHeld();
    }
    this.#nextConnection();
    this.client.onCut(lateMs);
  }

  #dropHeld(): void {
    this.#inHeld = [];
    this.#inHeldBytes = 0;
  }

  /** What was held on its way out finds that its connection is over. */
  #nextConnection(): void {
    this.#connection += 1;
    const actions = this.#outHeld;
    this.#outHeld = [];
    for (const action of actions) {
      action();
    }
  }

  #release(): void {
    this.#setup.schedule.soon(() => {
      if (this.#connected && this.#pausedAt === undefined) {
        const actions = this.#inHeld;
        this.#dropHeld();
        for (const action of actions) {
          action();
        }
      }
    });
  }
}
