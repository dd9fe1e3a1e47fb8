import { expect } from "chai";
import { clusterSetting, nodeConfig, wantedStreams } from "../../scripts/chaos/cluster.ts";
import { parseCommand } from "../../scripts/chaos/options.ts";
import { whyInvalid } from "../../scripts/chaos/validity.ts";
import { UsageError } from "../../scripts/usage.ts";

describe("The command line of npm run chaos", () => {
  it("has defaults for everything", () => {
    expect(parseCommand([])).to.deep.equal({
      command: "run",
      minutes: 2,
      nodes: 3,
      servers: 1,
      durability: "memory",
      seed: undefined,
      clients: 8,
      json: false,
    });
    expect(parseCommand(["--help"])).to.deep.equal({ command: "help" });
  });

  it("reads every flag", () => {
    const args = "--minutes 0.5 --nodes 5 --servers 3 --durability disk --seed 42 --clients 9 --json";
    expect(parseCommand(args.split(" "))).to.deep.equal({
      command: "run",
      minutes: 0.5,
      nodes: 5,
      servers: 3,
      durability: "disk",
      seed: 42,
      clients: 9,
      json: true,
    });
  });

  it("names flag, value and what is allowed when a flag cannot be", () => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ["--minutes 0", /--minutes is "0"; allowed: a number above 0/],
      ["--nodes 4", /--nodes is "4"; allowed: 3, 5/],
      ["--servers 2", /--servers is "2"; allowed: 1, 3/],
      ["--durability tape", /--durability is "tape"; allowed: memory, disk/],
      ["--seed -1", /--seed/],
      ["--clients 7", /--clients is "7"; allowed: a whole number from 8/],
      ["--fast", /--fast/],
    ];
    for (const [args, message] of wrong) {
      expect(() => parseCommand(args.split(" ")), args).to.throw(UsageError, message);
    }
  });
});

describe("The cluster of a chaos run", () => {
  it("has a partition for each node, three copies of each, and a data folder on disk only", () => {
    const setting = clusterSetting(5, "disk");
    expect(setting.nodes).to.deep.equal(["a", "b", "c", "d", "e"]);
    expect(nodeConfig(setting, "b", "/data/b")).to.deep.include({
      name: "b",
      partitions: 5,
      replicationFactor: 3,
      replicationMode: "strong",
      durability: "disk",
      dataDir: "/data/b",
    });
    expect(nodeConfig(clusterSetting(3, "memory"), "a", "/data/a")).not.to.have.property("dataDir");
    expect(wantedStreams(setting)).to.have.length(6);
    expect(wantedStreams(setting)[0]).to.deep.equal({ stream: "root", copies: 5 });
    expect(wantedStreams(setting)[5]).to.deep.equal({ stream: "partition-4", copies: 3 });
  });
});

describe("The validity of a chaos run", () => {
  const enough = {
    durationMs: 60_000,
    operations: 2_000,
    acknowledged: 1_500,
    clients: 8,
    clientsAcknowledged: 8,
    faults: 6,
    faultKinds: 4,
  };

  it("is given with enough operations, faults and answers", () => {
    expect(whyInvalid(enough)).to.deep.equal([]);
  });

  it("is refused, with the reason, with too little of any of them", () => {
    expect(whyInvalid({ ...enough, operations: 500, acknowledged: 450 })[0]).to.match(
      /500 client operations/,
    );
    expect(whyInvalid({ ...enough, faults: 4 })).to.deep.equal(["4 faults, at least 5 are needed"]);
    expect(whyInvalid({ ...enough, faultKinds: 2 })).to.deep.equal([
      "2 kinds of faults, at least 3 are needed",
    ]);
    expect(whyInvalid({ ...enough, acknowledged: 100 })[0]).to.match(/5.0 % of the operations acknowledged/);
    expect(whyInvalid({ ...enough, clientsAcknowledged: 7 })[0]).to.match(/1 of 8 clients/);
  });

  it("asks for fifty faults in ten minutes", () => {
    const long = { ...enough, durationMs: 600_000, operations: 10_000, acknowledged: 8_000, faultKinds: 9 };
    expect(whyInvalid({ ...long, faults: 50 })).to.deep.equal([]);
    expect(whyInvalid({ ...long, faults: 49 })).to.have.length(1);
  });
});
