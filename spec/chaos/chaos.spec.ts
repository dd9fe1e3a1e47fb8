/** `npm run chaos` itself, for a short time: what is compiled, with real nodes and a real nats-server. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { build, Command, isAlive } from "../cli/command.ts";
import { describeWithNats, natsServerPath } from "../support/nats-server.ts";

const CHAOS = join(import.meta.dirname, "../../dist/scripts/chaos/main.js");

function chaos(...args: string[]): Command {
  return new Command(CHAOS, args, { NATS_SERVER: natsServerPath() });
}

/** The process ids that a run has told. */
function pidsIn(log: string): number[] {
  const [, list = ""] = /processes ([\d, ]+);/.exec(log) ?? [];
  return list.split(", ").map(Number);
}

describeWithNats("npm run chaos", function () {
  this.timeout(150_000);

  before(() => build());

  it("loses nothing over three nodes in memory, is linearizable, recovers in time, and leaves nothing behind", async () => {
    const { code, stdout, stderr } = await chaos("--minutes", "0.6", "--seed", "1", "--json").ended;
    expect(code, stderr).to.equal(0);
    const result: unknown = JSON.parse(stdout);
    expect(result).to.have.all.keys("faults", "acknowledged", "lost", "linearizable", "slowestRecoveryMs");
    expect(result).to.include({ lost: 0, linearizable: true });
    expect(result).to.have.property("faults").that.is.at.least(3);
    expect(result).to.have.property("acknowledged").that.is.at.least(300);
    expect(result).to.have.property("slowestRecoveryMs").that.is.within(1, 5_000);
    expect(stderr).to.match(/kill [abc], for \d+ ms/);
    const pids = pidsIn(stderr);
    expect(pids).to.have.length(4);
    expect(pids.filter(isAlive)).to.deep.equal([]);
  });

  it("ends with all its processes on Ctrl-C", async () => {
    const running = chaos("--minutes", "5", "--seed", "1", "--json");
    await running.prints(/ pause [abc], for/, 120_000).catch(async (error: unknown) => {
      await running.end();
      throw error;
    });
    const pids = pidsIn(running.stderr);
    const [, folder = ""] = /data and logs in (\S+)/.exec(running.stderr) ?? [];
    expect(pids.filter(isAlive).length).to.be.at.least(3);
    expect(existsSync(folder), folder).to.equal(true);
    const { code, stdout, stderr } = await running.end();
    expect(code, stderr).to.equal(130);
    expect(stdout).to.equal("");
    expect(pids.filter(isAlive)).to.deep.equal([]);
    expect(existsSync(folder), folder).to.equal(false);
  });

  it("names a flag that cannot be, with exit code 2", async () => {
    const { code, stderr } = await chaos("--nodes", "4").ended;
    expect(code).to.equal(2);
    expect(stderr).to.equal('--nodes is "4"; allowed: 3, 5\n');
  });
});
