/**
 * What a journal holds of a replica, and whether it may go on as the same one.
 *
 * It may when everything it ever acknowledged must still be there: every acknowledgement waited for a sync,
 * or the machine has not started anew since, or the journal was closed in order. Otherwise it gets a new
 * incarnation and keeps of the log only what is committed, which is true whoever holds it.
 *
 * The hard state is kept in the journal's own form, which has room for configurations among the successors;
 * the activated configuration stands there too, under its epoch.
 */
import { SupercastError } from "../base/errors.ts";
import type { LogEntry } from "../journal/entry.ts";
import { compareEpochs, EPOCH_ZERO } from "../journal/epoch.ts";
import type { JournalFolder } from "../journal/folder.ts";
import type { Journal } from "../journal/journal.ts";
import type { StateMachine } from "../journal/machine.ts";
import { openStream } from "../journal/open.ts";
import type { HardState as JournalHardState } from "../journal/state.ts";
import { type Configuration, type Proposed, problemOf } from "./configuration.ts";
import { type Entry, ORIGIN, type Position } from "./entry.ts";
import { Log } from "./log.ts";
import type { HardState } from "./replica-state.ts";
import type { StorageRequest, StoredReplica, StoredState } from "./storage.ts";

export interface LoadedReplica {
  readonly journal: Journal;
  readonly incarnation: string;
  readonly stored: StoredReplica | null;
}

/** Another lineage is another stream of the journal: the two never meet. */
export function journalStreamName(stream: string, lineage: string): string {
  return `${stream}@${lineage}`;
}

/** Opens the stream's journal and restores the applied state. Rejects with the journal's errors. */
export async function loadReplica(folder: JournalFolder, request: StorageRequest): Promise<LoadedReplica> {
  const { stream, lineage, state } = request;
  const machine = new RestoringMachine(state);
  const journal = await openStream(folder, journalStreamName(stream, lineage), machine);
  try {
    if (!folder.settings.replayOnOpen) {
      await journal.replay();
    }
    machine.restored = true;
    const hard = readHardState(journal.hardState);
    if (hard === null) {
      return { journal, incarnation: request.incarnation, stored: null };
    }
    const same = isSameReplica(folder);
    if (!same) {
      await journal.drop(journal.commitSeq + 1);
      await journal.setHardState(hardStateRecord(hard.hard, request.incarnation));
      await journal.confirmTail();
    }
    await alignWithState(journal, machine.base, state);
    const { log, commitSeq } = await readLog(journal, machine.base, request.keptEntries);
    const { tailCertain } = journal;
    const incarnation = same ? hard.incarnation : request.incarnation;
    return { journal, incarnation, stored: { hard: hard.hard, log, commitSeq, tailCertain } };
  } catch (thrown) {
    await journal.close();
    throw thrown;
  }
}

/** Whether nothing that this replica acknowledged can be missing. (An uncertain tail is told apart by the journal.) */
function isSameReplica({ settings, recovery }: JournalFolder): boolean {
  const synced = settings.sync === "batch" || settings.sync === "writeThrough";
  return synced || recovery.sameBoot || recovery.closedInOrder;
}

/**
 * A snapshot is taken while the state goes on: it may stand for more than the log holds, when the machine
 * stopped before the log was synced so far. Then the log goes on from the snapshot.
 */
async function alignWithState(journal: Journal, base: Position, state: StoredState): Promise<void> {
  const behind = journal.lastSeq < base.seq;
  const differs = !behind && base.seq > 0 && (await journal.chainAt(base.seq)) !== base.chain;
  if (behind || differs) {
    await journal.installSnapshot({ ...base, content: state.save() });
  }
}

async function readLog(
  journal: Journal,
  base: Position,
  keptEntries: number,
): Promise<{ readonly log: Log; readonly commitSeq: number }> {
  const commitSeq = Math.max(base.seq, journal.commitSeq);
  let log = Log.empty(base);
  for await (const run of journal.readRuns(base.seq + 1, journal.lastSeq, { uncommitted: true })) {
    log = log.append(run.map(asEntry));
    const keepFrom = Math.min(log.lastSeq, commitSeq) - keptEntries;
    if (keepFrom - log.base.seq >= keptEntries) {
      log = log.compactTo(keepFrom);
    }
  }
  return { log, commitSeq };
}

/** While the journal opens it gives the state what is committed; later the replica applies by itself. */
class RestoringMachine implements StateMachine {
  restored = false;
  /** The end of the snapshot that was restored. */
  base: Position = ORIGIN;
  readonly #state: StoredState;

  constructor(state: StoredState) {
    this.#state = state;
  }

  apply(entry: LogEntry): void {
    if (!this.restored && entry.seq > this.base.seq) {
      this.#state.apply(asEntry(entry));
    }
  }

  async restore(snapshot: { chunks(): AsyncIterable<Uint8Array> }): Promise<void> {
    if (!this.restored) {
      this.base = await this.#state.load(snapshot.chunks());
    }
  }

  createSnapshotBuilder(): ReturnType<NonNullable<StateMachine["createSnapshotBuilder"]>> {
    return {
      kind: "inline",
      writeTo: async (sink) => {
        for await (const piece of this.#state.save()) {
          await sink.write(piece);
        }
      },
    };
  }
}

/** With a payload of its own: what the journal gives is a view into a buffer that holds many. */
function asEntry({ seq, epoch, kind, payload, chain }: LogEntry): Entry {
  return { seq, epoch, kind, payload: payload.slice(), chain };
}

// --- the hard state -----------------------------------------------------------------------------

export function hardStateRecord(hard: HardState, incarnation: string): JournalHardState {
  const { promise, activated, successors } = hard;
  const proposed = activated === null ? successors : [activated, ...successors];
  return {
    promise,
    activated: activated?.epoch ?? EPOCH_ZERO,
    successors: proposed.map(({ epoch, configuration }) => ({ epoch, configuration })),
    incarnation,
  };
}

/** Null when nothing was ever stored. Throws `config_mismatch` for what this version cannot read. */
export function readHardState(
  record: JournalHardState | null,
): { readonly hard: HardState; readonly incarnation: string } | null {
  if (record === null) {
    return null;
  }
  const proposed = record.successors.map(({ epoch, configuration }): Proposed => {
    if (!isConfiguration(configuration)) {
      throw new SupercastError(
        "config_mismatch",
        "a stored configuration is not in a form that is known here",
      );
    }
    return { epoch, configuration };
  });
  const isActivated = ({ epoch }: Proposed): boolean => compareEpochs(epoch, record.activated) === 0;
  const hard = {
    promise: record.promise,
    activated: proposed.find(isActivated) ?? null,
    successors: proposed.filter((each) => !isActivated(each)),
  };
  return { hard, incarnation: record.incarnation };
}

function isConfiguration(value: unknown): value is Configuration {
  if (typeof value !== "object" || value === null) {
    return false;
  }
  const fields: {
    readonly members?: unknown;
    readonly writeQuorum?: unknown;
    readonly sealQuorum?: unknown;
  } = value;
  const { members, writeQuorum, sealQuorum } = fields;
  return (
    Array.isArray(members) &&
    members.every((member) => typeof member === "string") &&
    typeof writeQuorum === "number" &&
    typeof sealQuorum === "number" &&
    problemOf({ members, writeQuorum, sealQuorum }) === null
  );
}
