/** A god's view of all replicas of a stream: what may never be true of any history. */
import { compareEpochs, type Epoch } from "../../../lib/journal/epoch.ts";
import {
  type Configuration,
  configurationKey,
  hasQuorum,
  problemOf,
} from "../../../lib/stream/configuration.ts";
import type { Log } from "../../../lib/stream/log.ts";
import type { Message } from "../../../lib/stream/messages.ts";
import type { ReplicaId } from "../../../lib/stream/replica-id.ts";
import type { OpenProof, ReplicaState, Stepped, StreamEvent } from "../../../lib/stream/replica-state.ts";
import { Holdings } from "./holdings.ts";
import { ReadWatch } from "./read-watch.ts";
import type { FoundBy, Violation } from "./violations.ts";

const TRACE_MAX = 4_000;
/** What went wrong once goes wrong again and again; a timed run goes on all the same. */
const VIOLATIONS_MAX = 100;

export class Witness {
  readonly violations: Violation[] = [];
  readonly trace: string[] = [];
  committed = 0;
  opened = 0;
  reconfigured = 0;
  /** The highest seq that any replica has committed. */
  committedSeq = 0;
  readonly reads = new ReadWatch();
  readonly #holdings = new Holdings();
  #steps = 0;
  /** Which chain is committed at a seq, and the epoch of the entry there. */
  readonly #commits = new Map<number, { readonly chain: string; readonly epoch: Epoch }>();
  /** Which chain an entry of an epoch has. */
  readonly #entries = new Map<string, string>();
  readonly #proposals = new Map<string, string>();
  /** What each replica has told others that it has promised. */
  readonly #vouched = new Map<ReplicaId, Epoch>();
  #newest: { readonly epoch: Epoch; readonly configuration: Configuration } | null = null;

  /** `durable`: the log as memory, or in disk mode the disk, really holds it. */
  see(
    self: ReplicaId,
    before: ReplicaState,
    event: StreamEvent,
    { state: after, effects }: Stepped,
    durable: Log,
  ): void {
    this.#steps += 1;
    this.note(
      `${self} ${describe(event)} -> ${after.role} p${after.hard.promise.counter} c${after.commitSeq}`,
    );
    this.#holdings.hold(self, durable);
    this.#keepsPromise(self, after);
    for (const effect of effects) {
      if (effect.type === "commit") {
        this.#commit(self, before, after);
      } else if (effect.type === "opened") {
        this.#open(self, after, effect.epoch, effect.configuration, effect.proof);
      } else if (effect.type === "send") {
        this.#sent(self, effect.message);
      }
      const staleRead = this.reads.see(self, effect);
      if (staleRead !== null) {
        this.violate(staleRead);
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

  /** A replica has come back from its disk. */
  returned(self: ReplicaId, state: ReplicaState): void {
    this.#keepsPromise(self, state);
  }

  violate(line: string, by: FoundBy = "witness"): void {
    if (this.violations.length < VIOLATIONS_MAX) {
      this.violations.push({ by, line: `step ${this.#steps}: ${line}` });
    }
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

  #keepsPromise(self: ReplicaId, { hard }: ReplicaState): void {
    const vouched = this.#vouched.get(self);
    if (vouched !== undefined && compareEpochs(hard.promise, vouched) < 0) {
      this.violate(`${self} promises less than it has said`);
    }
  }

  #sent(self: ReplicaId, message: Message): void {
    const { type } = message;
    if (type === "seal" || type === "preseal") {
      this.#propose(type, message.epoch, message.configuration);
    }
    if (type === "seal" || type === "sealOk" || type === "ack") {
      const vouched = this.#vouched.get(self);
      if (vouched === undefined || compareEpochs(message.epoch, vouched) > 0) {
        this.#vouched.set(self, message.epoch);
      }
    }
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
        if (before.writer === null && after.writer === null) {
          this.violate(`${self} commits ${seq}, which no writer has committed`);
        }
        this.committedSeq = Math.max(this.committedSeq, seq);
        this.#commits.set(seq, { chain: at.chain, epoch: at.epoch });
      } else if (known.chain !== at.chain) {
        this.violate(`${self} commits another entry at ${seq}`);
      }
    }
    const last = after.log.position(after.commitSeq);
    const { writer } = after;
    if (
      writer !== null &&
      last !== null &&
      !this.#holdings.isHeld(last.seq, last.chain, writer.configuration)
    ) {
      this.violate(`${self} commits ${last.seq}, which no write quorum has held`);
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
