import { expect } from "chai";
import { SupercastError } from "../../lib/base/errors.ts";
import { seededRandom } from "../../lib/base/random.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { type ClientOptions, StreamClient } from "../../lib/stream/stream-client.ts";
import { outcomeOf } from "../support/sim-cluster.ts";

const EPOCH = { counter: 1, owner: "00000000000000aa" };

interface Asked {
  readonly node: string;
  readonly message: {
    readonly type: string;
    readonly requestSeq?: number;
    readonly doneBelow?: number;
    readonly minSeq?: number;
  };
}

/** A client whose replicas answer by a script: an answer, or the code of the error that the call ends with. */
class Rig {
  readonly clock = new VirtualClock();
  readonly asked: Asked[] = [];
  readonly client: StreamClient;
  closed = false;
  script: (asked: Asked, count: number) => object | string = () => "timeout";

  constructor(options: Partial<ClientOptions> = {}) {
    const call = (target: { readonly node: string }, message: object): Promise<unknown> => {
      const asked: Asked = { node: target.node, message: { type: "", ...message } };
      this.asked.push(asked);
      const said = this.script(asked, this.asked.length);
      return typeof said === "string"
        ? Promise.reject(
            SupercastError.fromData({ code: said === "timeout" ? "timeout" : codeOf(said), message: said }),
          )
        : Promise.resolve(said);
    };
    const isClosed = (): boolean => this.closed;
    const host = {
      ...{ clock: this.clock, random: seededRandom(1), call },
      get closed() {
        return isClosed();
      },
    };
    this.client = new StreamClient(host, {
      stream: "s",
      nodes: ["a", "b", "c"],
      timeoutMs: 2_000,
      ...options,
    });
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.clock.run(promise);
  }

  request(): Promise<string> {
    return this.run(outcomeOf(this.client.request({})));
  }
}

function codeOf(text: string): "noproc" | "nodedown" | "invalid_message" | "overload" {
  switch (text) {
    case "noproc":
    case "nodedown":
    case "invalid_message":
      return text;
    default:
      return "overload";
  }
}

const ok = (seq: number): object => ({ status: "ok", value: `v${seq}`, seq, epoch: EPOCH });
const redirect = (primary: string | null): object => ({ status: "redirect", primary });

describe("a client of a stream", () => {
  it("follows redirects to the writer and stays with it", async () => {
    const rig = new Rig();
    rig.script = ({ node }) => (node === "c" ? ok(7) : redirect("c/1"));
    expect(await rig.run(rig.client.request({}))).to.deep.equal({ value: "v7", seq: 7, epoch: EPOCH });
    await rig.request();
    expect(rig.asked.map(({ node }) => node)).to.deep.equal(["a", "c", "c"]);
  });

  it("tries nothing again when its node has ended", async () => {
    const rig = new Rig();
    rig.script = () => {
      rig.closed = true;
      return "noproc";
    };
    expect(await rig.request()).to.equal("quorum_not_reached");
    expect(rig.asked).to.have.length(1);
  });

  it("asks whom it guesses to be the writer first, and only once for each request", async () => {
    const rig = new Rig({ guess: () => "b" });
    rig.script = ({ node }) => (node === "c" ? ok(7) : "nodedown");
    expect(await rig.request()).to.equal("ok");
    expect(rig.asked.map(({ node }) => node)).to.deep.equal(["b", "a", "b", "c"]);
  });

  it("repeats a request under the same number until it is answered", async () => {
    const rig = new Rig();
    rig.script = (_, count) => (count < 4 ? "nodedown" : ok(1));
    expect(await rig.request()).to.equal("ok");
    expect(new Set(rig.asked.map(({ message }) => message.requestSeq))).to.deep.equal(new Set([1]));
    expect(new Set(rig.asked.map(({ node }) => node)).size, "asks around").to.equal(3);
  });

  it("says unknown_outcome when an attempt got no answer, even when the last ones say that nothing was done", async () => {
    const rig = new Rig();
    rig.script = (_, count) => (count === 1 ? "timeout" : redirect(null));
    expect(await rig.request()).to.equal("unknown_outcome");
    rig.script = (_, count) => (count % 2 === 0 ? { status: "unknown" } : "noproc");
    expect(await rig.request()).to.equal("unknown_outcome");
  });

  it("says that nothing was done only when every attempt was answered so", async () => {
    const rig = new Rig();
    rig.script = () => redirect(null);
    expect(await rig.request()).to.equal("quorum_not_reached");
    rig.script = () => "noproc";
    expect(await rig.request()).to.equal("quorum_not_reached");
    rig.script = () => "mailbox_full";
    expect(await rig.request()).to.equal("overload");
    rig.script = () => ({ status: "overload" });
    expect(await rig.request()).to.equal("overload");
  });

  it("passes a refusal on at once, unless an earlier attempt is in doubt", async () => {
    const rig = new Rig();
    rig.script = () => "invalid_message";
    expect(await rig.request()).to.equal("invalid_message");
    expect(rig.asked).to.have.length(1);
    rig.script = (_, count) => (count === 2 ? "timeout" : "invalid_message");
    expect(await rig.request()).to.equal("unknown_outcome");
  });

  it("tells below which number it needs no answers any more, and bounds what is under way", async () => {
    const rig = new Rig({ windowMax: 2 });
    rig.script = ({ message }) => (message.requestSeq === 1 ? "timeout" : ok(message.requestSeq ?? 0));
    const stuck = outcomeOf(rig.client.request({}));
    expect(await rig.request()).to.equal("ok");
    expect(await rig.request(), "the oldest is two behind").to.equal("overload");
    expect(rig.asked.at(-1)?.message.doneBelow).to.equal(1);
    expect(await rig.run(stuck)).to.equal("unknown_outcome");
    expect(await rig.request()).to.equal("ok");
    expect(rig.asked.at(-1)?.message).to.include({ requestSeq: 3, doneBelow: 3 });
  });

  it("reads no older than what it has written and read", async () => {
    const rig = new Rig();
    rig.script = () => ok(9);
    await rig.request();
    rig.script = (_, count) =>
      count === 2 ? { status: "unavailable" } : { status: "ok", value: 1, seq: 12 };
    expect(await rig.run(rig.client.read({}, { mode: "local" }))).to.equal(1);
    expect(rig.asked.at(-1)?.message.minSeq).to.equal(9);
    expect(rig.client.position).to.equal(12);
    // By quorum it sees all there is, even where its position was lost with a writer.
    await rig.run(rig.client.read({}));
    expect(rig.asked.at(-1)?.message.minSeq).to.equal(0);
  });

  it("gives up a read that nobody can answer", async () => {
    const rig = new Rig();
    rig.script = () => ({ status: "unavailable" });
    expect(await rig.run(outcomeOf(rig.client.read({})))).to.equal("quorum_not_reached");
  });
});
