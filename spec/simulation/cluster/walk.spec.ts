/**
 * A few seeds of the walk; `SUPERCAST_CLUSTER_SEEDS` takes any number, from `SUPERCAST_CLUSTER_SEED_FROM` on.
 */
import { expect } from "chai";
import { walk } from "./walk.ts";

const COUNT = Number(process.env["SUPERCAST_CLUSTER_SEEDS"] ?? 2);
const FROM = Number(process.env["SUPERCAST_CLUSTER_SEED_FROM"] ?? 1);
const SEED_LIMIT_MS = 60_000;

describe("whole clusters on a walk through faults", function () {
  this.timeout(COUNT * SEED_LIMIT_MS);

  for (const durability of ["memory", "disk"] as const) {
    it(`lose nothing that was acknowledged, in ${durability}: ${COUNT} seeds`, async () => {
      for (let seed = FROM; seed < FROM + COUNT; seed++) {
        const { problems, acknowledged } = await walk({ seed, durability });
        expect(problems, `seed ${seed}`).to.deep.equal([]);
        expect(acknowledged, `seed ${seed}: writes`).to.be.greaterThan(20);
      }
    });
  }
});
