import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { CONNECTION_SETTINGS, loadOptions, NODE_SETTINGS } from "../../lib/config/load.ts";
import { checkOptions, optionTable } from "../../lib/config/options.ts";

const settings = [...CONNECTION_SETTINGS, ...NODE_SETTINGS];

describe("loadOptions", () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "supercast-spec-"));
  });

  after(async () => {
    await rm(folder, { recursive: true });
  });

  async function load(
    content: object,
    env: Readonly<Record<string, string>>,
    flags: Readonly<Record<string, unknown>>,
  ): Promise<ReturnType<typeof loadOptions>> {
    const file = join(folder, "config.json");
    await writeFile(file, JSON.stringify(content));
    return loadOptions({ file, env, flags: new Map(Object.entries(flags)), settings });
  }

  it("lets flags prevail over the environment, and that over the file", async () => {
    const file = { name: "file", cluster: "file", partitions: 1 };
    const { options, sources } = await load(
      file,
      { SUPERCAST_NAME: "env", SUPERCAST_CLUSTER: "env" },
      { name: "flag" },
    );
    expect(options).to.deep.equal({ name: "flag", cluster: "env", partitions: 1 });
    expect(sources.get("name")).to.equal("--name");
    expect(sources.get("cluster")).to.equal("SUPERCAST_CLUSTER");
    expect(sources.get("partitions")).to.equal(join(folder, "config.json"));
  });

  it("merges options within options one by one", async () => {
    const file = { health: { intervalMs: 1000, latencyMs: 5 }, limits: { heartbeatMs: 50 } };
    const flags = { "health.latencyMs": "9", "limits.suspectAfterMs": 400 };
    const { options } = await load(file, { SUPERCAST_TLS_CA: "/ca" }, flags);
    expect(options).to.deep.equal({
      health: { intervalMs: 1000, latencyMs: 9 },
      limits: { heartbeatMs: 50, suspectAfterMs: 400 },
      tls: { caFile: "/ca" },
    });
  });

  it("lets a source of nodes, or a credential, take the place of a lower layer's", async () => {
    const file = { nodeMonitor: { nodes: ["a"] }, user: "u", password: "p" };
    const { options } = await load(file, { SUPERCAST_DISCOVER: "dns:x" }, { token: "t" });
    expect(options).to.deep.equal({ nodeMonitor: { discover: "dns:x" }, token: "t" });
  });

  it("lets a password of the environment go with a user of the flags", async () => {
    const { options } = await load({}, { SUPERCAST_PASSWORD: "p", SUPERCAST_USER: "env" }, { user: "flag" });
    expect(options).to.deep.equal({ user: "flag", password: "p" });
  });

  it("reads lists, numbers and switches, and leaves what it cannot read to the check", async () => {
    const env = {
      SUPERCAST_PEERS: " a, b,,c ",
      SUPERCAST_ALL: "yes",
      SUPERCAST_PARTITIONS: "4 ",
      SUPERCAST_LOCAL_CODEC: "maybe",
    };
    const { options, sources } = await load({ name: "a" }, env, {});
    expect(options).to.deep.include({ peers: ["a", "b", "c"], partitions: 4, localCodec: "maybe" });
    expect(options).to.deep.nested.include({ "nodeMonitor.all": true });
    expect(() => checkOptions(options, sources)).to.throw(
      'localCodec (SUPERCAST_LOCAL_CODEC) is "maybe": Invalid input: expected boolean',
    );
  });

  it("takes the first variable that is set and not empty", async () => {
    const { options, sources } = await load({}, { SUPERCAST_SERVERS: "", NATS_URL: "nats://x:1" }, {});
    expect(options).to.deep.equal({ servers: "nats://x:1" });
    expect(sources.get("servers")).to.equal("NATS_URL");
  });

  it("keeps a key of the file that is no option, so that the check can name it", async () => {
    const file = join(folder, "odd.json");
    await writeFile(file, '{"name": "a", "__proto__": {"cluster": "x"}}');
    const { options, sources } = loadOptions({ file, env: {}, flags: new Map(), settings });
    expect(() => checkOptions(options, sources)).to.throw("__proto__");
  });

  it("refuses a file that holds no object", async () => {
    const file = join(folder, "list.json");
    await writeFile(file, "[]");
    expect(() => loadOptions({ file, env: {}, flags: new Map(), settings })).to.throw(/holds no JSON object/);
  });
});

describe("The settings", () => {
  it("all name options that exist, and no flag or variable stands for two", () => {
    const keys = optionTable().map(({ key }) => key);
    expect(keys).to.include.members(settings.map(({ key }) => key));
    const flags = settings.flatMap((each) => ("flag" in each ? [each.flag.split(" ")[0]] : []));
    const variables = settings.flatMap(({ env }) => [...env]);
    expect(new Set(flags).size).to.equal(flags.length);
    expect(new Set(variables).size).to.equal(variables.length);
  });
});
