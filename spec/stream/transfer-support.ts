/** What the specs of transfers share. */
import { SnapshotReceiver } from "../../lib/stream/snapshot-receiver.ts";
import type { TransferLimits } from "../../lib/stream/state-limits.ts";
import { definition, request, Writer } from "./state-support.ts";

export const SOURCE = "a/1";
export const SMALL = { chunkBytes: 30, windowChunks: 3, retryTicks: 2, silentTicks: 6 } as const;

export function filled(records: number): Writer {
  const writer = new Writer();
  for (let seq = 1; seq <= records; seq++) {
    writer.write(request("x", seq, { do: "put", key: `k${seq}`, value: "v".repeat(20) }));
  }
  return writer;
}

export function newReceiver(limits: Partial<TransferLimits> = SMALL): SnapshotReceiver {
  return new SnapshotReceiver(definition, {}, limits);
}
