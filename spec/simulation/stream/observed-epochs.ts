/**
 * What the world asserts about promises, configurations and epochs (I1, I2, I6, I9, I10, I12, I20, I24, I27).
 */
import { compareEpochs, EPOCH_ZERO } from "../../../lib/journal/epoch.ts";
import {
  type Configuration,
  configurationKey,
  hasQuorum,
  type Proposed,
  problemOf,
} from "../../../lib/stream/configuration.ts";
import { hasLease } from "../../../lib/stream/leases.ts";
import type { SealOk } from "../../../lib/stream/messages.ts";
import { nodeOf, ownerOf, type ReplicaId } from "../../../lib/stream/replica-id.ts";
import type {
  OpenProof,
  ReplicaState,
  StreamEffect,
  StreamEvent,
} from "../../../lib/stream/replica-state.ts";
import { epochKey, epochText, membersText, type Observed, shortId, type World } from "./world.ts";

/** What the answers to a claim have said, until it had enough of them. */
interface Answers {
  readonly from: Map<ReplicaId, boolean>;
  readonly successors: Map<string, Proposed>;
  activated: Proposed | null;
}

type Opened = Extract<StreamEffect, { type: "opened" }>;

export class EpochObserver {
  readonly #world: World;
  readonly #claims = new Map<string, Answers>();
  /** Epochs for which somebody has been asked to seal. */
  readonly #asked = new Set<string>();

  constructor(world: World) {
    this.#world = world;
  }

  step(before: ReplicaState, event: StreamEvent, after: ReplicaState, seen: Observed): void {
    const world = this.#world;
    const who = shortId(after.self);
    if (after.hard !== before.hard) {
      this.#hard(before, after, who);
    }
    if (after.settings.durability === "memory") {
      seen.durablePromise = after.hard.promise;
    }
    if (after.claim !== null && after.claim.epoch !== before.claim?.epoch) {
      this.#begun(after);
    }
    if (after.claim?.asking === true && before.claim?.asking !== true) {
      this.#claimed(after);
    }
    if (event.type === "message" && event.message.type === "sealOk") {
      this.#answered(before, event.from, event.message);
    }
    if (after.settings.leaseMs > 0 && after.writer !== null && hasLease(after, world.clockOf(after.self))) {
      const newer = world.opened.filter(({ epoch }) => compareEpochs(epoch, after.hard.promise) > 0);
      world.expect(newer.length === 0, "I20", () => `${who} holds a lease while a newer epoch is open`);
    }
  }

  effect(effect: StreamEffect, after: ReplicaState, seen: Observed): void {
    if (effect.type === "opened") {
      this.#opened(effect, after);
    } else if (effect.type === "send") {
      this.#sent(effect, after, seen);
    } else if (effect.type === "claimFailed") {
      this.#world.coverage.claimsFailed += 1;
    }
  }

  // --- what must not be forgotten -----------------------------------------------------------------

  #hard(before: ReplicaState, after: ReplicaState, who: string): void {
    const world = this.#world;
    world.expect(compareEpochs(after.hard.promise, before.hard.promise) >= 0, "I2", () => {
      return `${who} promised ${epochText(after.hard.promise)} after ${epochText(before.hard.promise)}`;
    });
    for (const proposed of [
      ...after.hard.successors,
      ...(after.hard.activated ? [after.hard.activated] : []),
    ]) {
      this.#known(proposed, null);
    }
    const activated = after.hard.activated?.epoch ?? null;
    for (const dropped of before.hard.successors) {
      if (!after.hard.successors.some(({ epoch }) => compareEpochs(epoch, dropped.epoch) === 0)) {
        const settled = activated !== null && compareEpochs(activated, dropped.epoch) >= 0;
        world.expect(settled || superseded(dropped, after), "I27", () => {
          return `${who} forgot the proposal ${epochText(dropped.epoch)}, and nothing above it is active`;
        });
      }
    }
  }

  /** I1 and I9, for every configuration that anybody names. */
  #known({ epoch, configuration }: Proposed, owner: ReplicaId | null): void {
    const world = this.#world;
    const key = configurationKey(configuration);
    const known = world.proposed.get(epochKey(epoch));
    if (known === undefined) {
      world.proposed.set(epochKey(epoch), { owner, key });
      world.expect(problemOf(configuration) === null, "I9", () => {
        return `epoch ${epochText(epoch)} proposes ${membersText(configuration)}: ${problemOf(configuration)}`;
      });
      return;
    }
    world.expect(known.key === key, "I1", () => `epoch ${epochText(epoch)} has two configurations`);
    world.expect(owner === null || known.owner === null || known.owner === owner, "I1", () => {
      return `epoch ${epochText(epoch)} has two owners, ${known.owner} and ${owner}`;
    });
    if (owner !== null && known.owner === null) {
      world.proposed.set(epochKey(epoch), { owner, key });
    }
  }

  /** What the claimant knows by itself. A claim that has asked nobody yet may be forgotten in a crash. */
  #begun({ claim, self, hard, tailCertain }: ReplicaState): void {
    if (claim !== null) {
      const successors = new Map(hard.successors.map((each) => [epochKey(each.epoch), each]));
      const from = new Map([[self, tailCertain]]);
      this.#claims.set(epochKey(claim.epoch), { from, successors, activated: hard.activated });
    }
  }

  #claimed({ claim, self, log }: ReplicaState): void {
    if (claim === null) {
      return;
    }
    const { epoch, configuration } = claim;
    const key = epochKey(epoch);
    this.#world.expect(epoch.owner === ownerOf(self), "I1", () => `${self} claims an epoch of another`);
    this.#world.expect(!this.#asked.has(key), "I1", () => `epoch ${epochText(epoch)} is claimed twice`);
    this.#asked.add(key);
    this.#known({ epoch, configuration }, self);
    this.#world.trace.event(
      shortId(self),
      () => `claims ${epochText(epoch)} for ${membersText(configuration)}, log ends at ${log.lastSeq}`,
      epoch.counter,
    );
  }

  #answered({ claim }: ReplicaState, from: ReplicaId, message: SealOk): void {
    const answers = this.#claims.get(epochKey(message.epoch));
    if (claim === null || claim.source !== null || answers === undefined) {
      return;
    }
    answers.from.set(from, message.tailCertain);
    for (const each of message.successors) {
      answers.successors.set(epochKey(each.epoch), each);
    }
    const { activated } = message;
    if (activated !== null && compareEpochs(activated.epoch, answers.activated?.epoch ?? EPOCH_ZERO) > 0) {
      answers.activated = activated;
    }
  }

  #sent({ message }: Extract<StreamEffect, { type: "send" }>, after: ReplicaState, seen: Observed): void {
    if (message.type !== "sealOk" && message.type !== "ack") {
      return;
    }
    const who = shortId(after.self);
    this.#world.expect(compareEpochs(seen.durablePromise, message.epoch) >= 0, "I2", () => {
      const said = message.type === "sealOk" ? "sealed" : "acknowledges";
      return `${who} ${said} ${epochText(message.epoch)} and has only ${epochText(seen.durablePromise)} durably`;
    });
    if (compareEpochs(message.epoch, seen.vouchedPromise) > 0) {
      seen.vouchedPromise = message.epoch;
    }
    this.#world.expect(after.role !== "damaged", "I24", () => `${who} is damaged and sends ${message.type}`);
  }

  // --- opening ------------------------------------------------------------------------------------

  #opened({ epoch, configuration, proof }: Opened, after: ReplicaState): void {
    const world = this.#world;
    const who = shortId(after.self);
    world.coverage.epochsOpened += 1;
    if (configurationKey(proof.base.configuration) !== configurationKey(configuration)) {
      world.coverage.reconfigurations += 1;
    }
    world.trace.event(
      who,
      () => `OPENS ${epochText(epoch)} for ${membersText(configuration)} at ${proof.barrierSeq}`,
      epoch.counter,
      proof.barrierSeq,
    );
    this.#known({ epoch, configuration }, after.self);
    this.#complete(epoch, after, who);
    this.#sealedEnough(epoch, proof, who);
    this.#barrierHeld(configuration, proof, after, who);
    this.#noOlderLease(epoch, after);
    const twice = duplicateNode(proof.sealed) ?? duplicateNode(proof.barrierHeldBy);
    if (twice !== null && duplicateNode(configuration.members) === null) {
      world.expect(duplicateNode(proof.barrierHeldBy) === null, "I12", () => {
        return `epoch ${epochText(epoch)} counts two incarnations of ${twice}`;
      });
    }
    world.opened.push({ epoch, configuration });
    world.opened.sort((left, right) => compareEpochs(left.epoch, right.epoch));
  }

  /** I6. An entry that a later epoch has committed already does not have to be here. */
  #complete(epoch: Opened["epoch"], { log }: ReplicaState, who: string): void {
    const { committed } = this.#world;
    for (let seq = committed.length - 1; seq > log.base.seq && seq > 0; seq--) {
      const entry = committed[seq];
      if (entry !== undefined && compareEpochs(entry.by, epoch) < 0) {
        this.#world.expect(log.position(seq)?.chain === entry.chain, "I6", () => {
          const lost = `entry ${seq}, committed in ${epochText(entry.by)}`;
          return `${who} opens ${epochText(epoch)} without ${lost}; its log ends at ${log.lastSeq}`;
        });
        return;
      }
    }
  }

  /** I10. */
  #sealedEnough(epoch: Opened["epoch"], proof: OpenProof, who: string): void {
    const world = this.#world;
    const answers = this.#claims.get(epochKey(epoch));
    if (answers === undefined) {
      world.violate("I10", `${who} opens ${epochText(epoch)}, which it never claimed`);
      return;
    }
    const { base, sealed } = proof;
    const newest = answers.activated?.epoch ?? EPOCH_ZERO;
    world.expect(compareEpochs(base.epoch, newest) >= 0, "I10", () => {
      return `${who} opens on ${epochText(base.epoch)}, an answer had ${epochText(newest)} as active`;
    });
    const above = [...answers.successors.values()].filter((each) => {
      return compareEpochs(each.epoch, base.epoch) > 0 && compareEpochs(each.epoch, epoch) !== 0;
    });
    for (const { epoch: needed, configuration } of [base, ...above]) {
      const certain = (member: ReplicaId): boolean => answers.from.get(member) === true;
      const all = configuration.members.every((member) => answers.from.has(member));
      world.expect(all || hasQuorum(configuration, configuration.sealQuorum, certain), "I10", () => {
        const by = [...answers.from.keys()].map(shortId).join(",");
        return `${who} opens ${epochText(epoch)}: ${epochText(needed)} is not sealed (by ${by})`;
      });
    }
    for (const member of sealed) {
      const promise = world.replicas.get(member)?.durablePromise ?? EPOCH_ZERO;
      world.expect(compareEpochs(promise, epoch) >= 0, "I10", () => {
        return `${shortId(member)} counts as sealed for ${epochText(epoch)}, promised ${epochText(promise)}`;
      });
    }
  }

  #barrierHeld(configuration: Configuration, proof: OpenProof, after: ReplicaState, who: string): void {
    const barrier = after.log.position(proof.barrierSeq);
    const holds = (member: ReplicaId): boolean => {
      const state = this.#world.replicas.get(member)?.state;
      const same = state?.log.position(proof.barrierSeq)?.chain === barrier?.chain;
      return state !== undefined && (same || state.log.base.seq > proof.barrierSeq);
    };
    const members = configuration.members.filter((member) => proof.barrierHeldBy.includes(member));
    this.#world.expect(members.filter(holds).length >= configuration.writeQuorum, "I10", () => {
      return `${who} opens with a barrier at ${proof.barrierSeq} that no write quorum holds`;
    });
  }

  /** I20. */
  #noOlderLease(epoch: Opened["epoch"], after: ReplicaState): void {
    const world = this.#world;
    for (const { self, state, lost, down } of world.replicas.values()) {
      if (self !== after.self && !lost && !down && hasLease(state, world.clockOf(self))) {
        const text = `${shortId(after.self)} opens ${epochText(epoch)} while ${shortId(self)} holds a lease`;
        world.violate("I20", text);
      }
    }
  }
}

/** Of the proposals of one configuration the two highest are enough. */
function superseded(dropped: Proposed, { hard }: ReplicaState): boolean {
  const key = configurationKey(dropped.configuration);
  const above = hard.successors.filter(({ epoch, configuration }) => {
    return configurationKey(configuration) === key && compareEpochs(epoch, dropped.epoch) > 0;
  });
  return above.length >= 2;
}

function duplicateNode(replicas: readonly ReplicaId[]): string | null {
  const nodes = replicas.map(nodeOf);
  return nodes.find((node, index) => nodes.indexOf(node) !== index) ?? null;
}
