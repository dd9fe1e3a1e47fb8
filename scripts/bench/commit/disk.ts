/** Strong commits that are synced to disk: one writer, and 64 callers. */
import { fdatasyncSync, writeSync } from "node:fs";
import { PAGE_BYTES, positions, preallocated } from "../journal/place.ts";
import { latencyUs } from "../rounds.ts";
import { atLeast, atMost } from "../statistics.ts";
import type { Bench } from "../suite.ts";
import { BARE_SETTINGS } from "./bare.ts";
import { ETCD, ETCD_SETTINGS, startEtcd } from "./etcd.ts";
import { JETSTREAM_FILE, JETSTREAM_FILE_SETTINGS, startJetStream } from "./jetstream.ts";
import { againstRivals, interleaveOne, OURS_DISK, oneWriter, type Rig, withRig } from "./rig.ts";

const TWO_SYNCS = "round trip + 2 x fdatasync";
const TWO_SYNCS_BLOCKING = "round trip + 2 x fdatasync, blocking";
const SYNCED = "4 KiB into a file of 64 MiB filled with zeros on the same disk";

/** The median of one round trip and twice the median of one write with its sync. */
async function tripAndSyncs(rig: Rig, sync: () => Promise<unknown>): Promise<number> {
  const trip = await latencyUs(rig.bare.roundTrip);
  return trip + 2 * (await latencyUs(sync));
}

export const DISK_ONE: Bench = {
  name: "disk-one",
  measure: "strong, disk, one writer, p50",
  unit: "µs",
  settings: OURS_DISK,
  needsNats: true,
  baselines: [
    {
      name: TWO_SYNCS,
      settings: `nc.request (${BARE_SETTINGS}), and FileHandle.write and FileHandle.datasync awaited, ${SYNCED}`,
      target: atMost(1),
    },
    {
      name: TWO_SYNCS_BLOCKING,
      settings: `the same with writeSync and fdatasyncSync, which block the event loop, ${SYNCED}`,
    },
  ],
  run: (context) =>
    withRig(context, { disk: true }, async (rig) => {
      const file = await preallocated(rig.folder);
      const at = positions(PAGE_BYTES);
      const page = Buffer.alloc(PAGE_BYTES, 0x61);
      const awaited = async (): Promise<void> => {
        await file.write(page, 0, PAGE_BYTES, at());
        await file.datasync();
      };
      const blocking = async (): Promise<void> => {
        writeSync(file.fd, page, 0, PAGE_BYTES, at());
        fdatasyncSync(file.fd);
      };
      try {
        return await interleaveOne(context, oneWriter("ours", rig, "strong"), [
          { name: TWO_SYNCS, round: () => tripAndSyncs(rig, awaited) },
          { name: TWO_SYNCS_BLOCKING, round: () => tripAndSyncs(rig, blocking) },
        ]);
      } finally {
        await file.close();
      }
    }),
};

export const DISK_64: Bench = {
  name: "disk-64",
  measure: "strong, disk, 64 callers",
  unit: "commits/s",
  settings: OURS_DISK,
  needsNats: true,
  servers: ["etcd"],
  baselines: [
    { name: ETCD, settings: ETCD_SETTINGS, target: atLeast(8) },
    { name: JETSTREAM_FILE, settings: JETSTREAM_FILE_SETTINGS },
  ],
  run: (context) =>
    withRig(context, { disk: true }, (rig) =>
      againstRivals(context, rig, 64, [
        { name: ETCD, start: startEtcd },
        { name: JETSTREAM_FILE, start: (folder) => startJetStream(folder, "file") },
      ]),
    ),
};
