/**
 * The simplest journal: a state machine whose only state is one 64-bit value, snapshot builder included.
 * Each entry replaces the value; a snapshot is the value itself. Run it: `npx tsx examples/simple-audit-trail.ts DIR`.
 */
import { fileURLToPath } from "node:url";
import {
  type IncrementalSnapshotBuilder,
  type LogEntry,
  openJournal,
  type SnapshotSink,
  type SnapshotSource,
  type StateMachine,
} from "supercast";

const decode = (bytes: Uint8Array): bigint => Buffer.from(bytes).readBigInt64LE();

export function encode(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

class SimpleSnapshotBuilder implements IncrementalSnapshotBuilder {
  readonly kind = "incremental";
  #value = 0n;

  async restore(snapshot: SnapshotSource): Promise<void> {
    this.#value = decode(await snapshot.readAll());
  }

  apply(entry: LogEntry): void {
    this.#value = decode(entry.payload);
  }

  writeTo(sink: SnapshotSink): Promise<void> {
    return sink.write(encode(this.#value));
  }
}

export class SimpleAuditTrail implements StateMachine {
  value = 0n;

  apply(entry: LogEntry): void {
    this.value = decode(entry.payload);
  }

  async restore(snapshot: SnapshotSource): Promise<void> {
    this.value = decode(await snapshot.readAll());
  }

  createSnapshotBuilder(): IncrementalSnapshotBuilder {
    return new SimpleSnapshotBuilder();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const machine = new SimpleAuditTrail();
  const journal = await openJournal(process.argv[2] ?? "audit-trail", { machine, recordsPerSegment: 50 });
  console.log(`found ${machine.value}`);
  await journal.appendAndCommit(encode(machine.value + 42n));
  console.log(`now ${machine.value}, entry ${journal.lastSeq}`);
  await journal.close();
}
