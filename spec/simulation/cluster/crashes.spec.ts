/** Every named actor of the data floor is killed again and again while clients write and read. */
import { expect } from "chai";
import { seededRandom } from "../../../lib/base/random.ts";
import { checkLinearizability, explain } from "../../checkers/linearizability.ts";
import { keyValueModel } from "../../checkers/models.ts";
import { agreed, settled } from "../../support/data.ts";
import { SimCluster } from "../../support/sim-cluster.ts";
import { WalkClients } from "./walk-clients.ts";

const NODES = ["a", "b", "c"];
const PARTITIONS = 2;
const KEYS = 3;
const CRASHES = 3;
/** Fewer than its supervisor allows: more often than that it is the supervisor that ends. */
const APART_MS = 2_500;

const NAMES = [
  ...["wal", "replicator", "manager", "node_monitor", "streams", "stream-partition-0", "stream-root"],
  ...["three_phase_commit", "txn_registry"],
];

describe("a crash of a node's own actors under load", function () {
  this.timeout(60_000);

  for (const name of NAMES) {
    it(`of ${name}, on every node: no acknowledged write is lost, everybody is answered, service goes on`, async () => {
      const sim = new SimCluster(`crash of ${name}`);
      await sim.startAll(NODES, { partitions: PARTITIONS, actorsOnly: false });
      await sim.until(() => agreed(sim), 20_000);
      await settled(sim);
      const clients = new WalkClients(sim, { keys: KEYS, partitions: PARTITIONS, isHeld: () => false });
      const random = seededRandom(name);
      const work = [0, 1, 2].map((index) => clients.work(index, random.fork(`client ${index}`)));
      for (let crash = 0; crash < CRASHES; crash++) {
        await sim.advance(APART_MS / NODES.length);
        const { node } = sim.get(NODES[crash % NODES.length] ?? "");
        const pid = node.whereis(name);
        expect(pid, `${name} runs on ${node.name}`).to.not.equal(undefined);
        if (pid !== undefined) {
          node.exit(pid, "kill");
        }
      }
      await sim.advance(1_000);
      clients.end();
      await sim.run(Promise.all(work));
      await settled(sim);
      for (const at of NODES) {
        expect(sim.get(at).node.whereis(name), `${name} at ${at}`).to.not.equal(undefined);
        for (let key = 0; key < KEYS; key++) {
          expect(await sim.run(clients.read("final", `k${key}`, at)), `k${key} at ${at}`).to.equal(null);
        }
      }
      const writes = clients.history.filter(
        (each) => each.input.op === "put" && Number.isFinite(each.return),
      );
      expect(writes.length).to.be.greaterThan(30);
      const verdict = checkLinearizability(keyValueModel(), clients.history);
      expect(verdict.verdict, explain(verdict)).to.equal("linearizable");
      expect(clients.silent, "calls that nobody answered").to.equal(0);
      await sim.stopAll();
    });
  }
});
