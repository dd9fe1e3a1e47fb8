/** Source and receiver of a transfer, over a channel that loses, repeats, delays and damages. */
import { expect } from "chai";
import fc from "fast-check";
import type { ReplicatedState } from "../../lib/stream/replicated-state.ts";
import type { SnapshotMessage } from "../../lib/stream/snapshot-messages.ts";
import type { ReceiverEffect, SnapshotReceiver } from "../../lib/stream/snapshot-receiver.ts";
import { SnapshotSource } from "../../lib/stream/snapshot-source.ts";
import { type Operation, operation, request } from "./state-support.ts";
import { filled, newReceiver, SMALL, SOURCE } from "./transfer-support.ts";

/** A transfer and the messages on their way. */
class Net {
  readonly writer = filled(12);
  readonly source: SnapshotSource;
  readonly receiver: SnapshotReceiver;
  toReceiver: SnapshotMessage[] = [];
  toSource: SnapshotMessage[] = [];
  readonly received: ReplicatedState[] = [];
  /** What the log comes to, by entry. */
  readonly hashes: string[] = [];
  #requestSeq = 12;

  constructor() {
    // Silence is not what these runs are about.
    const limits = { ...SMALL, silentTicks: 10_000 };
    this.receiver = newReceiver(limits);
    this.source = new SnapshotSource(this.writer.state, 1, limits);
    this.hashes[this.writer.state.appliedSeq] = this.writer.state.stateHash();
  }

  commit(operations: readonly Operation[]): void {
    const requests = operations.map((one) => {
      this.#requestSeq += 1;
      return request("y", this.#requestSeq, one, Math.max(0, this.#requestSeq - 3));
    });
    this.writer.write(...requests);
    this.hashes[this.writer.state.appliedSeq] = this.writer.state.stateHash();
  }

  cut(): void {
    const chunk = this.source.next();
    if (chunk !== null) {
      this.toReceiver.push(chunk);
    }
  }

  tick(): void {
    this.toReceiver.push(...this.source.tick());
    this.effects(this.receiver.tick());
  }

  deliver(message: unknown): void {
    this.effects(this.receiver.receive(SOURCE, message));
  }

  effects(effects: readonly ReceiverEffect[]): void {
    for (const effect of effects) {
      if (effect.type === "send") {
        this.toSource.push(effect.message);
      } else if (effect.type === "received") {
        this.received.push(effect.state);
      } else {
        throw new Error(`the transfer failed: ${effect.reason}`);
      }
    }
  }

  check(): void {
    const { outcome } = this.source;
    const [copy] = this.received;
    expect(this.received.length).to.be.at.most(1);
    expect(outcome.kind).to.be.oneOf(copy === undefined ? ["sending"] : ["sending", "sent"]);
    if (copy !== undefined) {
      expect(copy.stateHash()).to.equal(this.hashes[copy.appliedSeq]);
    }
  }

  /** The channel is good again. */
  heal(): void {
    for (let round = 0; round < 500 && this.source.outcome.kind === "sending"; round++) {
      this.cut();
      this.tick();
      for (const message of this.toReceiver.splice(0)) {
        this.deliver(message);
      }
      for (const message of this.toSource.splice(0)) {
        this.source.receive(message);
      }
      this.check();
    }
  }
}

/** How often something happened in a run: the commands' model. */
interface Model {
  damaged: number;
}

interface NetCommand extends fc.Command<Model, Net> {}

function command(name: string, act: (net: Net, model: Model) => void): NetCommand {
  return {
    check: () => true,
    run: (model, net) => {
      act(net, model);
      net.check();
    },
    toString: () => name,
  };
}

/** Takes the message at a drawn place out of `queue`, or leaves a copy of it there. */
function pick(queue: SnapshotMessage[], draw: number, stays: boolean): SnapshotMessage | undefined {
  const at = draw % Math.max(1, queue.length);
  return stays ? queue[at] : queue.splice(at, 1)[0];
}

function damaged(message: SnapshotMessage, draw: number): SnapshotMessage {
  if (message.type !== "snapshotChunk") {
    return message;
  }
  const body = new Uint8Array(message.body);
  body[draw % body.length] = (body[draw % body.length] ?? 0) ^ (1 + (draw % 255));
  return { ...message, body };
}

const draws = fc.nat(1_000);
const commands = [
  fc
    .array(operation, { maxLength: 3 })
    .map((operations) => command("commit", (net) => net.commit(operations))),
  ...Array.from({ length: 4 }, () => fc.constant(command("cut", (net) => net.cut()))),
  fc.constant(command("tick", (net) => net.tick())),
  fc
    .tuple(draws, fc.boolean())
    .map(([draw, stays]) =>
      command(`deliver ${draw} ${stays}`, (net) => net.deliver(pick(net.toReceiver, draw, stays))),
    ),
  fc
    .tuple(draws, fc.boolean())
    .map(([draw, stays]) =>
      command(`answer ${draw} ${stays}`, (net) => net.source.receive(pick(net.toSource, draw, stays))),
    ),
  draws.map((draw) => command(`lose ${draw}`, (net) => pick(net.toReceiver, draw, false))),
  draws.map((draw) => command(`lose answer ${draw}`, (net) => pick(net.toSource, draw, false))),
  draws.map((draw) =>
    command(`damage ${draw}`, (net, model) => {
      const message = pick(net.toReceiver, draw, false);
      if (message !== undefined) {
        model.damaged += 1;
        const before = net.toSource.length + net.received.length;
        net.deliver(damaged(message, draw));
        expect(net.toSource.length + net.received.length).to.equal(before);
      }
    }),
  ),
];

describe("a transfer over a bad channel", () => {
  it("brings over the state of its base, once, when the channel is good again", () => {
    let damages = 0;
    fc.assert(
      fc.property(fc.commands(commands, { maxCommands: 80, size: "max" }), (schedule) => {
        const model: Model = { damaged: 0 };
        const net = new Net();
        fc.modelRun(() => ({ model, real: net }), schedule);
        net.heal();
        damages += model.damaged;
        expect(net.source.outcome.kind).to.equal("sent");
        expect(net.received).to.have.length(1);
        const [copy] = net.received;
        for (const entry of net.writer.log.entries.slice(copy?.appliedSeq)) {
          copy?.apply(entry);
        }
        expect(copy?.stateHash()).to.equal(net.writer.state.stateHash());
      }),
      { numRuns: 150 },
    );
    expect(damages).to.be.greaterThan(100);
  }).timeout(60_000);
});
