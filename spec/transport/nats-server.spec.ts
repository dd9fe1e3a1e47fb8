import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { connect, ErrorCode, type NatsConnection } from "nats";
import { findNatsServer } from "../../lib/transport/nats-server.ts";
import { eventually } from "../support/eventually.ts";
import {
  describeWithNats,
  type NatsServer,
  natsServerPath,
  startNatsServer,
} from "../support/nats-server.ts";

const LAUNCHER = new URL("../../lib/transport/nats-server.ts", import.meta.url).href;

const folders: string[] = [];

/** A new folder, removed when the suites of this file are through. */
function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "supercast-spec-"));
  folders.push(folder);
  return folder;
}

function removeFolders(): void {
  for (const folder of folders.splice(0)) {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether somebody accepts connections on a loopback port. */
async function accepts(port: number): Promise<boolean> {
  const socket = createConnection(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("findNatsServer", () => {
  let folder = "";
  let executable = "";

  after(removeFolders);

  before(() => {
    folder = ownFolder();
    mkdirSync(join(folder, "bin"));
    executable = join(folder, "bin", "nats-server");
    writeFileSync(executable, "#!/bin/sh\n");
    chmodSync(executable, 0o755);
  });

  it("takes NATS_SERVER before all else", () => {
    expect(findNatsServer({ NATS_SERVER: executable, PATH: "/nowhere" })).to.deep.equal({
      found: true,
      path: executable,
    });
  });

  it("takes the first one in PATH otherwise", () => {
    const search = findNatsServer({ NATS_SERVER: "", PATH: `/nowhere:${join(folder, "bin")}` });
    expect(search).to.deep.equal({ found: true, path: executable });
  });

  it("refuses a NATS_SERVER that cannot be run, and names the variable", () => {
    const plain = join(folder, "plain");
    writeFileSync(plain, "");
    for (const path of [plain, folder, join(folder, "missing")]) {
      expect(() => findNatsServer({ NATS_SERVER: path, PATH: join(folder, "bin") }))
        .to.throw(`NATS_SERVER is ${JSON.stringify(path)}`)
        .with.property("code", "config_mismatch");
    }
  });
});

describeWithNats("startNatsServer", () => {
  after(removeFolders);

  const servers: NatsServer[] = [];
  const connections: NatsConnection[] = [];

  async function start(options: Parameters<typeof startNatsServer>[0] = {}): Promise<NatsServer> {
    const server = await startNatsServer(options);
    servers.push(server);
    return server;
  }

  async function client(url: string): Promise<NatsConnection> {
    const connection = await connect({ servers: url, reconnect: false });
    connections.push(connection);
    return connection;
  }

  afterEach(async () => {
    await Promise.all(connections.splice(0).map((connection) => connection.close()));
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });

  it("accepts connections when it resolves, on the loopback interface, whatever the configuration says", async () => {
    const server = await start({ config: 'listen: "0.0.0.0:4222"' });
    const connection = await client(server.url);
    expect(connection.info?.host).to.equal("127.0.0.1");
    expect(server.port).to.not.equal(4222);
  });

  it("applies the configuration", async () => {
    const server = await start({ config: "authorization { token: secret }" });
    const refused = await connect({ servers: server.url, reconnect: false }).catch((error: unknown) => error);
    expect(refused).to.have.property("code", ErrorCode.AuthorizationViolation);
  });

  it("keeps its port and what JetStream stored over a crash and a restart", async () => {
    const server = await start({ jetstream: true });
    const before = await client(server.url);
    await (await before.jetstreamManager()).streams.add({ name: "kept", subjects: ["kept"] });
    await before.jetstream().publish("kept", "one");
    const { port, pid } = server;

    await server.kill();
    expect(isAlive(pid)).to.equal(false);
    await server.restart();

    expect(server.port).to.equal(port);
    expect(server.pid).to.not.equal(pid);
    const info = await (await (await client(server.url)).jetstreamManager()).streams.info("kept");
    expect(info.state.messages).to.equal(1);
  });

  it("leaves neither process nor file behind when it is stopped, and may be stopped twice", async () => {
    const folder = ownFolder();
    const outer = process.env["TMPDIR"];
    process.env["TMPDIR"] = folder;
    try {
      const server = await start({ jetstream: true });
      const { pid } = server;
      expect(readdirSync(folder)).to.have.length(1);
      await Promise.all([server.stop(), server.stop()]);
      expect(isAlive(pid)).to.equal(false);
      expect(readdirSync(folder)).to.deep.equal([]);
    } finally {
      process.env["TMPDIR"] = outer ?? "";
    }
  });

  it("says why a server does not start, with the server's own words", async () => {
    const running = await start();
    const taken = await start({ port: running.port }).catch((error: unknown) => error);
    expect(taken).to.have.property("code", "start_failed");
    expect(taken).to.have.property("message").that.includes("address already in use");

    const wrong = await start({ config: "no_such_option: 1" }).catch((error: unknown) => error);
    expect(wrong).to.have.property("message").that.includes("no_such_option");
  });

  it("tells when the server ends unasked, and only then", async () => {
    const endings: string[] = [];
    const server = await start({ onExit: (how) => endings.push(how) });
    await server.restart();
    expect(endings).to.deep.equal([]);
    process.kill(server.pid, "SIGKILL");
    await eventually("the ending is told", () => endings.length === 1);
    expect(endings[0]).to.match(/^it ended with SIGKILL/);
  });

  it("does not start again what was stopped", async () => {
    const server = await start();
    await server.stop();
    const refused = await server.restart().catch((error: unknown) => error);
    expect(refused).to.have.property("code", "start_failed");
  });
});

describeWithNats("a nats-server whose parent ends", () => {
  after(removeFolders);

  /** Starts a process that starts a nats-server, and reads the server's port from it. */
  async function startParent(
    folder: string,
    thenRun: string,
  ): Promise<{ parent: ChildProcess; port: number }> {
    const program = `
      const { startNatsServer } = await import(${JSON.stringify(LAUNCHER)});
      const server = await startNatsServer({ jetstream: true });
      console.log(server.port);
      ${thenRun}`;
    const parent = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program], {
      env: { ...process.env, NATS_SERVER: natsServerPath(), TMPDIR: folder },
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [line] = await once(parent.stdout, "data");
    return { parent, port: Number(String(line)) };
  }

  async function expectEnd(thenRun: string, end: (parent: ChildProcess) => void): Promise<void> {
    const folder = ownFolder();
    const { parent, port } = await startParent(folder, thenRun);
    const ended = once(parent, "exit");
    expect(await accepts(port)).to.equal(true);
    end(parent);
    await ended;
    await eventually("the nats-server is gone", async () => !(await accepts(port)));
    await eventually("its files are gone", () =>
      readdirSync(folder).every((name) => !name.startsWith("supercast")),
    );
  }

  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const) {
    it(`ends after the parent's ${signal}`, () => expectEnd("", (parent) => parent.kill(signal)));
  }

  it("ends after the parent's process.exit", () =>
    expectEnd("process.once('SIGUSR2', () => process.exit(0));", (parent) => parent.kill("SIGUSR2")));

  it("ends after the parent's crash", () =>
    expectEnd("process.once('SIGUSR2', () => { throw new Error('crash'); });", (parent) =>
      parent.kill("SIGUSR2"),
    ));
});
