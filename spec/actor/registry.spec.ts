import { expect } from "chai";
import { Actor } from "../../lib/actor/actor.ts";
import type { Pid } from "../../lib/actor/pid.ts";
import type { Call, CallMessage, Cast, CastMessage } from "../../lib/actor/protocol.ts";
import type { ViaAddress } from "../../lib/actor/ref.ts";
import { Registry, type RegistryEvent } from "../../lib/actor/registry.ts";
import { codeThrown, Rig } from "./rig.ts";

type Member = {
  join: Call<{ key: string; value: number }, Pid | "ok">;
  leave: Call<{ key: string }>;
  crash: Cast;
};

class Room extends Actor<Member, undefined, Registry<string, number>> {
  #registry: Registry<string, number> | undefined;

  init(registry: Registry<string, number>): undefined {
    this.#registry = registry;
  }

  override handleCall(message: CallMessage<Member>) {
    if (message.type === "leave") {
      this.#registry?.unregister(message.key, this.pid);
      return this.reply(message, undefined);
    }
    const taken = this.#registry?.register(message.key, this.pid, message.value);
    return this.reply(message, taken?.ok === false ? taken.owner : "ok");
  }

  override handleCast(message: CastMessage<Member>): void {
    throw new Error(message.type);
  }
}

describe("Registry", () => {
  let rig: Rig;
  let registry: Registry<string, number>;

  beforeEach(() => {
    rig = new Rig();
    registry = new Registry<string, number>(rig.system, { keys: "unique" });
  });

  afterEach(() => {
    rig.system.close();
  });

  describe("unique keys", () => {
    it("otp 81: a key has one owner, and a second register names it", async () => {
      const one = await rig.start(Room, registry);
      const two = await rig.start(Room, registry);
      expect(await one.ref.call({ type: "join", key: "lobby", value: 1 })).to.equal("ok");
      expect(await two.ref.call({ type: "join", key: "lobby", value: 2 })).to.equal(one.process.pid);
      expect(await one.ref.call({ type: "join", key: "lobby", value: 3 })).to.equal(one.process.pid);
      expect(registry.lookup("lobby")).to.deep.equal([{ pid: one.process.pid, value: 1 }]);
      expect(registry.whereis("lobby")).to.equal(one.process.pid);
      expect(registry.whereis("attic")).to.equal(undefined);
      expect(registry.keys(one.process.pid)).to.deep.equal(["lobby"]);
      expect(registry.keys(two.process.pid)).to.deep.equal([]);
      expect(registry.count).to.equal(1);
    });

    it("otp 81: entries vanish with their owner, before anyone is told of its end", async () => {
      const room = await rig.start(Room, registry);
      await room.ref.call({ type: "join", key: "lobby", value: 1 });
      await room.ref.call({ type: "join", key: "attic", value: 2 });
      const seen: number[] = [];
      rig.system.monitor({ deliverDown: () => seen.push(registry.count) }, room.process.pid);
      room.ref.cast({ type: "crash" });
      await rig.clock.settle();
      expect(seen).to.deep.equal([0]);
      expect(registry.lookup("lobby")).to.deep.equal([]);
    });

    it("otp 81: a dead owner's key can be taken even before the clean-up has come to it", async () => {
      const old = await rig.start(Room, registry);
      const heir = await rig.start(Room, registry);
      const events: string[] = [];
      registry.listen((event) => events.push(`${event.type} ${event.pid}`));
      const taken: boolean[] = [];
      // Runs ahead of the registry's own clean-up, because it was there first.
      old.process.onEnd(() => taken.push(registry.register("lobby", heir.process.pid, 2).ok));
      registry.register("lobby", old.process.pid, 1);
      old.ref.cast({ type: "crash" });
      await rig.clock.settle();
      expect(taken).to.deep.equal([true]);
      expect(registry.lookup("lobby")).to.deep.equal([{ pid: heir.process.pid, value: 2 }]);
      expect(events).to.deep.equal([
        `register ${old.process.pid}`,
        `unregister ${old.process.pid}`,
        `register ${heir.process.pid}`,
      ]);
    });

    it("unregister frees the key for others, and only the owner's own", async () => {
      const one = await rig.start(Room, registry);
      const two = await rig.start(Room, registry);
      await one.ref.call({ type: "join", key: "lobby", value: 1 });
      await two.ref.call({ type: "leave", key: "lobby" });
      expect(registry.whereis("lobby")).to.equal(one.process.pid);
      await one.ref.call({ type: "leave", key: "lobby" });
      expect(await two.ref.call({ type: "join", key: "lobby", value: 2 })).to.equal("ok");
      two.ref.cast({ type: "crash" });
      await rig.clock.settle();
      expect(registry.count).to.equal(0);
    });

    it("updateValue is for the owner, and a change that throws changes nothing", async () => {
      const room = await rig.start(Room, registry);
      const other = await rig.start(Room, registry);
      registry.register("lobby", room.process.pid, 1);
      const updated = registry.updateValue("lobby", room.process.pid, (value) => value + 1);
      expect(updated).to.deep.equal({ value: 2, previous: 1 });
      expect(registry.updateValue("lobby", other.process.pid, () => 9)).to.equal(undefined);
      const failing = (): number => {
        throw new Error("no");
      };
      expect(() => registry.updateValue("lobby", room.process.pid, failing)).to.throw("no");
      expect(registry.lookup("lobby")[0]?.value).to.equal(2);
    });

    it("refuses an owner that does not live on this node", async () => {
      expect(codeThrown(() => registry.register("lobby", "b/i1/7", 1))).to.equal("noproc");
      expect(codeThrown(() => registry.register("lobby", "a/i1/999", 1))).to.equal("noproc");
      expect(registry.count).to.equal(0);
    });
  });

  describe("duplicate keys", () => {
    let topics: Registry<string, number>;

    beforeEach(() => {
      topics = new Registry<string, number>(rig.system, { keys: "duplicate" });
    });

    it("otp 82: dispatch reaches every (pid, value) pair in order of registration", async () => {
      const one = await rig.start(Room, topics);
      const two = await rig.start(Room, topics);
      await one.ref.call({ type: "join", key: "news", value: 1 });
      await two.ref.call({ type: "join", key: "news", value: 2 });
      await one.ref.call({ type: "join", key: "news", value: 3 });
      const seen: unknown[] = [];
      topics.dispatch("news", (entries) => seen.push(...entries));
      expect(seen).to.deep.equal([
        { pid: one.process.pid, value: 1 },
        { pid: two.process.pid, value: 2 },
        { pid: one.process.pid, value: 3 },
      ]);
      expect(topics.keys(one.process.pid)).to.deep.equal(["news", "news"]);
      topics.dispatch("sports", () => seen.push("called for nobody"));
      expect(seen).to.have.length(3);
    });

    it("otp 82: one owner's end or leave takes out its own entries only", async () => {
      const one = await rig.start(Room, topics);
      const two = await rig.start(Room, topics);
      const three = await rig.start(Room, topics);
      for (const { ref } of [one, two, three, one]) {
        await ref.call({ type: "join", key: "news", value: 1 });
      }
      await one.ref.call({ type: "leave", key: "news" });
      two.ref.cast({ type: "crash" });
      await rig.clock.settle();
      expect(topics.lookup("news").map(({ pid }) => pid)).to.deep.equal([three.process.pid]);
      expect(topics.count).to.equal(1);
    });

    it("otp 82: cannot be used as via", async () => {
      const plain = new Registry<string>(rig.system, { keys: "duplicate" });
      const room = await rig.start(Room, topics);
      plain.register("news", room.process.pid);
      const via: ViaAddress = { via: plain, name: "news" };
      expect(() => rig.system.start(Room, topics, { via })).to.throw("unique keys");
      expect(() => rig.system.cast(via, { type: "crash" })).to.throw("unique keys");
      expect(codeThrown(() => plain.updateValue("news", room.process.pid, () => undefined))).to.equal(
        "config_mismatch",
      );
    });
  });

  describe("listeners", () => {
    it("otp 82: see register and unregister, also those of an owner's end", async () => {
      const room = await rig.start(Room, registry);
      const events: RegistryEvent<string, number>[] = [];
      const stop = registry.listen((event) => events.push(event));
      const { pid } = room.process;
      await room.ref.call({ type: "join", key: "lobby", value: 1 });
      await room.ref.call({ type: "join", key: "attic", value: 2 });
      await room.ref.call({ type: "leave", key: "lobby" });
      room.ref.cast({ type: "crash" });
      await rig.clock.settle();
      expect(events).to.deep.equal([
        { type: "register", key: "lobby", pid, value: 1 },
        { type: "register", key: "attic", pid, value: 2 },
        { type: "unregister", key: "lobby", pid },
        { type: "unregister", key: "attic", pid },
      ]);
      stop();
      const next = await rig.start(Room, registry);
      await next.ref.call({ type: "join", key: "lobby", value: 1 });
      expect(events).to.have.length(4);
    });

    it("one that throws is logged and hurts nobody", async () => {
      const room = await rig.start(Room, registry);
      const events: string[] = [];
      registry.listen(() => {
        throw new Error("deaf");
      });
      registry.listen((event) => events.push(event.type));
      expect(await room.ref.call({ type: "join", key: "lobby", value: 1 })).to.equal("ok");
      expect(events).to.deep.equal(["register"]);
      expect(rig.lines.map(({ message }) => message)).to.deep.equal(["a listener threw"]);
    });
  });
});
