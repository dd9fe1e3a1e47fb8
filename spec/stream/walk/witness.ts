/** A god's view of all replicas of a stream: what may never be true of any history. */
import { compareEpochs, type Epoch } from "../../../lib/journal/epoch.ts";
import {
  type Configuration,
  configurationKey,
  hasQuorum,
  problemOf,
} from "../../../lib/stream/configuration.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type {
  OpenProof,
  ReplicaState,
  StreamEffect,
  StreamEvent,
} from "../../../lib/stream/replica-state.ts";

const TRACE_MAX = 4_000;

export class Witness {
  readonly violations: string[] = [];
  readonly trace: string[] = [];
  committed = 0;
  opened = 0;
  reconfigured = 0;
  #steps = 0;
  /** Which chain is committed at a seq, and the epoch of the entry there. */
  readonly #commits = new Map<number, { readonly chain: string; readonly epoch: Epoch }>();
  /** Which chain an entry of an epoch has. */
  readonly #entries = new Map<string, string>();
  readonly #proposals = new Map<string, string>();
  readonly #promises = new Map<ReplicaId, Epoch>();
  #newest: { readonly epoch: Epoch; readonly configuration: Configuration } | null = null;

  see(
    self: ReplicaId,
    before: ReplicaState,
    event: StreamEvent,
    after: ReplicaState,
    effects: readonly StreamEffect[],
  ): void {
    this.#steps += 1;
    this.note(
      `${self} ${describe(event)} -> ${after.role} p${after.hard.promise.counter} c${after.commitSeq}`,
    );
    this.#promised(self, after);
    for (const effect of effects) {
      if (effect.type === "commit") {
        this.#commit(self, before, after);
      } else if (effect.type === "opened") {
        this.#open(self, after, effect.epoch, effect.configuration, effect.proof);
      } else if (
        effect.type === "send" &&
        (effect.message.type === "seal" || effect.message.type === "preseal")
      ) {
        this.#propose(effect.message.type, effect.message.epoch, effect.message.configuration);
      }
    }
    for (let seq = after.log.lastSeq; seq > after.log.base.seq; seq--) {
      const entry = after.log.entry(seq);
      if (entry === null || before.log.entry(seq) === entry) {
        break;
      }
      this.#expectSame(
        this.#entries,
        `${seq} ${nameOf(entry.epoch)}`,
        entry.chain,
        "two entries of one epoch at one seq",
      );
    }
  }

  violate(line: string): void {
    this.violations.push(`step ${this.#steps}: ${line}`);
  }

  note(line: string): void {
    this.trace.push(`${this.#steps} ${line}`);
    if (this.trace.length > TRACE_MAX) {
      this.trace.splice(0, TRACE_MAX / 2);
    }
  }

  /** Every configuration that could still matter to anyone. */
  configurations(states: readonly ReplicaState[]): Configuration[] {
    const found = states.flatMap(({ hard }) => [
      ...(hard.activated === null ? [] : [hard.activated]),
      ...hard.successors,
    ]);
    const { epoch } = this.#newest ?? { epoch: { counter: 0, owner: "" } };
    return found
      .filter((each) => compareEpochs(each.epoch, epoch) >= 0)
      .map(({ configuration }) => configuration);
  }

  #promised(self: ReplicaId, { hard }: ReplicaState): void {
    const known = this.#promises.get(self);
    if (known !== undefined && compareEpochs(hard.promise, known) < 0) {
      this.note(`${self} promises less than before its restart`);
    }
    this.#promises.set(self, hard.promise);
  }

  #commit(self: ReplicaId, before: ReplicaState, after: ReplicaState): void {
    for (let seq = before.commitSeq + 1; seq <= after.commitSeq; seq++) {
      const at = after.log.position(seq);
      if (at === null) {
        continue;
      }
      const known = this.#commits.get(seq);
      if (known === undefined) {
        this.committed += 1;
        this.#commits.set(seq, { chain: at.chain, epoch: at.epoch });
      } else if (known.chain !== at.chain) {
        this.violate(`${self} commits another entry at ${seq}`);
      }
    }
  }

  #open(
    self: ReplicaId,
    after: ReplicaState,
    epoch: Epoch,
    configuration: Configuration,
    proof: OpenProof,
  ): void {
    this.opened += 1;
    for (const [seq, { chain, epoch: entryEpoch }] of this.#commits) {
      const at = after.log.position(seq);
      const lacks = at === null ? seq > after.log.lastSeq : at.chain !== chain;
      if (lacks && compareEpochs(entryEpoch, epoch) < 0) {
        this.violate(`${self} opens ${nameOf(epoch)} without the committed entry ${seq}`);
      }
    }
    for (const { configuration: old } of [proof.base, ...proof.chain]) {
      if (!hasQuorum(old, old.sealQuorum, (member) => proof.sealed.includes(member))) {
        this.violate(`${self} opens ${nameOf(epoch)} without a seal quorum of ${old.members.join(" ")}`);
      }
    }
    if (
      !hasQuorum(configuration, configuration.writeQuorum, (member) => proof.barrierHeldBy.includes(member))
    ) {
      this.violate(`${self} opens ${nameOf(epoch)} without a write quorum for its barrier`);
    }
    if (this.#newest === null || compareEpochs(epoch, this.#newest.epoch) > 0) {
      if (
        this.#newest !== null &&
        configurationKey(this.#newest.configuration) !== configurationKey(configuration)
      ) {
        this.reconfigured += 1;
      }
      this.#newest = { epoch, configuration };
    }
  }

  #propose(type: string, epoch: Epoch, configuration: Configuration): void {
    if (problemOf(configuration) !== null) {
      this.violate(`unsound configuration ${configurationKey(configuration)}`);
    }
    if (type === "seal") {
      this.#expectSame(
        this.#proposals,
        nameOf(epoch),
        configurationKey(configuration),
        "two proposals in one epoch",
      );
    }
  }

  #expectSame(map: Map<string, string>, key: string, value: string, otherwise: string): void {
    const known = map.get(key);
    if (known === undefined) {
      map.set(key, value);
    } else if (known !== value) {
      this.violate(`${otherwise}: ${key}`);
    }
  }
}

function nameOf({ counter, owner }: Epoch): string {
  return `${counter}.${owner.slice(0, 4)}`;
}

function describe(event: StreamEvent): string {
  if (event.type !== "message") {
    return event.type;
  }
  const { from, message } = event;
  const epoch = "epoch" in message ? ` e${message.epoch.counter}` : "";
  return `${message.type}${epoch} from ${from}`;
}
