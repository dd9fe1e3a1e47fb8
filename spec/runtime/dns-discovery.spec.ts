import { expect } from "chai";
import type { Answer } from "dns-packet";
import "../../actors/names.ts";
import { SupercastError } from "../../lib/base/errors.ts";
import { systemClock } from "../../lib/base/system-clock.ts";
import { systemRandom } from "../../lib/base/system-random.ts";
import { discoveryTable } from "../../lib/runtime/discovery.ts";
import type { Node } from "../../lib/runtime/node.ts";
import { startNode } from "../../lib/runtime/start-node.ts";
import { collectLog, type LogLine } from "../../lib/telemetry/log.ts";
import { MemoryHub } from "../../lib/transport/memory.ts";
import { build, runCli, startCli } from "../cli/command.ts";
import { type Behaviour, DnsServer, NXDOMAIN, SERVFAIL } from "../support/dns-server.ts";
import { eventually } from "../support/eventually.ts";
import { describeWithNats, startNatsServer } from "../support/nats-server.ts";

const HOST = "nodes.spec.test";
const SERVICE = "_nats._tcp.spec.test";
/** Short, yet with room for two tries: the resolver waits a quarter of a second at least for each. */
const FAST_MS = 2_000;

const srv = (node: string): Answer => ({
  type: "SRV",
  name: SERVICE,
  data: { target: `${node}.spec.test`, port: 4222 },
});

/** Address records of the host, each with the name that the address resolves back to. */
function v4(last: number, node: string): readonly Answer[] {
  return [
    { type: "A", name: HOST, data: `10.0.0.${last}` },
    { type: "PTR", name: `${last}.0.0.10.in-addr.arpa`, data: `${node}.spec.test` },
  ];
}

function v6(last: number, node: string): readonly Answer[] {
  const reversed = `${last}.${"0.".repeat(29)}d.f.ip6.arpa`;
  return [
    { type: "AAAA", name: HOST, data: `fd00::${last}` },
    { type: "PTR", name: reversed, data: `${node}.spec.test` },
  ];
}

describe("discovery by DNS, against a DNS server", function () {
  this.timeout(10_000);
  let server: DnsServer;

  beforeEach(async () => {
    server = await DnsServer.start();
  });

  afterEach(() => server.stop());

  function set(behaviour: Partial<Behaviour>): void {
    Object.assign(server.behaviour, behaviour);
  }

  async function find(host: string, timeoutMs: number = 5_000): Promise<readonly string[]> {
    return discoveryTable({}, timeoutMs)(`dns:${host}@${server.address}`)();
  }

  async function failure(host: string, timeoutMs: number = FAST_MS): Promise<string> {
    try {
      return `found ${(await find(host, timeoutMs)).join()}`;
    } catch (error) {
      expect(error).to.be.instanceOf(SupercastError).with.property("code", "config_mismatch");
      return error instanceof Error ? error.message : String(error);
    }
  }

  it("takes the first labels of what an SRV query returns, each once", async () => {
    set({ records: [srv("a"), srv("b"), srv("b"), srv("c")] });
    expect([...(await find(SERVICE))].sort()).to.deep.equal(["a", "b", "c"]);
    expect(server.asked).to.deep.equal([`udp SRV ${SERVICE}`]);
  });

  it("takes the names that a host's A and AAAA records resolve back to", async () => {
    set({ records: [...v4(1, "a"), ...v4(2, "b"), ...v6(3, "c")] });
    expect([...(await find(HOST))].sort()).to.deep.equal(["a", "b", "c"]);
    set({ records: v6(3, "c") });
    expect(await find(HOST)).to.deep.equal(["c"]);
    set({ records: v4(1, "a") });
    expect(await find(HOST)).to.deep.equal(["a"]);
  });

  it("takes the server that says NXDOMAIN for AAAA at its word, but no half of an answer", async () => {
    set({ records: v4(1, "a"), codes: { [`AAAA ${HOST}`]: NXDOMAIN } });
    expect(await find(HOST)).to.deep.equal(["a"]);
    set({ codes: { [`AAAA ${HOST}`]: SERVFAIL } });
    expect(await failure(HOST)).to.match(/DNS for nodes\.spec\.test \(asked: .*queryAaaa ESERVFAIL/);
    set({ codes: { "1.0.0.10.in-addr.arpa": NXDOMAIN } });
    expect(await failure(HOST)).to.match(/ENOTFOUND 10\.0\.0\.1/);
  });

  it("says which host, which server and what went wrong: NXDOMAIN, no records, SERVFAIL", async () => {
    expect(await failure(SERVICE)).to.equal(
      `DNS for ${SERVICE} (asked: ${server.address}): querySrv ENOTFOUND ${SERVICE}`,
    );
    expect(await failure(HOST)).to.match(/queryA ENOTFOUND/);
    set({ records: [{ type: "TXT", name: HOST, data: "no address" }] });
    expect(await failure(HOST)).to.match(/queryA ENODATA/);
    set({ codes: { [SERVICE]: SERVFAIL } });
    expect(await failure(SERVICE)).to.match(/querySrv ESERVFAIL/);
  });

  it("asks a server that never answers twice, and gives up within the time that it has", async () => {
    set({ silent: true });
    const began = performance.now();
    expect(await failure(SERVICE)).to.match(/querySrv ETIMEOUT/);
    expect(performance.now() - began).to.be.lessThan(FAST_MS);
    expect(server.asked).to.have.length(2);
  });

  it("asks the second server when the first one is silent", async () => {
    const other = await DnsServer.start();
    try {
      set({ silent: true });
      Object.assign(other.behaviour, { records: [srv("a")] });
      const found = discoveryTable({}, FAST_MS)(`dns:${SERVICE}@${server.address},${other.address}`);
      expect(await found()).to.deep.equal(["a"]);
    } finally {
      await other.stop();
    }
  });

  it("asks again over TCP when an answer was cut, and takes no cut answer for a whole one", async () => {
    const names = Array.from({ length: 60 }, (_, index) => `node${index}`);
    set({ records: names.map(srv), truncate: "marked" });
    expect([...(await find(SERVICE))].sort()).to.deep.equal([...names].sort());
    expect(server.asked).to.deep.equal([`udp SRV ${SERVICE}`, `tcp SRV ${SERVICE}`]);
    set({ refuseTcp: true });
    expect(await failure(SERVICE)).to.match(/querySrv E(CONNREFUSED|TIMEOUT|BADRESP)/);
    set({ refuseTcp: false, truncate: "halved" });
    expect(await failure(SERVICE)).to.match(/querySrv E(BADRESP|TIMEOUT)/);
  });

  describe("by NodeMonitor", () => {
    let node: Node;
    let lines: LogLine[];

    beforeEach(async () => {
      const hub = new MemoryHub({ clock: systemClock, random: systemRandom });
      const { log, lines: logged } = collectLog();
      lines = logged;
      set({ records: [srv("a"), srv("b")] });
      node = await startNode(
        {
          name: "a",
          nodeMonitor: { discover: `dns:${SERVICE}@${server.address}`, refreshMs: 100 },
          limits: { discoveryTimeoutMs: FAST_MS },
        },
        { transport: hub.connect("a"), log },
      );
    });

    afterEach(() => node.stop());

    const status = () => node.call({ name: "node_monitor" }, { type: "status" });

    async function declares(...names: string[]): Promise<void> {
      await eventually(`declared: ${names.join()}`, async () => {
        const { declared } = await status();
        return declared !== "all" && [...declared].sort().join() === names.join();
      });
    }

    it("is followed as records come and go", async () => {
      await declares("a", "b");
      set({ records: [srv("a"), srv("b"), srv("c")] });
      await declares("a", "b", "c");
      set({ records: [srv("c")] });
      await declares("c");
    });

    for (const [trouble, behaviour, error] of [
      ["NXDOMAIN", { records: [] }, /ENOTFOUND/],
      ["SERVFAIL", { codes: { [SERVICE]: SERVFAIL } }, /ESERVFAIL/],
      ["silence", { silent: true }, /ETIMEOUT/],
      ["a cut answer", { truncate: "halved" }, /EBADRESP|ETIMEOUT/],
    ] as const) {
      it(`keeps its set through ${trouble}, logs an error, and goes on when the server is well`, async () => {
        await declares("a", "b");
        const pid = node.whereis("node_monitor");
        set(behaviour);
        await eventually("the failure shows", async () => (await status()).lastRefresh === "failed");
        const { declared, lastError } = await status();
        expect(declared).to.have.members(["a", "b"]);
        expect(lastError).to.match(error);
        const errors = lines.filter(({ level }) => level === "error").map(({ message }) => message);
        expect(errors[0])
          .to.match(error)
          .and.to.match(/the nodes found last stay declared/);
        set({ records: [srv("a"), srv("d")], codes: {}, silent: false, truncate: undefined });
        await declares("a", "d");
        expect(node.whereis("node_monitor")).to.equal(pid);
      });
    }
  });

  describeWithNats("by the command line", function () {
    this.timeout(40_000);

    before(build);

    it("is set with --discover at start and with reconfigure while the node runs", async () => {
      const nats = await startNatsServer();
      set({ records: [srv("a"), srv("b"), ...v4(1, "a"), ...v4(2, "x")] });
      const flags = ["--discover", `dns:${SERVICE}@${server.address}`, "--refresh", "200"];
      const command = startCli(["start", "--name", "a", "--servers", nats.url, "--json", ...flags]);
      try {
        await command.prints(/"name":"a"/);
        await command.prints(/declared nodes changed.*added=a,b/);
        const changed = await runCli([
          "reconfigure",
          "a",
          "--discover",
          `dns:${HOST}@${server.address}`,
          "--servers",
          nats.url,
          "--json",
        ]);
        expect(changed.code, changed.stderr).to.equal(0);
        expect(JSON.parse(changed.stdout)).to.deep.include({ added: ["x"], removed: ["b"] });
      } finally {
        await command.end("SIGTERM");
        await nats.stop();
      }
    });
  });
});
