import { expect } from "chai";
import { build, Command, isAlive, TOUR } from "../cli/command.ts";
import { describeWithNats, natsServerPath } from "../support/nats-server.ts";

/** Everything in the tour's result that does not depend on the machine. */
const EXPECTED = {
  crash: { node: "b", restarts: 1, requeued: 1 },
  liveNodes: { before: ["a", "b", "c"], narrowed: ["a", "b"], after: ["a", "b", "c"] },
};

function tour(args: readonly string[], variables: Readonly<Record<string, string>>): Command {
  return new Command(TOUR, args, variables);
}

function check({ stdout }: { readonly stdout: string }, mode: string): void {
  const result: unknown = JSON.parse(stdout);
  expect(result).to.nested.include({ mode, "words.equalsSingleProcess": true, "kill.node": "c" });
  expect(result).to.deep.include({ crash: EXPECTED.crash, liveNodes: EXPECTED.liveNodes });
  expect(result).to.have.nested.property("words.total").that.is.greaterThan(100_000);
  expect(result).to.have.nested.property("kill.nodeDownMs").that.is.lessThan(5_000);
}

describeWithNats("The tour, on three node processes", function () {
  this.timeout(40_000);

  before(() => build());

  it("counts exactly through a crash and a SIGKILL, shows both, and ends with exit code 0", async () => {
    const ended = await tour(["--once", "--json"], { NATS_SERVER: natsServerPath() }).ended;
    expect(ended.code, ended.stderr).to.equal(0);
    check(ended, "processes");
    for (const shown of [
      /a worker at b was told to crash; its piece went back to the queue/,
      /its supervisor restarted it; restarts: 1/,
      /node c killed with SIGKILL/,
      /nodeDown c after .*, says [ab]; \d+ pieces go to other nodes/,
      /health alert after .* on supercast\.default\.health\.alert\.[ab]/,
      /equal to the count of a single process, word by word/,
      /node c started again, process \d+; nodeUp after/,
      /alert cleared after/,
      /counter_\d WordCounter +0 +1 +b\//,
    ]) {
      expect(ended.stderr).to.match(shown);
    }
    const widest = Math.max(...ended.stderr.split("\n").map((line) => line.length));
    expect(widest, "columns").to.be.at.most(80);
  });

  it("names the step when something fails, and ends with exit code 1 and without its nodes", async () => {
    const running = tour(["--once"], { NATS_SERVER: natsServerPath() });
    await running.prints(/node a up, process (\d+)/);
    const pids = [...running.stdout.matchAll(/process (\d+)/g)].map(([, pid]) => Number(pid));
    process.kill(pids[0] ?? 0, "SIGKILL");
    const { code, stderr } = await running.ended;
    expect(code).to.equal(1);
    expect(stderr).to.match(/^error: the tour failed at step ".+": node a ended by itself: SIGKILL$/m);
    expect(pids.filter(isAlive)).to.deep.equal([]);
  });
});

describe("The tour, without a nats-server", function () {
  this.timeout(30_000);

  before(() => build());

  it("says why, and does the same with three nodes in one process", async () => {
    // A nats-server that was fetched into the clone would be found, so its absence is asked for.
    const ended = await tour(["--once", "--json", "--in-process"], {}).ended;
    expect(ended.code, ended.stderr).to.equal(0);
    check(ended, "in-process");
    expect(ended.stderr).to.match(/So the three nodes run in this process/);
  });
});
