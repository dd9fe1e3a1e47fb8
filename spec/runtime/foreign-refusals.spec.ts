/** What a NATS client cannot do to a cluster: bad input of every kind gets a clear answer and nothing else. */
import { expect } from "chai";
import { pack } from "msgpackr";
import { connect } from "nats";
import { eventually } from "../support/eventually.ts";
import { describeWithNats } from "../support/nats-server.ts";
import { ForeignRig, isMsgpack, subject, Tally, utf8 } from "./foreign-rig.ts";

describeWithNats("bad input from the bare nats client", function () {
  this.timeout(20_000);
  let rig: ForeignRig;

  before(async () => {
    rig = await ForeignRig.start();
  });

  after(() => rig?.stop());

  const refusals: readonly [what: string, payload: Uint8Array | string, code: string, message: RegExp][] = [
    ["an unknown type", '{"type":"nonsense"}', "invalid_message", /type: .*"nonsense"/],
    ["a missing type", "{}", "invalid_message", /"type" is missing/],
    ["a type that is no string", '{"type":1}', "invalid_message", /"type" must be a string/],
    ["a wrong field", '{"type":"add","n":"one"}', "invalid_message", /n: /],
    ["a missing field", '{"type":"add"}', "invalid_message", /n: /],
    ["a field too many", '{"type":"add","n":1,"m":2}', "invalid_message", /"m"/],
    ["an empty body", "", "invalid_message", /empty/],
    ["white space", "  \n", "invalid_message", /empty/],
    ["truncated JSON", '{"type":"add"', "invalid_message", /./],
    ["a byte-order mark", "\ufeff{}", "invalid_message", /byte-order mark/],
    ["a list", "[1,2]", "invalid_message", /begins with/],
    [
      "deep nesting in JSON",
      `{"type":"add","n":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
      "invalid_message",
      /deep|nest/,
    ],
    ["__proto__ in JSON", '{"type":"add","n":1,"__proto__":{"x":1}}', "invalid_message", /__proto__/],
    ["constructor in JSON", '{"type":"add","n":1,"constructor":{"x":1}}', "invalid_message", /constructor/],
    ["a type like __proto__", '{"type":"__proto__"}', "invalid_message", /__proto__/],
    ["a type like toString", '{"type":"toString"}', "invalid_message", /toString/],
    ["truncated msgpack", pack({ type: "add", n: 1 }).subarray(0, 5), "invalid_message", /msgpack/],
    [
      "msgpack with a tail",
      Buffer.concat([pack({ type: "add", n: 1 }), Buffer.from([1])]),
      "invalid_message",
      /./,
    ],
    ["a msgpack list", pack([1, 2]), "invalid_message", /begins with/],
    [
      "deep msgpack",
      Buffer.concat([Buffer.from([0x81, 0xa1, 0x6e]), Buffer.alloc(5_000, 0x91), Buffer.from([1])]),
      "invalid_message",
      /deep|nest/,
    ],
    [
      "msgpack that claims four thousand million items",
      Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff]),
      "invalid_message",
      /./,
    ],
  ];
  for (const [what, payload, code, text] of refusals) {
    it(`refuses ${what} with ${code}`, async () => {
      const bytes = typeof payload === "string" ? utf8.encode(payload) : payload;
      const message = await rig.raw(subject("tally"), bytes);
      const { error } = rig.read(message);
      expect(error?.code).to.equal(code);
      expect(error?.message).to.match(text);
      expect(message.headers?.get("Nats-Service-Error-Code")).to.equal("400");
      expect(message.headers?.get("Nats-Service-Error")).to.have.length.greaterThan(0);
      expect(isMsgpack(message.data)).to.equal(isMsgpack(bytes));
    });
  }

  it("tells actors that are not there, that take nothing from outside, and messages between nodes", async () => {
    const unknown = await rig.raw(subject("nobody"), utf8.encode('{"type":"x"}'));
    expect(rig.read(unknown).error?.code).to.equal("noproc");
    expect(unknown.headers?.get("Nats-Service-Error-Code")).to.equal("404");
    expect((await rig.ask("plain", { type: "x" })).error?.code).to.equal("forbidden");
    expect((await rig.ask("plain", { type: "describe" })).error?.code).to.equal("forbidden");
    expect((await rig.ask("manager", { type: "declared", nodes: ["x"] })).error?.code).to.equal("forbidden");
    expect((await rig.ask("tally", { type: "bump", by: 1 })).error?.message).to.match(/is a cast/);
  });

  it("tells a call whose actor crashes, and goes on with its successor", async () => {
    const { error } = await rig.ask("tally", { type: "crash" });
    expect(error?.code).to.equal("exit");
    expect(error?.message).to.match(/as asked/);
    expect(await rig.ask("tally", { type: "add", n: 4 })).to.deep.equal({ ok: 4 });
  });

  it("answers in place of answers that cannot travel or are too large", async () => {
    expect((await rig.ask("tally", { type: "odd" })).error?.message).to.match(/the answer cannot be sent/);
    expect((await rig.ask("tally", { type: "huge" })).error?.code).to.equal("payload_too_large");
  });

  it("refuses payloads beyond its bound, and lives with more than the server allows", async () => {
    const big = `{"type":"add","n":1,"x":"${"y".repeat(1_048_000)}"}`;
    expect((await rig.send("tally", big)).error?.code).to.be.oneOf(["payload_too_large", "invalid_message"]);
    const other = await connect({ servers: rig.server.url, reconnect: false });
    expect(() => other.publish(subject("tally"), new Uint8Array(2 * 1024 * 1024))).to.throw(/MAX_PAYLOAD/);
    await other.close();
  });

  it("counts what it refuses and keeps its own health out of it", async () => {
    const { ok: before } = await rig.ask("stats", { type: "api" });
    for (let n = 0; n < 40; n++) {
      await rig.ask("tally", { type: "nonsense" });
    }
    const { ok: after } = await rig.ask("stats", { type: "api" });
    const count = (from: unknown, field: string): number => Object(from).counters[field] ?? 0;
    expect(count(after, "errors") - count(before, "errors")).to.equal(40);
    expect(count(after, "invalid_message") - count(before, "invalid_message")).to.equal(40);
    expect(count(after, "failures")).to.equal(count(before, "failures"));
    expect((await rig.ask("health_monitor", { type: "forceCheck" })).ok).to.include({ status: "healthy" });
  });

  it("bounds a flood beyond the mailbox and what is in hand: each request is answered, nothing piles up", async () => {
    Tally.held = [];
    const codes = new Map<string, number>();
    const FLOOD = 2_000;
    const requests = Array.from({ length: FLOOD }, async () => {
      const { ok, error } = await rig.ask("tally", { type: "hold" });
      const code = ok === true ? "ok" : (error?.code ?? "none");
      codes.set(code, (codes.get(code) ?? 0) + 1);
    });
    await eventually("all but those in hand are refused", () => {
      const refused = (codes.get("mailbox_full") ?? 0) + (codes.get("overload") ?? 0);
      return refused >= FLOOD - 500;
    });
    expect(Tally.held.length).to.be.at.most(500);
    for (const from of Tally.held) {
      from.settle(true);
    }
    await Promise.all(requests);
    expect([...codes.values()].reduce((sum, n) => sum + n, 0)).to.equal(FLOOD);
    expect(codes.get("ok")).to.be.within(100, 500);
    expect(await rig.ask("tally", { type: "add", n: 0 })).to.have.property("ok");
  });

  it("survives random bytes", async () => {
    let seed = 12_345;
    const random = (): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return seed >>> 8;
    };
    const answers = await Promise.all(
      Array.from({ length: 300 }, () => {
        const bytes = Uint8Array.from({ length: random() % 64 }, () => random() % 256);
        return rig.send("tally", bytes);
      }),
    );
    expect(answers.every(({ error }) => error?.code === "invalid_message")).to.equal(true);
    expect(await rig.ask("tally", { type: "add", n: 0 })).to.have.property("ok");
  });
});
