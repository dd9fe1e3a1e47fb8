import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { SupercastError } from "../../lib/base/errors.ts";
import { checkLimits } from "../../lib/base/limits.ts";
import { systemClock } from "../../lib/base/system-clock.ts";
import { systemRandom } from "../../lib/base/system-random.ts";
import { connectNats, type NatsOptions } from "../../lib/transport/nats.ts";
import type { Transport, TransportEvent } from "../../lib/transport/transport.ts";
import { eventually } from "../support/eventually.ts";
import { makeNkey, makeOperatorSetup } from "../support/nats-credentials.ts";
import { describeWithNats, type NatsServer, startNatsServer } from "../support/nats-server.ts";

const TLS = join(import.meta.dirname, "../fixtures/tls");
const pem = (name: string): string => join(TLS, `${name}.pem`);
const LIMITS = checkLimits({ natsReconnectWaitMs: 20, natsConnectTimeoutMs: 1_000 });
const PORTS = { clock: systemClock, random: systemRandom, limits: LIMITS };

describeWithNats("NATS credentials", () => {
  const servers: NatsServer[] = [];
  const transports: Transport[] = [];
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "supercast-spec-"));
  });

  afterEach(async () => {
    await Promise.all(transports.splice(0).map((transport) => transport.close()));
    await Promise.all(servers.splice(0).map((server) => server.stop()));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  async function serve(config: string): Promise<NatsServer> {
    const server = await startNatsServer({ config });
    servers.push(server);
    return server;
  }

  async function connect(options: NatsOptions): Promise<Transport> {
    const transport = await connectNats(options, PORTS);
    transports.push(transport);
    return transport;
  }

  async function expectWorking(options: NatsOptions): Promise<Transport> {
    const transport = await connect(options);
    transport.subscribe("echo", (message) => message.respond(message.payload));
    const answer = await transport.request("echo", Buffer.from("hello"), { timeoutMs: 2_000 });
    expect(Buffer.from(answer.payload).toString()).to.equal("hello");
    return transport;
  }

  async function refusal(options: NatsOptions): Promise<SupercastError> {
    try {
      await connect(options);
    } catch (error) {
      if (error instanceof SupercastError) {
        return error;
      }
      throw error;
    }
    throw new Error("the connection was accepted");
  }

  /** Refused at once and for good, even by one who would wait for a server. */
  async function expectForbidden(options: NatsOptions): Promise<void> {
    const error = await refusal({ ...options, waitOnFirstConnect: true });
    expect(error.code).to.equal("forbidden");
    expect(error.message).to.contain("Authorization Violation");
  }

  it("log in with user and password", async () => {
    const { url, port } = await serve('authorization { user: "ann", password: "pa:ss@" }');
    await expectWorking({ servers: url, user: "ann", password: "pa:ss@" });
    await expectWorking({ servers: `nats://ann:pa%3Ass%40@127.0.0.1:${port}` });
    await expectForbidden({ servers: url, user: "ann", password: "wrong" });
    await expectForbidden({ servers: url });
  });

  it("log in with a token", async () => {
    const { url, port } = await serve('authorization { token: "t0ken" }');
    await expectWorking({ servers: url, token: "t0ken" });
    await expectWorking({ servers: `nats://t0ken@127.0.0.1:${port}` });
    await expectForbidden({ servers: url, token: "wrong" });
  });

  it("log in with an nkey, from text and from a file", async () => {
    const { publicKey, seed } = makeNkey();
    const { url } = await serve(`authorization { users: [ { nkey: ${publicKey} } ] }`);
    const nkeyFile = join(folder, "user.nk");
    writeFileSync(nkeyFile, `${seed}\n`);
    await expectWorking({ servers: url, nkey: seed });
    await expectWorking({ servers: url, nkeyFile });
    await expectForbidden({ servers: url, nkey: makeNkey().seed });
  });

  it("log in with a credentials file", async () => {
    const operator = makeOperatorSetup();
    const { url } = await serve(operator.config);
    const creds = join(folder, "user.creds");
    writeFileSync(creds, operator.makeCreds("ann"));
    await expectWorking({ servers: url, creds });
    const strangers = join(folder, "stranger.creds");
    writeFileSync(strangers, makeOperatorSetup().makeCreds("eve"));
    await expectForbidden({ servers: url, creds: strangers });
    writeFileSync(strangers, "no credentials at all");
    const error = await refusal({ servers: url, creds: strangers });
    expect(error.code).to.equal("config_mismatch");
    expect(error.message).to.contain("creds: the credentials cannot be used");
  });

  it("outlive a credentials file that becomes unusable: the last good one serves a reconnect", async () => {
    const operator = makeOperatorSetup();
    const server = await serve(operator.config);
    const creds = join(folder, "rotating.creds");
    writeFileSync(creds, operator.makeCreds("ann"));
    const transport = await expectWorking({ servers: server.url, creds });
    const events: TransportEvent[] = [];
    transport.onEvent((event) => events.push(event));
    writeFileSync(creds, "half-writt");
    await server.restart();
    await eventually("reconnected", () => transport.stats.reconnects === 1);
    const errors = events.filter((event) => event.type === "error");
    expect(errors.map(({ error }) => error.message).join()).to.contain("rotating.creds");
    expect(transport.connected).to.equal(true);
  });

  it("that the server stops accepting keep the transport trying, with an error for each refusal", async () => {
    const server = await serve('authorization { user: "ann", password: "old" }');
    const transport = await connect({ servers: server.url, user: "ann", password: "old" });
    const events: TransportEvent[] = [];
    transport.onEvent((event) => events.push(event));
    await server.stop();
    const stricter = await startNatsServer({
      port: server.port,
      config: 'authorization { user: "ann", password: "new" }',
    });
    servers.push(stricter);
    const refusals = (): number =>
      events.filter((event) => event.type === "connecting" && event.error?.code === "forbidden").length;
    await eventually("several refusals", () => refusals() >= 3);
    expect(events.some((event) => event.type === "closed")).to.equal(false);
    await stricter.stop();
    servers.push(
      await startNatsServer({ port: server.port, config: 'authorization { user: "ann", password: "old" }' }),
    );
    await eventually("reconnected", () => transport.connected);
  });

  describe("over TLS", () => {
    const withTls = (more: string = ""): string =>
      `tls { cert_file: "${pem("server")}", key_file: "${pem("server-key")}", ca_file: "${pem("ca")}"${more} }`;
    const ours = { caFile: pem("ca"), certFile: pem("client"), keyFile: pem("client-key") };

    it("trust the server by the CA that was given", async () => {
      const { url, port } = await serve(withTls());
      await expectWorking({ servers: url, tls: { caFile: pem("ca") } });
      await expectWorking({ servers: `tls://localhost:${port}`, tls: { caFile: pem("ca") } });
      for (const tls of [{ caFile: pem("other-ca") }, {}, undefined]) {
        const error = await refusal({ servers: url, tls, waitOnFirstConnect: true });
        expect(error.code, JSON.stringify(tls)).to.equal("config_mismatch");
        expect(error.message).to.match(/certificate/i);
      }
    });

    it("show a certificate of one's own where the server demands it", async () => {
      const { url } = await serve(withTls(", verify: true"));
      await expectWorking({ servers: url, tls: ours });
      const error = await refusal({ servers: url, tls: { caFile: pem("ca") } });
      expect(error.message).to.contain("tls.certFile").and.to.contain("demands a client certificate");
      expect(error.code).to.equal("config_mismatch");
    });

    it("are not sent in clear to a server without TLS", async () => {
      const { url, port } = await serve("");
      for (const options of [{ servers: url, tls: ours }, { servers: `tls://127.0.0.1:${port}` }]) {
        const error = await refusal({ ...options, waitOnFirstConnect: true });
        expect(error.code).to.equal("config_mismatch");
        expect(error.message).to.contain("offers no TLS");
      }
    });

    it("come back after the server restarts", async () => {
      const server = await serve(withTls(", verify: true"));
      const transport = await expectWorking({ servers: server.url, tls: ours });
      await server.restart();
      await eventually("reconnected", () => transport.stats.reconnects === 1);
      const answer = await transport.request("echo", Buffer.from("again"), { timeoutMs: 2_000 });
      expect(Buffer.from(answer.payload).toString()).to.equal("again");
    });
  });
});
