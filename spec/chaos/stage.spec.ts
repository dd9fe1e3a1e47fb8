import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { connect } from "nats";
import { ProcessStage } from "../../scripts/chaos/stage.ts";
import { isAlive } from "../cli/command.ts";
import { eventually } from "../support/eventually.ts";
import { describeWithNats } from "../support/nats-server.ts";

const NODES = ["a", "b"];

/** The letter of a process's state as the kernel tells it; T: stopped. */
async function stateOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  return /\) (\S)/.exec(stat)?.[1] ?? "?";
}

describeWithNats("The stage of a chaos run", function () {
  this.timeout(20_000);
  let folder: string;
  let stage: ProcessStage;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "supercast-stage-"));
    stage = await ProcessStage.start({
      nodes: NODES,
      servers: 1,
      folder,
      configOf: (name, dataDir) => ({ name, dataDir }),
      onServerLost: () => undefined,
      script: join(import.meta.dirname, "idle-node.mjs"),
    });
    for (const node of NODES) {
      await logged(node, /idle node/);
    }
  });

  afterEach(async () => {
    await stage.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function logged(node: string, pattern: RegExp, times = 1): Promise<void> {
    const file = join(folder, node, "node.log");
    await eventually(
      `${node} logs ${pattern} ${times} times`,
      async () =>
        existsSync(file) &&
        [...(await readFile(file, "utf8")).matchAll(new RegExp(pattern, "g"))].length >= times,
      10_000,
    );
  }

  it("gives each node a folder, a configuration that leads through its proxy, and a log", async () => {
    const configuration: unknown = JSON.parse(await readFile(join(folder, "a", "node.json"), "utf8"));
    expect(configuration).to.deep.equal({
      name: "a",
      dataDir: join(folder, "a", "data"),
      servers: `nats://127.0.0.1:${stage.link("a").port}`,
    });
    const nc = await connect({ servers: `127.0.0.1:${stage.link("a").port}`, reconnect: false });
    expect(stage.link("a").connections).to.equal(1);
    expect(stage.link("b").connections).to.equal(0);
    await nc.close();
  });

  it("kills a node and starts it again in a process of its own", async () => {
    const [pid = 0] = stage.pids;
    await stage.killNode("a");
    expect(isAlive(pid)).to.equal(false);
    expect(stage.isAlive("a")).to.equal(false);
    stage.startNode("a");
    expect(() => stage.startNode("a")).to.throw(/runs already/);
    await logged("a", /idle node/, 2);
    expect(stage.pids[0]).not.to.equal(pid);
    expect(stage.takeUnexpectedEnds(), "it was asked for").to.deep.equal([]);
  });

  it("stops a node where it stands and lets it go on", async () => {
    const [pid = 0] = stage.pids;
    stage.pauseNode("a");
    await eventually("the process stands still", async () => (await stateOf(pid)) === "T");
    stage.resumeNode("a");
    await eventually("the process goes on", async () => (await stateOf(pid)) !== "T");
  });

  it("tells once of a process that ended and nobody had asked for it", async () => {
    const [pid = 0] = stage.pids;
    process.kill(pid, "SIGUSR1");
    await eventually("the end is noticed", () => !stage.isAlive("a"));
    expect(stage.takeUnexpectedEnds()).to.deep.equal([{ node: "a", how: "exit code 3" }]);
    expect(stage.takeUnexpectedEnds()).to.deep.equal([]);
  });

  it("kills the nats-server and starts it again at the same port", async () => {
    const [url] = stage.serverUrls;
    await stage.killServer(0);
    let problem = "";
    await connect({ servers: url ?? "", reconnect: false }).catch((error: unknown) => {
      problem = String(error);
    });
    expect(problem).to.match(/REFUSED/);
    await stage.startServer(0);
    const nc = await connect({ servers: stage.serverUrls[0] ?? "", reconnect: false });
    await nc.close();
    expect(stage.serverUrls).to.deep.equal([url]);
  });

  it("does not touch the journal of a node that runs", async () => {
    let problem = "";
    await stage.wipe("a").catch((error: unknown) => {
      problem = String(error);
    });
    expect(problem).to.match(/node a runs; its journal is not to be touched/);
  });

  it("ends everything, paused processes too", async () => {
    const { pids } = stage;
    expect(pids).to.have.length(3);
    stage.pauseNode("b");
    await stage.stop();
    expect(pids.filter(isAlive)).to.deep.equal([]);
  });
});
