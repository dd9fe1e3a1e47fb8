import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { discoveryTable } from "../../lib/runtime/discovery.ts";

describe("the built-in discoveries", () => {
  let folder: string;
  const table = discoveryTable({ mine: () => ["x", "y"] }, 5_000);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "supercast-discovery-"));
  });

  after(() => rm(folder, { recursive: true }));

  async function fromFile(text: string | Uint8Array): Promise<readonly string[] | string> {
    const path = join(folder, "nodes");
    await writeFile(path, text);
    try {
      return await table(`file:${path}`)();
    } catch (thrown) {
      return String(thrown);
    }
  }

  it("read a file of one name per line, with comments, or a JSON list", async () => {
    expect(await fromFile("a\n\n  b # the second\n# none\nc")).to.deep.equal(["a", "b", "c"]);
    expect(await fromFile(' ["a", "b"]')).to.deep.equal(["a", "b"]);
    expect(await fromFile("")).to.deep.equal([]);
    expect(await fromFile("\ufeffa\r\nb\r\n")).to.deep.equal(["a", "b"]);
    expect(await fromFile('\ufeff["a"]')).to.deep.equal(["a"]);
  });

  it("say what is wrong with a file", async () => {
    expect(await fromFile('["a",')).to.match(/is not JSON/);
    expect(await fromFile(Buffer.from([0xff, 0xfe, 0x61, 0]))).to.match(/nodes cannot be read: .*not valid/);
    const missing = table(`file:${join(folder, "missing")}`)();
    const failure = await Promise.resolve(missing).then(String, String);
    expect(failure).to.match(/the node file .*missing cannot be read: ENOENT/);
  });

  it("resolve a host by its addresses", async () => {
    const names = await table("dns:localhost")();
    expect(names.length).to.be.greaterThan(0);
    expect(names.every((name) => !name.includes("."))).to.equal(true);
  });

  it("are found by name, and what is not there is refused with what is", () => {
    expect(table("mine")()).to.deep.equal(["x", "y"]);
    for (const name of ["yours", "toString", "__proto__"]) {
      expect(() => table(name))
        .to.throw(/allowed: file:PATH, dns:HOST, dns:HOST@SERVER, mine/)
        .with.property("code", "config_mismatch");
    }
  });
});
