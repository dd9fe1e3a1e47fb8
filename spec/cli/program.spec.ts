import { expect } from "chai";
import { makeProgram } from "../../lib/cli/program.ts";
import { build, runCli } from "./command.ts";

/** Commands that work on a disk and reach no cluster. */
const OFFLINE: ReadonlySet<string> = new Set(["journal"]);

describe("The help of the command line", function () {
  this.timeout(20_000);

  before(() => build());

  it("lists every command and the exit codes", async () => {
    const { code, stdout, stderr } = await runCli(["--help"]);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: "" });
    for (const { name } of makeProgram().commands.map((command) => ({ name: command.name() }))) {
      expect(stdout).to.match(new RegExp(`^ {2}${name}\\b`, "m"));
    }
    expect(stdout).to.include("Exit codes: 0 done, 1 failed, 2 used wrongly.");
  });

  for (const command of makeProgram().commands.filter((each) => !OFFLINE.has(each.name()))) {
    it(`${command.name()} has examples, and takes the flags of the connection and --json`, () => {
      let text = "";
      command.configureOutput({
        writeOut: (part) => {
          text += part;
        },
      });
      command.outputHelp();
      expect(text).to.match(new RegExp(`Examples?:\\n(.*\\n)*? +.*supercast ${command.name()} ?`));
      const flags = command.options.map(({ long }) => long);
      expect(flags).to.include.members(["--servers", "--cluster", "--prefix", "--json"]);
      expect(flags).to.include.members(["--creds", "--user", "--password", "--token", "--nkey-file"]);
      expect(flags).to.include.members(["--tls-ca", "--tls-cert", "--tls-key"]);
      const widest = Math.max(...text.split("\n").map((line) => line.length));
      expect(widest, "columns").to.be.at.most(110);
    });
  }
});
