import { expect } from "chai";
import { SupercastError } from "../../lib/base/errors.ts";
import { checkOptions, optionTable } from "../../lib/config/options.ts";

/** The text of the error, with the code checked. */
function problemOf(options: unknown, sources?: ReadonlyMap<string, string>): string {
  try {
    checkOptions(options, sources);
  } catch (thrown) {
    expect(thrown).to.be.instanceOf(SupercastError).with.property("code", "config_mismatch");
    return thrown instanceof Error ? thrown.message : "";
  }
  throw new Error("the options were accepted");
}

describe("the options of a node", () => {
  it("need a name only, and fill in the rest", () => {
    const settings = checkOptions({ name: "a" });
    expect(settings).to.include({
      cluster: "default",
      subjectPrefix: "supercast",
      partitions: 8,
      replicationFactor: 3,
      replicationMode: "async",
      restartIntensity: 3,
      restartPeriodMs: 5_000,
    });
    expect(settings.checkedLimits.heartbeatMs).to.equal(100);
  });

  it("take discoveries that are built in, with servers to ask, and those that are given", () => {
    for (const discover of [
      "file:/nodes",
      "dns:a.b",
      "dns:_x._tcp.a.b.@::1,[::1]:5353,10.0.0.1:53",
      "mine",
    ]) {
      const options = { name: "a", nodeMonitor: { discover }, discoveries: { mine: () => [] } };
      expect(checkOptions(options).nodeMonitor).to.deep.equal({ discover });
    }
  });

  const wrong: readonly [what: string, options: unknown, ...texts: RegExp[]][] = [
    ["no object", undefined, /the options object is missing/],
    ["no name", {}, /name is missing/],
    ["a name with a dot", { name: "a.b" }, /name is "a\.b"/, /1 to 64 letters, digits/],
    ["the reserved name", { name: "any" }, /"any" is reserved/],
    ["a name that is too long", { name: "x".repeat(65) }, /1 to 64/],
    ["an unknown key", { name: "a", nmae: "b" }, /nmae is not an option/, /allowed: name, cluster/],
    [
      "an unknown key inside",
      { name: "a", health: { interval: 5 } },
      /health\.interval is not an option/,
      /intervalMs/,
    ],
    ["too many partitions", { name: "a", partitions: 65 }, /partitions is 65/, /64/],
    ["an unknown mode", { name: "a", replicationMode: "soon" }, /replicationMode is "soon"/, /async/, /3pc/],
    [
      "two sources of nodes",
      { name: "a", nodeMonitor: { all: true, nodes: ["a"] } },
      /nodeMonitor/,
      /exactly one/,
    ],
    ["no source of nodes", { name: "a", nodeMonitor: {} }, /exactly one/],
    ["a peer that is no name", { name: "a", peers: ["b", "c d"] }, /peers\.1 is "c d"/],
    [
      "a discovery that is no function",
      { name: "a", discoveries: { x: 5 } },
      /discoveries\.x is 5/,
      /function/,
    ],
    [
      "a discovery that nobody knows",
      { name: "a", nodeMonitor: { discover: "mine" }, discoveries: { yours: () => [] } },
      /nodeMonitor\.discover is "mine": no such discovery; allowed: file:PATH, .*dns:HOST@SERVER, yours/,
    ],
    ...["dns:", "dns:a b", "dns:a..b", "dns:@10.0.0.1", "dns:a@1.2.3.4@1.2.3.5", "file:"].map(
      (discover): [string, unknown, RegExp] => [
        `the discovery ${discover}`,
        { name: "a", nodeMonitor: { discover } },
        /nodeMonitor\.discover is "(dns|file):.*": (dns|file): needs a/,
      ],
    ),
    ...["ns.example.org", "10.0.0.1:0", "10.0.0.1:70000", "10.0.0", "[10.0.0.1]:53", "10.0.0.1,", ""].map(
      (server): [string, unknown, RegExp] => [
        `the DNS server ${JSON.stringify(server)}`,
        { name: "a", nodeMonitor: { discover: `dns:a.example@${server}` } },
        /nodeMonitor\.discover is "dns:a\.example@.*is no DNS server; allowed: ADDRESS, IPV4:PORT or \[IPV6\]:PORT/,
      ],
    ),
    ["a function for a name", { name: () => "a" }, /name is a function/],
    ["a negative limit", { name: "a", limits: { heartbeatMs: -1 } }, /limits\.heartbeatMs is -1/, /from 1/],
    [
      "an unknown limit",
      { name: "a", limits: { heartbeat: 5 } },
      /limits\.heartbeat is not known/,
      /heartbeatMs/,
    ],
    [
      "limits at odds",
      { name: "a", limits: { suspectAfterMs: 150 } },
      /at least 2 x heartbeatMs/,
      /suspectAfterMs is 150/,
    ],
  ];
  for (const [what, options, ...texts] of wrong) {
    it(`refuse ${what}, naming key, value and what is allowed`, () => {
      const problem = problemOf(options);
      for (const text of texts) {
        expect(problem).to.match(text);
      }
    });
  }

  it("say all that is wrong at once", () => {
    const wrongOnes = { name: "", partitions: 0, cluster: "*", subjectPrefix: "a.>", limits: { beat: 1 } };
    expect(
      problemOf(wrongOnes)
        .split("\n")
        .map((line) => line.split(" ", 1)[0]),
    ).to.have.members(["name", "partitions", "cluster", "subjectPrefix", "limits.beat"]);
  });

  it("say where a value came from", () => {
    expect(problemOf({ name: "a b" }, new Map([["name", "--name"]]))).to.match(/name \(--name\) is "a b"/);
  });

  it("never repeat a secret", () => {
    for (const key of ["password", "token", "nkey"]) {
      expect(problemOf({ name: "a", [key]: 12_345 })).to.not.include("12345");
    }
  });

  it("are listed with their defaults and help, every one of them", () => {
    const table = optionTable();
    expect(table.find(({ key }) => key === "partitions")).to.include({ default: "8" });
    expect(table.filter(({ help }) => help === "")).to.deep.equal([]);
  });
});
