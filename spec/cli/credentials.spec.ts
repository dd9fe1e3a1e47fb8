import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { makeNkey, makeOperatorSetup } from "../support/nats-credentials.ts";
import { describeWithNats, type NatsServer, startNatsServer } from "../support/nats-server.ts";
import { build, runCli, startCli, type Variables } from "./command.ts";

const TLS = join(import.meta.dirname, "../fixtures/tls");
const pem = (name: string): string => join(TLS, `${name}.pem`);

/** What a person types, and puts into the environment. */
interface Given {
  readonly flags?: readonly string[];
  readonly variables?: Variables;
}

interface Refusal extends Given {
  readonly code: 1 | 2;
  readonly says: RegExp;
}

interface Kind {
  readonly what: string;
  readonly config: string;
  readonly right: readonly Given[];
  readonly wrong: readonly Refusal[];
}

const REFUSED = {
  code: 1,
  says: /^error: .*Authorization Violation.*\n {2}credentials: --user with --password, /,
} as const;

/** Runs the program itself, with each kind of credentials, against servers that demand them. */
describeWithNats("supercast, at a nats-server that demands", function () {
  this.timeout(40_000);
  const folder = mkdtempSync(join(tmpdir(), "supercast-spec-"));
  let server: NatsServer | undefined;

  before(build);

  afterEach(async () => {
    await server?.stop();
    server = undefined;
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  function file(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  const nkey = makeNkey();
  const operator = makeOperatorSetup();
  const ours = {
    ca: ["--tls-ca", pem("ca")],
    cert: ["--tls-cert", pem("client")],
    key: ["--tls-key", pem("client-key")],
  };
  const nothing = file("nothing", "no credentials at all");

  const kinds: readonly Kind[] = [
    {
      what: "user and password",
      config: 'authorization { user: "ann", password: "pa:ss@ 1" }',
      right: [
        { flags: ["--user", "ann", "--password", "pa:ss@ 1"] },
        { flags: ["--user", "ann"], variables: { SUPERCAST_PASSWORD: "pa:ss@ 1" } },
      ],
      wrong: [
        { flags: ["--user", "ann", "--password", "wrong"], ...REFUSED },
        { ...REFUSED },
        { flags: ["--password", "pa:ss@ 1"], code: 2, says: /^error: password is given without user/ },
      ],
    },
    {
      what: "a token",
      config: 'authorization { token: "t0ken" }',
      right: [{ flags: ["--token", "t0ken"] }, { variables: { SUPERCAST_TOKEN: "t0ken" } }],
      wrong: [
        { flags: ["--token", "wrong"], ...REFUSED },
        { flags: ["--token", "wrong"], variables: { SUPERCAST_TOKEN: "t0ken" }, ...REFUSED },
        {
          flags: ["--token", "t0ken", "--user", "ann"],
          code: 2,
          says: /^error: .*user.*token|^error: .*token.*user/,
        },
      ],
    },
    {
      what: "an nkey",
      config: `authorization { users: [ { nkey: ${nkey.publicKey} } ] }`,
      right: [
        { flags: ["--nkey-file", file("user.nk", `${nkey.seed}\n`)] },
        { variables: { SUPERCAST_NKEY: nkey.seed } },
      ],
      wrong: [
        { flags: ["--nkey-file", file("other.nk", makeNkey().seed)], ...REFUSED },
        {
          flags: ["--nkey-file", join(folder, "none.nk")],
          code: 2,
          says: /^error: nkeyFile: cannot read ".*none\.nk": ENOENT/,
        },
        {
          flags: ["--nkey-file", nothing],
          code: 2,
          says: /^error: nkeyFile holds no nkey seed; allowed: 58/,
        },
      ],
    },
    {
      what: "a credentials file",
      config: operator.config,
      right: [{ flags: ["--creds", file("ann.creds", operator.makeCreds("ann"))] }],
      wrong: [
        { flags: ["--creds", file("eve.creds", makeOperatorSetup().makeCreds("eve"))], ...REFUSED },
        { flags: ["--creds", folder], code: 2, says: /^error: creds: cannot read ".*": EISDIR/ },
        { flags: ["--creds", nothing], code: 2, says: /^error: creds: the credentials cannot be used/ },
      ],
    },
    {
      what: "a client certificate",
      config: `tls { cert_file: "${pem("server")}", key_file: "${pem("server-key")}", ca_file: "${pem("ca")}", verify: true }`,
      right: [
        { flags: [...ours.ca, ...ours.cert, ...ours.key] },
        {
          flags: ours.ca,
          variables: { SUPERCAST_TLS_CERT: pem("client"), SUPERCAST_TLS_KEY: pem("client-key") },
        },
      ],
      wrong: [
        { flags: ours.ca, code: 2, says: /^error: tls\.certFile: .*demands a client certificate/ },
        { code: 2, says: /^error: .*certificate of the nats-server.*not trusted.*; tls\.caFile names whom/ },
        {
          flags: ["--tls-ca", pem("other-ca"), ...ours.cert, ...ours.key],
          code: 2,
          says: /^error: .*certificate of the nats-server.*not trusted.*; tls\.caFile names whom/,
        },
        { flags: [...ours.ca, ...ours.cert], code: 2, says: /^error: tls\.certFile and tls\.keyFile belong/ },
        {
          flags: [...ours.ca, ...ours.cert, "--tls-key", pem("server-key")],
          code: 2,
          says: /^error: .*: key values mismatch/,
        },
        { flags: ["--tls-ca", nothing], code: 2, says: /^error: tls\.caFile: ".*nothing" is not a PEM file/ },
      ],
    },
  ];

  for (const { what, config, right, wrong } of kinds) {
    it(`${what}: is let in with the right ones, and says what is wrong with others`, async () => {
      server = await startNatsServer({ config });
      const { url } = server;
      const run = (command: readonly string[], { flags = [], variables = {} }: Given) =>
        runCli([...command, "--servers", url, ...flags], variables);
      const [first = {}] = right;
      const start = ["start", "--name", "a", "--json", "--servers", url, ...(first.flags ?? [])];
      const node = startCli(start, first.variables);
      try {
        await node.prints(/"name":"a"/);
        const commands = [["nodes"], ["call", "a", "manager", "liveNodes"], ["health"]];
        const answers = await Promise.all(commands.map((command) => run(command, first)));
        expect(answers.map(({ code, stderr }) => `${code} ${stderr}`)).to.deep.equal(["0 ", "0 ", "0 "]);
        const others = await Promise.all(right.slice(1).map((given) => run(["nodes"], given)));
        expect(others.map(({ code, stderr }) => `${code} ${stderr}`)).to.deep.equal(others.map(() => "0 "));
        const refused = wrong.map((given, index) =>
          run(index === 0 ? ["start", "--name", "b"] : ["nodes"], given),
        );
        for (const [index, { code, stdout, stderr }] of (await Promise.all(refused)).entries()) {
          expect(stderr).to.match(wrong[index]?.says ?? /^$/);
          expect({ code, stdout }).to.deep.equal({ code: wrong[index]?.code, stdout: "" });
        }
      } finally {
        expect((await node.end("SIGTERM")).code).to.equal(0);
      }
    });
  }
});
