import { once } from "node:events";
import { connect } from "node:net";
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import { describeWithNats } from "../support/nats-server.ts";
import { build, type Command, type Ended, isAlive, runCli, startCli } from "./command.ts";

interface Up {
  readonly servers: string;
  readonly cluster: string;
  readonly nodes: readonly { readonly name: string; readonly pid: number }[];
}

/** The one line that `up --json` prints. */
async function untilUp(command: Command): Promise<Up> {
  await eventually("up is ready", () => command.stdout.includes("\n"), 20_000);
  return JSON.parse(command.stdout);
}

async function listens(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describeWithNats("supercast, on a cluster that up started", function () {
  this.timeout(30_000);
  let cluster: Command;
  let up: Up;
  const cli = (...args: string[]): Promise<Ended> => runCli(args, { SUPERCAST_SERVERS: up.servers });
  const data = async (...args: string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await cli(...args, "--json");
    expect(code, stderr).to.equal(0);
    return JSON.parse(stdout);
  };

  before(async () => {
    await build();
    cluster = startCli(["up", "--nodes", "3", "--json"]);
    up = await untilUp(cluster);
  });

  after(async () => {
    await cluster.end("SIGTERM");
  });

  it("up --json prints one line when every node sees all", async () => {
    expect(cluster.stdout.trim().split("\n")).to.have.length(1);
    expect(up.cluster).to.equal("default");
    expect(up.servers).to.match(/^nats:\/\/127\.0\.0\.1:\d+$/);
    expect(up.nodes.map(({ name }) => name)).to.deep.equal(["a", "b", "c"]);
    expect(up.nodes.every(({ pid }) => isAlive(pid))).to.equal(true);
    const views = await Promise.all(
      ["a", "b", "c"].map((node) => data("call", node, "manager", "liveNodes")),
    );
    expect(views).to.deep.equal([
      ["a", "b", "c"],
      ["a", "b", "c"],
      ["a", "b", "c"],
    ]);
  });

  it("nodes lists each node with its status, aligned for people and as data for programs", async () => {
    const [text, listed] = await Promise.all([cli("nodes"), data("nodes", "--from", "b")]);
    const lines = text.stdout.trimEnd().split("\n");
    expect(lines[0]).to.match(/^cluster default, seen from [abc]: 3 of 3 declared nodes up$/);
    const columns = lines.slice(2).map((line) => line.search(/STATUS|●/));
    expect(new Set(columns).size).to.equal(1);
    expect(text.stdout).not.to.include("\u001b");
    expect(listed).to.have.keys("cluster", "from", "nodes");
    expect(listed).to.nested.include({ from: "b", "nodes[0].node": "a", "nodes[2].status": "up" });
  });

  it("partitions and stats show the map and the counts", async () => {
    const [map, stats, one] = await Promise.all([data("partitions"), data("stats"), cli("stats", "a")]);
    expect(map).to.have.length(8);
    expect(map).to.have.deep.nested.property("[0]", { partition: 0, primary: "a", replicas: ["b", "c"] });
    expect(stats).to.nested.include({ "cluster.partitions": 8, "nodes[1].node": "b" });
    expect(one.stdout).to.match(/processes +\d+\n/);
  });

  it("tree draws the supervision tree with pids, restarts and mailboxes", async () => {
    const [text, trees] = await Promise.all([cli("tree", "b"), data("tree")]);
    expect(text.stdout).to.match(/^ {2}PROCESS +MAILBOX +RESTARTS +PID$/m);
    expect(text.stdout).to.match(/^ {2}root +0 +0 +b\/\w+\/1$/m);
    expect(text.stdout).to.match(/^ {2}├─ system +0 +0 +b\/\w+\/\d+$/m);
    expect(text.stdout).to.match(/^ {2}│ {2}└─ stats +0 +0 +b\/\w+\/\d+$/m);
    expect(text.stdout).to.match(/^ {2}└─ actors +0 +0 +b\/\w+\/\d+$/m);
    expect(trees).to.have.length(3);
    expect(trees).to.have.nested.property("[2].node", "c");
    expect(trees).to.have.nested.property("[2].tree[0].name", "root");
    expect(trees).to.have.nested.property("[2].tree[0].restarts", 0);
  });

  it("call prints exactly the answer", async () => {
    const bare = await cli("call", "a", "manager", "liveNodes", "--json");
    const full = await cli("call", "any", "manager", '{"type":"getReplicas","partition":0}', "--json");
    expect(bare.stdout).to.equal('["a","b","c"]\n');
    expect(full.stdout).to.equal('{"primary":"a","replicas":["b","c"]}\n');
  });

  it("an error answer ends call with exit code 1, its code and the field", async () => {
    const message = '{"type":"getReplicas","partition":"x"}';
    const [text, json] = await Promise.all([
      cli("call", "a", "manager", message),
      cli("call", "a", "manager", message, "--json"),
    ]);
    expect(text).to.include({ code: 1, stdout: "" });
    expect(text.stderr).to.match(/^error: invalid_message: partition: /);
    expect(json).to.include({ code: 1, stdout: "" });
    expect(JSON.parse(json.stderr)).to.nested.include({ "error.code": "invalid_message" });
  });

  it("an actor or a node that is not there is said with what to do", async () => {
    const [actor, node] = await Promise.all([
      cli("call", "a", "nobody", "status"),
      cli("call", "zz", "manager", "liveNodes"),
    ]);
    expect(actor).to.include({ code: 1, stderr: "error: noproc: no process: nobody at a\n" });
    expect(node.code).to.equal(1);
    expect(node.stderr).to.match(
      /^error: no node zz in cluster default at nats:.*\n {2}supercast nodes lists/,
    );
  });

  it("cast reaches the actor", async () => {
    const { code, stdout } = await cli(
      "cast",
      "b",
      "metrics",
      '{"type":"increment","namespace":"spec","field":"casts","by":2}',
      "--json",
    );
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: "" });
    await eventually("the cast counts", async () => {
      const counters = await data("call", "b", "metrics", '{"type":"getAll","namespace":"spec"}');
      return JSON.stringify(counters) === '{"casts":2}';
    });
  });

  it("reconfigure changes what a node watches, and only there", async () => {
    const narrowed = await cli("reconfigure", "c", "--nodes", "a,c");
    expect(narrowed.stdout).to.equal("c now watches a, c  -b\n");
    expect(await data("call", "c", "manager", "liveNodes")).to.deep.equal(["a", "c"]);
    expect(await data("call", "a", "manager", "liveNodes")).to.deep.equal(["a", "b", "c"]);
    expect(await data("reconfigure", "c", "--all")).to.deep.include({
      declared: "all",
      source: { kind: "all" },
    });
    expect(await data("call", "c", "manager", "liveNodes")).to.deep.equal(["a", "b", "c"]);
    const failed = await cli("reconfigure", "c", "--discover", "file:/nowhere/nodes");
    expect(failed.code).to.equal(1);
    expect(failed.stderr).to.match(/discover: the node file \/nowhere\/nodes cannot be read: ENOENT/);
  });

  it("health shows the status of each node", async () => {
    await data("call", "a", "health_monitor", "forceCheck");
    const [text, health] = await Promise.all([cli("health", "--from", "a"), data("health", "--from", "a")]);
    expect(text.stdout).to.match(/^cluster default ● \w+ {2}seen from a, round of /);
    expect(text.stdout).to.match(/^ {2}b +● \w+ +\d+\.\d ms +\d+ ms +\d+\.\d % +\d+$/m);
    expect(health).to.nested.include({ node: "a", "nodes[1].node": "b" });
  });

  it("health --watch goes on with every round until Ctrl-C", async () => {
    const variables = { SUPERCAST_SERVERS: up.servers };
    const json = startCli(["health", "--watch", "--json"], variables);
    const lines = startCli(["health", "--watch", "--from", "b"], variables);
    await lines.prints(/round of b/);
    await eventually("a round is passed on", async () => {
      await data("call", "a", "health_monitor", "forceCheck");
      return json.stdout.includes('"subject":"supercast.default.health.check.a"');
    });
    const [first, second] = await Promise.all([json.end(), lines.end()]);
    expect([first.code, second.code]).to.deep.equal([0, 0]);
    const [line = ""] = first.stdout.split("\n");
    expect(JSON.parse(line)).to.have.keys("subject", "message");
    expect(second.stdout).to.match(/^\d\d:\d\d:\d\d round of b: ● \w+ \(a ● \w+, b ● \w+, c ● \w+\)\n/);
  });

  it("an option or argument that is wrong ends with exit code 2 and says what is allowed", async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["nodes", "--timeout", "soon"], /^error: --timeout is "soon"; allowed: a whole number from 1 /],
      [["nodes", "--cluster", "a.b"], /^error: cluster \(--cluster\) is "a\.b": .*use 1 to 64 letters/],
      [["nodes", "--servers", "http://x"], /^error: servers: "http:\/\/x" is not allowed; use nats:/],
      [["nodes", "--creds", "/nowhere"], /^error: creds: cannot read "\/nowhere"/],
      [["nodes", "--user", "u", "--token", "t"], /^error: user and token exclude each other/],
      [["call", "a b", "manager", "x"], /^error: NODE: node name "a b" is not allowed/],
      [["call", "a", "manager", "[1"], /^error: MESSAGE is "\[1", which is not JSON/],
      [["call", "a", "manager", "{}"], /^error: MESSAGE has no "type"/],
      [["call", "a"], /^error: missing required argument 'actor'/],
      [["reconfigure", "a"], /^error: 0 sources are given; allowed: exactly one of --nodes/],
      [["reconfigure", "a", "--all", "--refresh", "5"], /^error: --refresh is "5"; allowed: only together/],
      [["up", "--nodes", "99"], /^error: --nodes is "99"; allowed: a whole number from 1 to 26/],
      [["nodes", "--colour"], /^error: unknown option '--colour'/],
      [["frobnicate"], /^error: unknown command 'frobnicate'/],
      [[], /^Usage: supercast/],
    ];
    const results = await Promise.all(cases.map(([args]) => runCli(args)));
    for (const [index, { code, stdout, stderr }] of results.entries()) {
      const [args = [], pattern = /never/] = cases[index] ?? [];
      expect(stderr, args.join(" ")).to.match(pattern);
      expect({ code, stdout }, args.join(" ")).to.deep.equal({ code: 2, stdout: "" });
    }
  });

  it("a server that is not there is said with what to do", async () => {
    const { code, stdout, stderr } = await runCli(["nodes", "--servers", "nats://127.0.0.1:1"]);
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: "" });
    expect(stderr).to.match(
      /^error: no connection to the nats-server at 127\.0\.0\.1:1: .*\n {2}is a nats-server running/,
    );
  });

  it("a cluster without nodes is said with what to do", async () => {
    const { code, stderr } = await cli("nodes", "--cluster", "empty");
    expect(code).to.equal(1);
    expect(stderr).to.match(/^error: no node of cluster empty at nats:.* answers\n {2}supercast up/);
  });

  it("up reports a node that ends by itself, and how to start it again", async () => {
    const pid = up.nodes.find(({ name }) => name === "b")?.pid ?? 0;
    process.kill(pid, "SIGKILL");
    await cluster.prints(/node b \(process \d+\) ended by itself: SIGKILL\. It is not started again/);
    expect(cluster.stderr).to.include(`supercast start --name b --servers ${up.servers} --peers a,b,c\n`);
    await eventually("the others know", async () => {
      const live = await data("call", "a", "manager", "liveNodes");
      return JSON.stringify(live) === '["a","c"]';
    });
    expect(await data("nodes", "--from", "a")).to.nested.include({
      "nodes[1].node": "b",
      "nodes[1].status": "down",
    });
  });

  it("SIGTERM ends up with exit code 0 and leaves no process behind", async () => {
    const { code, stderr } = await cluster.end("SIGTERM");
    expect(code, stderr).to.equal(0);
    expect(up.nodes.filter(({ pid }) => isAlive(pid))).to.deep.equal([]);
    expect(await listens(up.servers)).to.equal(false);
    expect(stderr).to.match(
      /node a stopped: handOver \d+ ms, refuse \d+ ms, drain \d+ ms, tree \d+ ms, storage \d+ ms/,
    );
  });

  it("SIGKILL of up ends its nodes and its nats-server too", async () => {
    const short = startCli(["up", "--nodes", "1", "--json"]);
    const { servers, nodes } = await untilUp(short);
    await short.end("SIGKILL");
    await eventually("no process is left", () => nodes.every(({ pid }) => !isAlive(pid)));
    await eventually("the nats-server is gone", async () => !(await listens(servers)));
  });
});
