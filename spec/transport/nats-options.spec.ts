import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { SupercastError } from "../../lib/base/errors.ts";
import { type NatsAddressOptions, natsSettings } from "../../lib/transport/nats-options.ts";
import { makeNkey } from "../support/nats-credentials.ts";

const TLS = join(import.meta.dirname, "../fixtures/tls");

describe("NATS options", () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "supercast-spec-"));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  function file(name: string, text: string): string {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  }

  const hosts: readonly [servers: string | readonly string[] | undefined, hosts: readonly string[]][] = [
    [undefined, ["127.0.0.1:4222"]],
    ["nats://10.0.0.1", ["10.0.0.1:4222"]],
    ["example.org:5222", ["example.org:5222"]],
    ["nats://a:1, nats://b:2/,c", ["a:1", "b:2", "c:4222"]],
    [
      ["nats://a:1", "b:2"],
      ["a:1", "b:2"],
    ],
    ["nats://[::1]:4333", ["[::1]:4333"]],
    ["[::1]", ["[::1]:4222"]],
  ];
  for (const [servers, expected] of hosts) {
    it(`takes ${JSON.stringify(servers)} for ${expected.join(" and ")}`, () => {
      expect(natsSettings({ servers }).hosts).to.deep.equal(expected);
      expect(natsSettings({ servers }).tls).to.equal(undefined);
      expect(natsSettings({ servers }).auth).to.deep.equal({ by: "nothing" });
    });
  }

  for (const servers of [
    "",
    "nats://",
    "a b",
    "http://a",
    "ws://a:1",
    "nats://a:0",
    "a:70000",
    "a:x",
    "a,,b",
    [],
  ]) {
    it(`refuses ${JSON.stringify(servers)} as servers`, () => {
      expect(() => natsSettings({ servers }))
        .to.throw(SupercastError, /^servers/)
        .with.property("code", "config_mismatch");
    });
  }

  it("demands TLS for tls:// URLs", () => {
    expect(natsSettings({ servers: "tls://a" }).tls).to.deep.equal({});
  });

  it("takes credentials from URLs, decoded", () => {
    const password = natsSettings({ servers: "nats://ann:p%40ss:word@a:1,nats://b:2" });
    expect(password.auth).to.deep.equal({ by: "password", user: "ann", password: "p@ss:word" });
    expect(password.hosts).to.deep.equal(["a:1", "b:2"]);
    expect(natsSettings({ servers: "nats://t0ken@a" }).auth).to.deep.equal({ by: "token", token: "t0ken" });
  });

  it("finds the seed in a file with comments and armour", () => {
    const { seed } = makeNkey();
    const path = file("user.nk", `# a comment\r\n-----BEGIN USER NKEY SEED-----\r\n${seed}\r\n------END\r\n`);
    expect(natsSettings({ nkeyFile: path }).auth).to.deep.equal({ by: "nkey", seed: Buffer.from(seed) });
  });

  it("reads a credentials file again each time it is asked", () => {
    const path = file("user.creds", "one");
    const { auth } = natsSettings({ creds: path });
    file("user.creds", "two");
    expect(auth.by === "creds" && Buffer.from(auth.read()).toString()).to.equal("two");
  });

  const wrong: readonly [name: string, options: NatsAddressOptions, text: string][] = [
    ["two ways to log in", { user: "ann", token: "x" }, "user and token exclude each other"],
    ["a password without a user", { password: "x" }, "password is given without user"],
    ["credentials in URLs beside others", { servers: "nats://t@a", token: "x" }, "different credentials"],
    ["different credentials in URLs", { servers: "nats://t@a,nats://u@b" }, "different credentials"],
    ["broken escapes in URLs", { servers: "nats://%zz@a" }, "percent-encoded"],
    ["no seed", { nkey: "hello" }, "nkey holds no nkey seed"],
    ["a public key for a seed", { nkey: makeNkey().publicKey }, "nkey holds no nkey seed"],
    ["a missing seed file", { nkeyFile: "/nowhere/x.nk" }, 'nkeyFile: cannot read "/nowhere/x.nk": ENOENT'],
    [
      "a missing credentials file",
      { creds: "/nowhere/x.creds" },
      'creds: cannot read "/nowhere/x.creds": ENOENT',
    ],
    [
      "a missing CA file",
      { tls: { caFile: "/nowhere/ca.pem" } },
      'tls.caFile: cannot read "/nowhere/ca.pem"',
    ],
    ["a CA file that is no PEM", { tls: { caFile: join(TLS, "README.md") } }, "is not a PEM file"],
    ["a certificate without key", { tls: { certFile: join(TLS, "client.pem") } }, "belong together"],
    ["a key without certificate", { tls: { keyFile: join(TLS, "client-key.pem") } }, "belong together"],
  ];
  for (const [name, options, text] of wrong) {
    it(`refuses ${name}, naming the option`, () => {
      expect(() => natsSettings(options))
        .to.throw(SupercastError, text)
        .with.property("code", "config_mismatch");
    });
  }

  it("shows no credentials in error texts", () => {
    expect(() => natsSettings({ servers: "nats://ann:secret@a b" }))
      .to.throw(SupercastError)
      .with.property("message")
      .that.does.not.contain("secret");
  });
});
