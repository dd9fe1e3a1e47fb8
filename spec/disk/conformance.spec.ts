/** One list of cases against both disks. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../lib/base/random.ts";
import { nodeDisk } from "../../lib/disk/node-disk.ts";
import { SimulatedDisk } from "../../lib/disk/simulated-disk.ts";
import { diskConformance } from "../conformance/disk.ts";

describe("the disk of Node", () => {
  diskConformance(async () => {
    const folder = await mkdtemp(join(tmpdir(), "supercast-disk-"));
    return { disk: nodeDisk, folder, end: () => rm(folder, { recursive: true }) };
  });
});

describe("the simulated disk", () => {
  diskConformance(async () => ({
    disk: new SimulatedDisk(seededRandom("conformance")).mount(),
    folder: "/data",
    end: () => Promise.resolve(),
  }));
});
