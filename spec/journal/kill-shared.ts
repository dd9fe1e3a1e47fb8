/** What the killed process and the one that looks at the remains agree on. */
import type { LogEntry } from "../../lib/journal/entry.ts";
import type { SnapshotBuilder, SnapshotSource, StateMachine } from "../../lib/journal/machine.ts";
import type { OpenJournalOptions } from "../../lib/journal/open.ts";

export const KILL_OPTIONS: OpenJournalOptions = {
  segmentBytes: 128 * 1024,
  preallocateBytes: 128 * 1024,
  recordsPerSegment: 400,
};

/** The number of the entry, and bytes that depend on it. */
export function killPayload(seq: number): Uint8Array {
  const payload = new Uint8Array(8 + (seq % 500)).fill(seq & 0xff);
  new DataView(payload.buffer).setFloat64(0, seq);
  return payload;
}

/** Adds the numbers up: any entry that is missing or applied twice shows. */
export class SumMachine implements StateMachine {
  sum = 0;

  apply(entry: LogEntry): void {
    const { buffer, byteOffset } = entry.payload;
    this.sum += new DataView(buffer, byteOffset).getFloat64(0);
  }

  async restore(snapshot: SnapshotSource): Promise<void> {
    const content = await snapshot.readAll();
    this.sum = new DataView(content.buffer, content.byteOffset).getFloat64(0);
  }

  createSnapshotBuilder(): SnapshotBuilder {
    const content = new Uint8Array(8);
    new DataView(content.buffer).setFloat64(0, this.sum);
    return { kind: "inline", writeTo: (sink) => sink.write(content) };
  }
}
