/** A partition as a stream without a network: a writer with its log, and other replicas made from it. */
import { partitionDefinition } from "../../lib/store/partition-definition.ts";
import type { ReadView, RequestOutcome } from "../../lib/stream/definition.ts";
import { ReplicatedState } from "../../lib/stream/replicated-state.ts";
import { SnapshotStage } from "../../lib/stream/snapshot-stage.ts";
import { EntryLog } from "../stream/state-support.ts";

export class PartitionWriter {
  readonly log = new EntryLog();
  readonly state: ReplicatedState;
  readonly #keyPos: number;
  #asked = 0;

  constructor(keyPos: number = 0) {
    this.#keyPos = keyPos;
    this.state = new ReplicatedState(partitionDefinition(keyPos));
  }

  /** One entry with one request for each operation; what became of them. */
  ask(...operations: readonly unknown[]): readonly RequestOutcome[] {
    const requests = operations.map((operation) => {
      this.#asked += 1;
      return { clientId: "x", requestSeq: this.#asked, doneBelow: this.#asked, operation };
    });
    const { payload, outcomes } = this.state.resolve(this.log.last.seq + 1, requests);
    if (payload !== null) {
      this.log.batch(payload);
    }
    return outcomes;
  }

  /** The answer, or the error's code and text. */
  do(...ops: readonly unknown[]): unknown {
    const [outcome] = this.ask({ ops });
    if (outcome?.kind === "refused") {
      return `${outcome.error.code} ${outcome.error.message}`;
    }
    return outcome?.kind === "new" ? outcome.answer : outcome?.kind;
  }

  query(query: unknown): unknown {
    return this.state.query(query, true);
  }

  commit(count: number = Number.POSITIVE_INFINITY): void {
    for (const entry of this.log.entries.slice(this.state.appliedSeq, this.state.appliedSeq + count)) {
      this.state.apply(entry);
    }
  }

  /** A replica that applies the committed entries from the log. */
  follower(): ReplicatedState {
    const state = new ReplicatedState(partitionDefinition(this.#keyPos));
    for (const entry of this.log.entries.slice(0, this.state.appliedSeq)) {
      state.apply(entry);
    }
    return state;
  }

  /** A replica that is brought up by a snapshot. */
  learner(): ReplicatedState {
    const cut = this.state.cut(200, 1_000_000);
    const stage = new SnapshotStage();
    for (let part = cut.next(); part !== null; part = cut.next()) {
      stage.take(part);
    }
    const { content } = stage;
    if (content === null) {
      throw new Error("the snapshot ends");
    }
    return new ReplicatedState(partitionDefinition(this.#keyPos), {}, content);
  }
}

/** A state of these values, which counts how it is asked. */
export class PlainView implements ReadView {
  gets = 0;
  walks = 0;
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values;
  }

  get(key: string): unknown {
    this.gets += 1;
    return this.#values.get(key);
  }

  count(): number {
    return this.#values.size;
  }

  *keys(after: string | null = null): Generator<string, void> {
    this.walks += 1;
    yield* [...this.#values.keys()].sort().filter((key) => after === null || key > after);
  }
}
