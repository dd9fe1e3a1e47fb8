import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { describeWithNats, type NatsServer, startNatsServer } from "../support/nats-server.ts";
import { build, isAlive, runCli, startCli } from "./command.ts";

describe("supercast start, used wrongly", function () {
  this.timeout(20_000);
  let folder: string;

  before(async () => {
    await build();
    folder = await mkdtemp(join(tmpdir(), "supercast-spec-"));
  });

  after(async () => {
    await rm(folder, { recursive: true });
  });

  it("ends with exit code 2 and names key, value, source and what is allowed, all at once", async () => {
    const file = join(folder, "wrong.json");
    await writeFile(
      file,
      JSON.stringify({ name: "a", partitions: 65, health: { latencyMs: -1 }, colour: "red" }),
    );
    const { code, stdout, stderr } = await runCli(["start", "--config", file, "--replication-mode", "fast"], {
      SUPERCAST_REPLICATION_FACTOR: "many",
    });
    expect({ code, stdout }).to.deep.equal({ code: 2, stdout: "" });
    expect(stderr).to.include(`partitions (${file}) is 65: Too big: expected number to be <=64`);
    expect(stderr).to.include(`health.latencyMs (${file}) is -1: Too small`);
    expect(stderr).to.include(`colour (${file}) is not an option; allowed: name, cluster, servers`);
    expect(stderr).to.include('replicationFactor (SUPERCAST_REPLICATION_FACTOR) is "many": Invalid input');
    expect(stderr).to.include(
      'replicationMode (--replication-mode) is "fast": Invalid option: expected one of "async"',
    );
  });

  it("does not repeat secrets", async () => {
    const file = join(folder, "secret.json");
    await writeFile(file, JSON.stringify({ name: "a", password: 20261121 }));
    const { code, stderr } = await runCli(["start", "--config", file]);
    expect(code).to.equal(2);
    expect(stderr).to.include(`password (${file}) is not shown: Invalid input: expected string`);
    expect(stderr).not.to.include("20261121");
  });

  it("says what is wrong with a configuration file, a limit, a log level", async () => {
    const broken = join(folder, "broken.json");
    await writeFile(broken, "{name");
    const [utf16, marked] = [join(folder, "utf16.json"), join(folder, "marked.json")];
    await writeFile(utf16, '{"name": "a"}', "utf16le");
    await writeFile(marked, '\ufeff{"name": "a", "partitions": 0}');
    const [missing, syntax, isFolder, foreign, withMark, limit, level, unnamed] = await Promise.all([
      runCli(["start", "--config", join(folder, "none.json")]),
      runCli(["start", "--config", broken]),
      runCli(["start", "--config", folder]),
      runCli(["start", "--config", utf16]),
      runCli(["start", "--config", marked, "--limit", "heartbeat=1"]),
      runCli(["start", "--name", "a", "--limit", "heartbeatMs=-5"]),
      runCli(["start", "--name", "a", "--log-level", "loud"]),
      runCli(["start"]),
    ]);
    expect(missing.stderr).to.match(/^error: the configuration file .*none\.json cannot be read: ENOENT/);
    expect(syntax.stderr).to.match(/^error: the configuration file .*broken\.json is not JSON/);
    expect(isFolder.stderr).to.match(/^error: the configuration file .* cannot be read: EISDIR/);
    expect(isFolder.stderr).to.include(folder);
    expect(foreign.stderr).to.match(
      /^error: the configuration file .*utf16\.json is not (JSON|text in UTF-8)/,
    );
    expect(withMark.stderr).to.match(/^error: partitions \(.*marked\.json\) is 0: Too small/);
    expect(withMark.stderr).to.match(/\nerror: limits\.heartbeat is not known; known: /);
    expect(limit.stderr).to.match(/^error: limits\.heartbeatMs is -5; allowed: /);
    expect(level.stderr).to.match(
      /^error: option '--log-level <level>' argument 'loud' is invalid\. Allowed choices/,
    );
    expect(unnamed.stderr).to.match(/^error: name is missing\n/);
    const all = [missing, syntax, isFolder, foreign, withMark, limit, level, unnamed];
    expect(all.map(({ code }) => code)).to.deep.equal(all.map(() => 2));
  });
});

describeWithNats("supercast start", function () {
  this.timeout(20_000);
  let server: NatsServer;

  before(async () => {
    await build();
    server = await startNatsServer({ config: 'authorization { token: "s3cret" }' });
  });

  after(async () => {
    await server.stop();
  });

  it("runs a node with credentials of the environment until SIGTERM, and shows how it stops", async () => {
    const variables = { SUPERCAST_SERVERS: server.url, SUPERCAST_TOKEN: "s3cret" };
    const node = startCli(["start", "--name", "a", "--cluster", "spec", "--peers", "a", "--json"], variables);
    await node.prints(/"pid":\d+\}\n/);
    expect(JSON.parse(node.stdout)).to.deep.include({ name: "a", cluster: "spec", servers: server.url });
    const seen = await runCli(["nodes", "--cluster", "spec", "--json"], variables);
    expect(JSON.parse(seen.stdout)).to.nested.include({ "nodes[0].node": "a", "nodes[0].status": "up" });
    const taken = await runCli(["start", "--name", "a", "--cluster", "spec"], variables);
    expect(taken.code).to.equal(2);
    expect(taken.stderr).to.match(/error: the name "a" is taken: incarnation \w+ answers to it/);
    const refused = await runCli(["nodes", "--servers", server.url, "--token", "wrong"]);
    expect(refused.code).to.equal(1);
    expect(refused.stderr).to.match(/^error: .*authorization/i);
    process.kill(node.child.pid ?? 0, "SIGUSR2");
    await node.prints(/log level: debug/);
    const { code, stderr } = await node.end("SIGTERM");
    expect(code).to.equal(0);
    expect(stderr).to.match(
      /node a stopped: handOver \d+ ms, refuse \d+ ms, drain \d+ ms, tree \d+ ms, storage \d+ ms, goodbye \d+ ms, transport \d+ ms/,
    );
  });

  it("waits for a server that is not there yet, says so, and comes up when it comes up", async () => {
    const other = await startNatsServer();
    const { url, port } = other;
    await other.stop();
    const node = startCli(["start", "--name", "a", "--servers", url, "--json"]);
    await node.prints(/no connection to the nats-server at 127\.0\.0\.1:\d+.*trying again in \d+ ms/);
    expect(node.stdout).to.equal("");
    const late = await startNatsServer({ port });
    try {
      await node.prints(/"name":"a"/);
      expect((await node.end()).code).to.equal(0);
    } finally {
      node.child.kill("SIGKILL");
      await late.stop();
    }
  });

  it("stops without delay while its server is gone", async () => {
    const other = await startNatsServer();
    const node = startCli(["start", "--name", "a", "--servers", other.url, "--json"]);
    await node.prints(/"name":"a"/);
    await other.stop();
    await node.prints(/trying again/);
    const { code, stderr } = await node.end("SIGTERM");
    expect(code).to.equal(0);
    const phases = [...stderr.matchAll(/(?:refuse|drain|tree|goodbye|transport|server) (\d+) ms/g)];
    expect(phases).to.have.length(6);
    expect(Math.max(...phases.map(([, ms]) => Number(ms)))).to.be.lessThan(2_000);
  });

  it("takes a signal that npm repeats for one, and a second one for the wish to end at once", async () => {
    const { url } = server;
    const node = startCli(["start", "--name", "b", "--servers", url, "--token", "s3cret", "--json"]);
    await node.prints(/"name":"b"/);
    node.child.kill("SIGINT");
    expect((await node.end("SIGINT")).code).to.equal(0);

    const stuck = startCli(["up", "--nodes", "1", "--servers", url, "--token", "s3cret", "--json"]);
    await eventually("the cluster is up", () => stuck.stdout.includes("\n"));
    const { pid } = JSON.parse(stuck.stdout).nodes[0];
    process.kill(pid, "SIGSTOP");
    try {
      stuck.child.kill("SIGTERM");
      await stuck.prints(/stopping the cluster/);
      await delay(600); // as long as a person takes at least to ask twice
      stuck.child.kill("SIGTERM");
      await eventually("up has ended", () => stuck.child.exitCode === 130);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    await eventually("its node is gone", () => !isAlive(pid));
  });

  it("ends at once, with exit code 0, when it is stopped while it waits", async () => {
    const node = startCli(["start", "--name", "a", "--servers", "nats://127.0.0.1:1"]);
    await node.prints(/trying again/);
    const { code, stderr } = await node.end("SIGTERM");
    expect(code).to.equal(0);
    expect(stderr).to.match(/stopped before the node was ready: SIGTERM/);
  });
});
