import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect } from "chai";
import { build, type Command, startCli } from "../cli/command.ts";
import { describeWithNats } from "../support/nats-server.ts";

const run = promisify(execFile);

describeWithNats("README.md", function () {
  this.timeout(60_000);
  let cluster: Command;

  before(async () => {
    await build();
    cluster = startCli(["up", "--json"]);
    await cluster.prints(/\n/, 30_000);
  });

  after(async () => {
    await cluster.end("SIGTERM");
  });

  it("shows a client of the bare nats package that works, with a cluster that up started", async () => {
    const [, client = ""] = /```js\n(.*?)```/s.exec(readFileSync("README.md", "utf8")) ?? [];
    expect(client).to.include('from "nats"');
    const { servers } = JSON.parse(cluster.stdout);
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", client, servers], {
      timeout: 20_000,
    });
    const printed = stdout.replace(/\s+/g, " ");
    expect(printed).to.match(/^\{ ok: \[ 'a', 'b', 'c' \] \} \{ ok: \{ source: \{ kind: 'nodes',/);
    expect(printed).to.include("removed: [ 'c' ]");
    expect(printed).to.include("error: { code: 'invalid_message', message: 'type: manager has no message");
    expect(printed).to.match(/supercast\.default\.health\.check\.[abc] (healthy|degraded|unknown) $/);
  });
});
