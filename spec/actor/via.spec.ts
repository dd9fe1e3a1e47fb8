import { expect } from "chai";
import { Actor } from "../../lib/actor/actor.ts";
import { child } from "../../lib/actor/child-spec.ts";
import type { Info } from "../../lib/actor/info.ts";
import type { Pid } from "../../lib/actor/pid.ts";
import type { Call, CallMessage, Cast, CastMessage } from "../../lib/actor/protocol.ts";
import type { Via, ViaAddress } from "../../lib/actor/ref.ts";
import { Registry } from "../../lib/actor/registry.ts";
import { Supervisor } from "../../lib/actor/supervisor.ts";
import { codeOf, Rig } from "./rig.ts";

type Echo = { pid: Call<object, Pid>; note: Cast<{ text: string }>; notes: Call<object, readonly string[]> };

class EchoActor extends Actor<Echo, readonly string[], { atInit?: () => unknown }> {
  init(args: { atInit?: () => unknown }): readonly string[] {
    args.atInit?.();
    return [];
  }

  override handleCall(message: CallMessage<Echo>) {
    return message.type === "pid" ? this.reply(message, this.pid) : this.reply(message, this.state);
  }

  override handleCast(message: CastMessage<Echo>): void {
    this.state = [...this.state, message.text];
  }

  override handleInfo(info: Info): void {
    this.state = [...this.state, info.type];
  }
}

/** A registry of one's own, as a library for cluster-wide names would bring it. */
class ForeignVia implements Via {
  readonly calls: string[] = [];
  readonly names = new Map<string, Pid>();
  hidden = false;

  whereis(name: string): Pid | undefined {
    return this.hidden ? undefined : this.names.get(name);
  }

  register(name: string, pid: Pid) {
    this.calls.push(`register ${name}`);
    const owner = this.names.get(name);
    if (owner !== undefined) {
      return { ok: false, owner } as const;
    }
    this.names.set(name, pid);
    return { ok: true } as const;
  }

  unregister(name: string, pid: Pid): void {
    this.calls.push(`unregister ${name}`);
    if (this.names.get(name) === pid) {
      this.names.delete(name);
    }
  }
}

describe("names by via", () => {
  let rig: Rig;

  beforeEach(() => {
    rig = new Rig();
  });

  afterEach(() => {
    rig.system.close();
  });

  it("otp 79: a process started under a via is there for calls, casts, sends, monitors and stop", async () => {
    const rooms = new Registry<string>(rig.system, { keys: "unique" });
    const via: ViaAddress = { via: rooms, name: "room 7" };
    let foundInInit: Pid | undefined;
    const args = { atInit: () => (foundInInit = rooms.whereis("room 7")) };
    const { process } = await rig.start(EchoActor, args, { via });
    expect(foundInInit).to.equal(process.pid);
    expect(await rig.system.call(via, { type: "pid" })).to.equal(process.pid);
    rig.system.cast(via, { type: "note", text: "hello" });
    rig.system.send(via, "anything");
    expect(await rig.system.call(via, { type: "notes" })).to.deep.equal(["hello", "message"]);
    const downs: unknown[] = [];
    rig.system.monitor({ deliverDown: ({ target, reason }) => downs.push([target, reason]) }, via);
    await rig.system.stop(via, { reason: "shutdown" });
    expect(downs).to.deep.equal([[process.pid, "shutdown"]]);
    expect(await rig.system.stop(via).catch(codeOf)).to.equal("noproc");
  });

  it("otp 79: a second start says already_started without running init", async () => {
    const rooms = new Registry<string>(rig.system, { keys: "unique" });
    const via: ViaAddress = { via: rooms, name: "room 7" };
    const first = await rig.start(EchoActor, {}, { via });
    let ran = false;
    const atInit = (): void => {
      ran = true;
    };
    const outcome = await rig.system.start(EchoActor, { atInit }, { via });
    expect(outcome).to.deep.equal({ status: "already_started", pid: first.process.pid });
    expect(ran).to.equal(false);
    expect(rig.system.processCount).to.equal(1);
  });

  it("otp 79: the name is looked up at each use, so a successor is found and nobody is noproc", async () => {
    const rooms = new Registry<string>(rig.system, { keys: "unique" });
    const via: ViaAddress = { via: rooms, name: "room 7" };
    const first = await rig.start(EchoActor, {}, { via });
    first.process.finish("killed");
    expect(await rig.system.call(via, { type: "pid" }).catch(codeOf)).to.equal("noproc");
    const second = await rig.start(EchoActor, {}, { via });
    expect(await rig.system.call(via, { type: "pid" })).to.equal(second.process.pid);
  });

  it("otp 79: a start that fails leaves the name free", async () => {
    const rooms = new Registry<string>(rig.system, { keys: "unique" });
    const via: ViaAddress = { via: rooms, name: "room 7" };
    const atInit = (): void => {
      throw new Error("no");
    };
    expect((await rig.system.start(EchoActor, { atInit }, { via })).status).to.equal("failed");
    expect(rooms.count).to.equal(0);
  });

  it("otp 79: a supervised child gets its via name again when it is restarted", async () => {
    const rooms = new Registry<string>(rig.system, { keys: "unique" });
    const via: ViaAddress = { via: rooms, name: "room 7" };
    await rig.start(Supervisor, { children: [child(EchoActor, {}, { via })] });
    const first = rooms.whereis("room 7");
    rig.system.processAt(first ?? "a/i1/0")?.finish("killed");
    await rig.clock.settle();
    expect(rooms.whereis("room 7")).to.be.a("string").and.not.equal(first);
  });

  it("otp 79: any registry with whereis, register and unregister will do", async () => {
    const foreign = new ForeignVia();
    const { process } = await rig.start(EchoActor, {}, { via: { via: foreign, name: "x" } });
    expect(await rig.system.call({ via: foreign, name: "x" }, { type: "pid" })).to.equal(process.pid);
    process.end("normal");
    expect(foreign.calls).to.deep.equal(["register x", "unregister x"]);
    expect(foreign.names.size).to.equal(0);
  });

  it("otp 79: who loses the race for a name ends without init, and the start names the winner", async () => {
    const foreign = new ForeignVia();
    foreign.names.set("x", "b/i1/7");
    foreign.hidden = true;
    let ran = false;
    const atInit = (): void => {
      ran = true;
    };
    const outcome = await rig.system.start(EchoActor, { atInit }, { via: { via: foreign, name: "x" } });
    expect(outcome).to.deep.equal({ status: "already_started", pid: "b/i1/7" });
    expect(ran).to.equal(false);
    expect(rig.system.processCount).to.equal(0);
    expect(foreign.names.get("x")).to.equal("b/i1/7");
  });

  it("a registry that fails to unregister is logged, and the process still ends", async () => {
    const foreign = new ForeignVia();
    foreign.unregister = () => {
      throw new Error("unreachable");
    };
    const { process } = await rig.start(EchoActor, {}, { via: { via: foreign, name: "x" } });
    const downs = rig.watch(process);
    process.end("normal");
    expect(downs.map(({ reason }) => reason)).to.deep.equal(["normal"]);
    expect(rig.lines.map(({ level }) => level)).to.deep.equal(["error"]);
  });

  it("a registry with other keys, or with values that must be given, does not compile as via", () => {
    const numbers = new Registry<number>(rig.system, { keys: "unique" });
    const valued = new Registry<string, number>(rig.system, { keys: "unique" });
    const optional = new Registry<string, number | undefined>(rig.system, { keys: "unique" });
    const fits: Via = optional;
    // @ts-expect-error: keys are numbers
    const wrongKeys: Via = numbers;
    // @ts-expect-error: a via registers without a value
    const wrongValues: Via = valued;
    expect([fits, wrongKeys, wrongValues]).to.have.length(3);
  });
});
