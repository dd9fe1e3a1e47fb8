/** What the nemesis does to the network between the machines. */
import { at } from "./draw.ts";
import type { Host } from "./host.ts";
import type { Hosts } from "./hosts.ts";
import type { Letters } from "./letters.ts";
import type { Fault } from "./plan.ts";

export class NetworkFaults {
  readonly #hosts: Hosts;
  readonly #letters: Letters;

  constructor(hosts: Hosts, letters: Letters) {
    this.#hosts = hosts;
    this.#letters = letters;
  }

  /** Whether it happened. */
  act(fault: Fault, host: Host): boolean {
    const { hub } = this.#hosts.sim;
    const { kind, durationMs, amount, draw2, oneWay, late } = fault;
    const others = [...this.#hosts.plan.nodes].filter((name) => name !== host.name);
    const other = at(others, draw2) ?? host.name;
    switch (kind) {
      case "loss":
        return this.#everywhere({ dropProbability: amount }, fault, host.name, other);
      case "duplication":
        return this.#everywhere({ duplicateProbability: amount }, fault, host.name, other);
      case "delay":
        return this.#everywhere({ delayMs: [0, amount * 1_000] }, fault, host.name, other);
      case "pairCut":
        return this.cut([[host.name, other]], oneWay, durationMs);
      case "isolation":
        return this.cut(
          others.map((name) => (late ? [name, host.name] : [host.name, name])),
          oneWay,
          durationMs,
        );
      case "halves":
        return this.#halves(host.name, others, fault);
      case "ring":
        return this.#ring(oneWay, durationMs);
      case "bridge":
        return this.#bridge(host.name, others, durationMs);
      case "flapping":
        return this.#flap(host.name, other, durationMs);
      case "connectionCut":
        if (host.sim?.transport.connected !== true) {
          return false;
        }
        hub.cut(host.name, { reconnectAfterMs: Math.min(durationMs, 3_000), late });
        return true;
      case "serverRestart":
        hub.restart({ downMs: Math.min(durationMs, 2_000), spreadMs: 300 });
        return true;
      case "oldLetters":
        this.#letters.rate = amount * 0.2;
        this.#hosts.later(durationMs, () => {
          this.#letters.rate = 0;
        });
        return true;
      default:
        return false;
    }
  }

  /** On one link in one direction, or on all links; then as before. */
  #everywhere(
    faults: { dropProbability?: number; duplicateProbability?: number; delayMs?: readonly [number, number] },
    { oneWay, durationMs }: Fault,
    from: string,
    to: string,
  ): boolean {
    const { hub } = this.#hosts.sim;
    const link = oneWay ? { from, to } : undefined;
    hub.setFaults(faults, link);
    this.#hosts.later(durationMs, () => hub.setFaults({}, link));
    return true;
  }

  /** Ends by itself. */
  cut(pairs: readonly (readonly string[])[], oneWay: boolean, durationMs: number): boolean {
    const { hub } = this.#hosts.sim;
    for (const [left, right] of pairs) {
      if (left !== undefined && right !== undefined) {
        hub.partition(left, right, oneWay);
        this.#hosts.later(durationMs, () => hub.heal(left, right));
      }
    }
    return pairs.length > 0;
  }

  #halves(one: string, others: readonly string[], { draw2, durationMs, oneWay }: Fault): boolean {
    const size = 1 + Math.floor(draw2 * (others.length - 1));
    const left = [one, ...others.slice(0, size - 1)];
    const right = others.filter((name) => !left.includes(name));
    return this.cut(
      left.flatMap((each) => right.map((other) => [each, other])),
      oneWay,
      durationMs,
    );
  }

  /** Each sees its neighbours only. */
  #ring(oneWay: boolean, durationMs: number): boolean {
    const { nodes } = this.#hosts.plan;
    const pairs = nodes.flatMap((left, index) =>
      nodes
        .slice(index + 2)
        .filter((_, skip) => !(index === 0 && index + 2 + skip === nodes.length - 1))
        .map((right) => [left, right]),
    );
    return this.cut(pairs, oneWay, durationMs);
  }

  /** Two halves that only one node sees both of. */
  #bridge(bridge: string, others: readonly string[], durationMs: number): boolean {
    const middle = Math.ceil(others.length / 2);
    const pairs = others
      .slice(0, middle)
      .flatMap((left) => others.slice(middle).map((right) => [left, right]));
    return bridge !== "" && this.cut(pairs, false, durationMs);
  }

  #flap(left: string, right: string, durationMs: number): boolean {
    const periods = 6;
    for (let period = 0; period < periods; period++) {
      this.#hosts.later((period * durationMs) / periods, () => {
        this.cut([[left, right]], false, durationMs / periods / 2);
      });
    }
    return true;
  }
}
