/** How each world was reached: from which, by which of the moves there. Tells a way as lines to read. */
import type { Epoch } from "../../lib/journal/epoch.ts";
import type { Message } from "../../lib/stream/messages.ts";
import type { Expansion, Taken } from "./expansion.ts";
import { permutation, slotOf, slotOfOwner } from "./names.ts";
import type { Things } from "./things.ts";
import { Canon, World } from "./world.ts";

const NAMES = ["a", "b", "c", "d"];

export class Trail {
  readonly #parents: Uint32Array;
  readonly #choices: Uint16Array;

  constructor(most: number) {
    this.#parents = new Uint32Array(most + 1);
    this.#choices = new Uint16Array(most + 1);
  }

  get bytes(): number {
    return this.#parents.byteLength + this.#choices.byteLength;
  }

  add(number: number, parent: number, choice: number): void {
    this.#parents[number] = parent;
    this.#choices[number] = choice;
  }

  /** The choices that lead to a world, first one first. */
  to(number: number): number[] {
    const path: number[] = [];
    for (let at = number; at !== 0; at = this.#parents[at] ?? 0) {
      path.push(this.#choices[at] ?? 0);
    }
    return path.reverse();
  }

  /** Takes the way again, and says at each move who does what, under names that stay the same. */
  tell(things: Things, expansion: Expansion, path: readonly number[]): string[] {
    const canon = new Canon(things);
    const world = new World();
    let names: readonly string[] = NAMES;
    let by = canon.choose(expansion.root(), world);
    names = renamedNames(names, by);
    return path.map((wanted, index) => {
      let choice = 0;
      let line = "";
      const after = new World();
      expansion.each(world, (next, taken) => {
        if (choice === wanted) {
          const before = renamedNames(names, taken.renaming);
          line = `${index + 1}. ${describe(things, taken, before)}`;
          by = canon.choose(next, after);
          names = renamedNames(before, by);
        }
        choice += 1;
      });
      world.copyFrom(after);
      return line;
    });
  }
}

function renamedNames(names: readonly string[], by: number): string[] {
  const renamed = [...names];
  for (const [from, to] of permutation(by).entries()) {
    renamed[to] = names[from] ?? "?";
  }
  return renamed;
}

function describe(things: Things, taken: Taken, names: readonly string[]): string {
  const { slot, move, outcome, violation } = taken;
  const name = (at: number): string => names[at] ?? "?";
  if (move === null || outcome === null) {
    return `${name(slot)} dies, and another starts with nothing`;
  }
  const { thing } = things.of(outcome.next);
  const state = thing.kind === "replica" ? thing.state : null;
  const last = state?.log.last;
  const log = last === undefined ? "" : `last ${last.seq}@${epochName(last.epoch, name)}`;
  const commit = `commit ${state?.commitSeq}`;
  const wrong = violation === null ? "" : `: ${violation}`;
  const after = `${state?.role} promise ${epochName(state?.hard.promise, name)} ${log} ${commit}${wrong}`;
  switch (move.type) {
    case "claim": {
      const members = move.members === 0 ? "the present members" : setName(move.members, name);
      return `${name(slot)} claims ${move.counter} ${move.force ? "by force " : ""}with ${members} -> ${after}`;
    }
    case "propose":
      return `${name(slot)} appends write ${move.write + 1} -> ${after}`;
    case "nudge":
      return `${name(slot)} tells what is committed -> ${after}`;
    case "deliver": {
      const packet = things.of(move.packet).thing;
      if (packet.kind !== "packet") {
        return "";
      }
      const from = name(slotOf(packet.from));
      return `${name(slot)} gets ${messageName(packet.message, name)} from ${from} -> ${after}`;
    }
  }
}

function messageName(message: Message, name: (slot: number) => string): string {
  const epoch = "epoch" in message ? ` ${epochName(message.epoch, name)}` : "";
  switch (message.type) {
    case "append":
    case "entries":
      return `${message.type}${epoch} ${message.prev.seq + 1}..${message.prev.seq + message.entries.length}`;
    case "ack":
      return `ack${epoch} ${message.seq}`;
    case "nack":
      return `nack${epoch} ${message.reason}`;
    case "sealOk":
      return `sealOk${epoch} last ${message.last.seq}@${epochName(message.last.epoch, name)}`;
    case "heartbeat":
      return `heartbeat${epoch} commit ${message.commitSeq}`;
    case "activate":
      return `activate ${epochName(message.activated.epoch, name)}`;
    default:
      return `${message.type}${epoch}`;
  }
}

function epochName(epoch: Epoch | undefined, name: (slot: number) => string): string {
  return epoch === undefined || epoch.counter === 0
    ? "0"
    : `${epoch.counter}${name(slotOfOwner(epoch.owner))}`;
}

function setName(members: number, name: (slot: number) => string): string {
  return NAMES.flatMap((_, slot) => ((members & (1 << slot)) === 0 ? [] : [name(slot)])).join(" ");
}
