/**
 * Which faults there are, and which come next. Pure: the same seed deals the same faults.
 *
 * Faults are dealt like cards: every kind once, in a new order each time round, so that a run of any length has
 * had all of them about equally often. A round has one fault, or one at a process or server and beside it one on
 * the wire of another node.
 *
 * What no protocol could survive is not dealt: without a disk no two nodes die at once, and a journal is damaged
 * only when the other nodes hold everything (`nemesis.ts` waits for that).
 */
import type { Random } from "../../lib/base/random.ts";
import type { Damage } from "./damage.ts";
import type { Direction } from "./proxy.ts";

export type Durability = "memory" | "disk";

export type Fault = {
  readonly holdMs: number;
} /** SIGKILL of these at once, and all started again after `holdMs`. */ & (
  | { readonly kind: "kill" | "killMajority" | "killAll"; readonly nodes: readonly string[] }
  /** SIGSTOP, SIGCONT. */
  | { readonly kind: "pause"; readonly node: string }
  | { readonly kind: "killServer"; readonly server: number }
  | { readonly kind: "reset"; readonly node: string }
  | { readonly kind: "cut" | "cutMany"; readonly nodes: readonly string[] }
  | { readonly kind: "delay"; readonly node: string; readonly delayMs: number }
  | { readonly kind: "stall"; readonly node: string; readonly directions: readonly Direction[] }
  /** The node is killed, its journal damaged, and it is started again. */
  | { readonly kind: "damage"; readonly node: string; readonly how: Damage }
);

/** What a card of the deck asks for; damage and stalls are a kind for each way. */
const EVERYWHERE = [
  "kill",
  "pause",
  "killServer",
  "reset",
  "cut",
  "cutMany",
  "delay",
  "stallBoth",
  "stallUp",
  "stallDown",
] as const;
const ON_DISK = ["killMajority", "killAll", "damageTail", "damageFlip", "damageSegment"] as const;

export type Card = (typeof EVERYWHERE)[number] | (typeof ON_DISK)[number];

export interface FaultSetting {
  readonly nodes: readonly string[];
  readonly servers: number;
  readonly durability: Durability;
  /** Silence after which a node counts as down; faults are held for times around it. */
  readonly failureTimeoutMs: number;
}

/** The cards of a setting. */
export function cardsFor({ durability }: Pick<FaultSetting, "durability">): readonly Card[] {
  return durability === "disk" ? [...EVERYWHERE, ...ON_DISK] : EVERYWHERE;
}

/** A round in so many is of two faults, where its fault allows a second. */
const SECOND_SHARE = 0.3;
/** A fault meets the writer of some partition with this probability, else any node. */
const WRITER_SHARE = 0.5;
const WIRE_CARDS = ["reset", "delay", "stallUp", "stallDown"] as const satisfies readonly Card[];
const MAY_HAVE_SECOND: ReadonlySet<Card> = new Set(["kill", "pause", "killServer"]);

export class FaultDeck {
  readonly #random: Random;
  readonly #setting: FaultSetting;
  #cards: Card[] = [];

  constructor(random: Random, setting: FaultSetting) {
    this.#random = random;
    this.#setting = setting;
  }

  /** The faults of the next round; `writers`: nodes that are writer of a partition now. */
  deal(writers: readonly string[]): readonly Fault[] {
    const card = this.#draw();
    const first = this.#faultOf(card, this.#victim(writers));
    const others = this.#setting.nodes.filter((node) => !nodesOf(first).includes(node));
    const target = this.#pick(others);
    if (target === undefined || !MAY_HAVE_SECOND.has(card) || this.#random.next() >= SECOND_SHARE) {
      return [first];
    }
    return [first, this.#faultOf(this.#pick(WIRE_CARDS) ?? "reset", target)];
  }

  #draw(): Card {
    if (this.#cards.length === 0) {
      this.#cards = shuffled(cardsFor(this.#setting), this.#random);
    }
    return this.#cards.pop() ?? "kill";
  }

  #victim(writers: readonly string[]): string {
    const writer = this.#random.next() < WRITER_SHARE ? this.#pick(writers) : undefined;
    return writer ?? this.#pick(this.#setting.nodes) ?? "a";
  }

  #faultOf(card: Card, node: string): Fault {
    const { nodes, failureTimeoutMs, servers } = this.#setting;
    const majority = Math.floor(nodes.length / 2) + 1;
    // Longer than the failure timeout: the others notice.
    const longMs = failureTimeoutMs + this.#upTo(failureTimeoutMs);
    // Sometimes noticed, sometimes not.
    const someMs = this.#upTo(2 * failureTimeoutMs);
    switch (card) {
      case "kill":
        return { kind: card, nodes: [node], holdMs: someMs };
      case "killMajority":
        return { kind: card, nodes: this.#others(node, majority), holdMs: someMs };
      case "killAll":
        return { kind: card, nodes, holdMs: this.#upTo(failureTimeoutMs) };
      case "pause":
        return { kind: card, node, holdMs: longMs };
      case "killServer":
        return { kind: card, server: this.#random.below(servers), holdMs: someMs };
      case "reset":
        return { kind: card, node, holdMs: 0 };
      case "cut":
        return { kind: card, nodes: [node], holdMs: someMs };
      case "cutMany":
        return { kind: card, nodes: this.#others(node, majority), holdMs: someMs };
      case "delay":
        return { kind: card, node, delayMs: 20 + this.#upTo(400), holdMs: someMs };
      case "stallBoth":
        return { kind: "stall", node, directions: ["up", "down"], holdMs: longMs };
      case "stallUp":
        return { kind: "stall", node, directions: ["up"], holdMs: longMs };
      case "stallDown":
        return { kind: "stall", node, directions: ["down"], holdMs: longMs };
      case "damageTail":
        return { kind: "damage", node, how: "tail", holdMs: failureTimeoutMs };
      case "damageFlip":
        return { kind: "damage", node, how: "flip", holdMs: failureTimeoutMs };
      case "damageSegment":
        return { kind: "damage", node, how: "segment", holdMs: failureTimeoutMs };
    }
  }

  /** `node` and others, `count` in all. */
  #others(node: string, count: number): readonly string[] {
    const rest = this.#setting.nodes.filter((each) => each !== node);
    return [node, ...shuffled(rest, this.#random)].slice(0, count);
  }

  #upTo(ms: number): number {
    return this.#random.below(ms);
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[this.#random.below(items.length)];
  }
}

/** The nodes that a fault is about. */
export function nodesOf(fault: Fault): readonly string[] {
  return "nodes" in fault ? fault.nodes : "node" in fault ? [fault.node] : [];
}

/** The kind of a fault with its way, for counting: `damage (flip)`, `stall (up)`. */
export function kindOf(fault: Fault): string {
  switch (fault.kind) {
    case "damage":
      return `damage (${fault.how})`;
    case "stall":
      return `stall (${fault.directions.join(" and ")})`;
    default:
      return fault.kind;
  }
}

/** For the log: "kill a, for 1200 ms". */
export function describeFault(fault: Fault): string {
  const where = fault.kind === "killServer" ? `nats-server ${fault.server}` : nodesOf(fault).join(", ");
  const more =
    fault.kind === "delay"
      ? ` by ${fault.delayMs} ms`
      : fault.kind === "stall"
        ? ` ${fault.directions.join(" and ")}`
        : fault.kind === "damage"
          ? ` (${fault.how})`
          : "";
  return `${fault.kind} ${where}${more}${fault.holdMs === 0 ? "" : `, for ${fault.holdMs} ms`}`;
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const left = [...items];
  const result: Item[] = [];
  while (left.length > 0) {
    result.push(...left.splice(random.below(left.length), 1));
  }
  return result;
}
