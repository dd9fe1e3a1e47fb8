import { expect } from "chai";
import type { ExitReason } from "../../lib/base/reason.ts";
import {
  makeStage,
  noReply,
  type PuppetRun,
  type Stage,
  startPuppet,
  stop,
  watch,
} from "../support/actor.ts";

const BAD: ExitReason = { error: { name: "Bad", message: "bad" } };
const ABSENT = "a/i1/999";

describe("links, monitors and exit signals", () => {
  let stage: Stage;

  beforeEach(() => {
    stage = makeStage();
  });

  afterEach(() => {
    stage.system.close();
  });

  const plain = (): Promise<PuppetRun> => startPuppet(stage.system);
  const trapping = (): Promise<PuppetRun> => startPuppet(stage.system, { trapExit: true });

  describe("links", () => {
    it("otp 51: either end dying abnormally takes the other along with the same reason", async () => {
      for (const dies of [0, 1]) {
        const pair = [await plain(), await plain()] as const;
        pair[0].self.link(pair[1].process.pid);
        pair[0].self.link(pair[1].process.pid);
        pair[dies === 0 ? 0 : 1].process.finish(BAD);
        expect(pair.map(({ process }) => process.exitReason)).to.deep.equal([BAD, BAD]);
      }
    });

    it("otp 51: linking twice is one link, gone with one unlink from either side", async () => {
      const [a, b] = [await plain(), await plain()];
      a.self.link(b.process.pid);
      b.self.link(a.process.pid);
      b.self.unlink(a.process.pid);
      a.process.finish(BAD);
      expect(b.process.alive).to.equal(true);
    });

    it("otp 51: a chain of 10,000 links falls without a deep stack, each member once", async () => {
      const members = await Promise.all(Array.from({ length: 10_000 }, plain));
      members.forEach(({ self }, index) => {
        const next = members[index + 1];
        if (next !== undefined) {
          self.link(next.process.pid);
        }
      });
      members[0]?.process.finish(BAD);
      expect(stage.system.processCount).to.equal(0);
      expect(members[9_999]?.process.exitReason).to.deep.equal(BAD);
    });

    it("otp 51: a link to oneself is none", async () => {
      const { self, process } = await plain();
      self.link(process.pid);
      expect(process.alive).to.equal(true);
    });

    it("otp 52: a normal exit from another is dropped unless exits are trapped; from oneself it ends", async () => {
      const [sender, receiver, linked] = [await plain(), await plain(), await plain()];
      linked.self.link(sender.process.pid);
      sender.self.exit(receiver.process.pid, "normal");
      expect(receiver.process.alive).to.equal(true);
      sender.self.exit(sender.process.pid, "normal");
      expect(sender.process.exitReason).to.equal("normal");
      expect(linked.process.alive).to.equal(true);
      const [trapper, other] = [await trapping(), await plain()];
      other.self.exit(trapper.process.pid, "normal");
      await stage.clock.settle();
      expect(trapper.self.infos).to.deep.equal([{ type: "exit", from: other.process.pid, reason: "normal" }]);
    });

    it("otp 53: trapped exits arrive as infos, in order with other messages, also explicit ones", async () => {
      const [trapper, peer, sender] = [await trapping(), await plain(), await plain()];
      trapper.self.link(peer.process.pid);
      sender.self.send(trapper.process.pid, "before");
      peer.process.finish(BAD);
      sender.self.exit(trapper.process.pid, { shutdown: "please" });
      sender.self.send(trapper.process.pid, "after");
      await stage.clock.settle();
      expect(trapper.self.infos).to.deep.equal([
        { type: "message", body: "before" },
        { type: "exit", from: peer.process.pid, reason: BAD },
        { type: "exit", from: sender.process.pid, reason: { shutdown: "please" } },
        { type: "message", body: "after" },
      ]);
    });

    it("otp 54: an explicit kill cannot be trapped and shows as killed; a link's kill can be", async () => {
      const [trapper, peer, bystander] = [await trapping(), await plain(), await trapping()];
      bystander.self.link(trapper.process.pid);
      peer.self.link(bystander.process.pid);
      peer.self.exit(trapper.process.pid, "kill");
      peer.ref.cast({ type: "tell", run: () => stop("kill") });
      await stage.clock.settle();
      expect(trapper.process.exitReason).to.equal("killed");
      expect(bystander.self.infos).to.deep.equal([
        { type: "exit", from: trapper.process.pid, reason: "killed" },
        { type: "exit", from: peer.process.pid, reason: "kill" },
      ]);
    });

    it("otp 55: linking to a dead process delivers exit noproc", async () => {
      const [trapper, other] = [await trapping(), await plain()];
      trapper.self.link(ABSENT);
      other.self.link(ABSENT);
      await stage.clock.settle();
      expect(trapper.self.infos).to.deep.equal([{ type: "exit", from: ABSENT, reason: "noproc" }]);
      expect(other.process.exitReason).to.equal("noproc");
    });

    it("otp 55: after unlink no exit of that link arrives, not even one that waits in the mailbox", async () => {
      const [trapper, peer] = [await trapping(), await plain()];
      trapper.self.link(peer.process.pid);
      peer.process.finish(BAD);
      trapper.self.unlink(peer.process.pid);
      await stage.clock.settle();
      expect(trapper.self.infos).to.deep.equal([]);
    });

    it("otp 55: unlink takes back only what it should: a link made after it has its own exit", async () => {
      const [trapper, peer] = [await trapping(), await plain()];
      trapper.self.link(peer.process.pid);
      peer.process.finish(BAD);
      trapper.self.unlink(peer.process.pid);
      trapper.self.link(peer.process.pid);
      await stage.clock.settle();
      expect(trapper.self.infos).to.deep.equal([{ type: "exit", from: peer.process.pid, reason: "noproc" }]);
    });

    it("otp 55: two exits of one peer that wait both arrive", async () => {
      const [trapper, peer] = [await trapping(), await plain()];
      trapper.self.link(peer.process.pid);
      peer.process.finish(BAD);
      trapper.self.link(peer.process.pid);
      await stage.clock.settle();
      expect(trapper.self.infos.map((info) => (info.type === "exit" ? info.reason : info))).to.deep.equal([
        BAD,
        "noproc",
      ]);
    });
  });

  describe("monitors", () => {
    it("otp 56: exactly one DOWN with the reason", async () => {
      const [watcher, target] = [await plain(), await plain()];
      const ref = watcher.self.monitor(target.process.pid);
      target.process.finish(BAD);
      target.process.finish("normal");
      await stage.clock.settle();
      expect(watcher.self.infos).to.deep.equal([
        { type: "down", ref, target: target.process.pid, reason: BAD },
      ]);
    });

    it("otp 56: a dead or unknown target is DOWN noproc at once, another node's noconnection", async () => {
      const watcher = await plain();
      watcher.self.monitor(ABSENT);
      watcher.self.monitor({ name: "nobody" });
      watcher.self.monitor("b/i1/1");
      await stage.clock.settle();
      expect(watcher.self.infos.map((info) => (info.type === "down" ? info.reason : info))).to.deep.equal([
        "noproc",
        "noproc",
        "noconnection",
      ]);
      expect(stage.clock.now()).to.equal(0);
    });

    it("otp 56: a DOWN reports what was monitored: the name and its node, or the pid", async () => {
      const watcher = await plain();
      const target = await startPuppet(stage.system, {}, { name: "target" });
      watcher.self.monitor({ name: "target" });
      watcher.self.monitor(target.ref);
      target.process.finish("normal");
      await stage.clock.settle();
      expect(watcher.self.infos.map((info) => (info.type === "down" ? info.target : info))).to.deep.equal([
        { name: "target", node: "a" },
        target.process.pid,
      ]);
    });

    it("otp 57: several monitors on one target are independent, and demonitor twice is harmless", async () => {
      const [watcher, target] = [await plain(), await plain()];
      const refs = [1, 2, 3].map(() => watcher.self.monitor(target.process.pid));
      watcher.self.demonitor(refs[1] ?? 0);
      watcher.self.demonitor(refs[1] ?? 0);
      target.process.finish("normal");
      await stage.clock.settle();
      expect(watcher.self.infos.map((info) => (info.type === "down" ? info.ref : 0))).to.deep.equal([
        refs[0],
        refs[2],
      ]);
    });

    it("otp 57: demonitor takes back a DOWN that waits in the mailbox", async () => {
      const [watcher, target] = [await plain(), await plain()];
      const ref = watcher.self.monitor(target.process.pid);
      target.process.finish("normal");
      watcher.self.demonitor(ref);
      await stage.clock.settle();
      expect(watcher.self.infos).to.deep.equal([]);
    });

    it("otp 57: a monitor taken back while its target's end is being told brings no DOWN", async () => {
      const target = await plain();
      const told: string[] = [];
      const taken: { withdraw?: () => void } = {};
      stage.system.monitor(
        {
          deliverDown: () => {
            told.push("first");
            taken.withdraw?.();
          },
        },
        target.process.pid,
      );
      taken.withdraw = stage.system.monitor(
        { deliverDown: () => told.push("second") },
        target.process.pid,
      ).demonitor;
      target.process.finish("normal");
      expect(told).to.deep.equal(["first"]);
    });

    it("otp 57: a DOWN that was taken back does not count as a message for the idle timeout", async () => {
      const [watcher, target] = [await plain(), await plain()];
      watcher.ref.cast({
        type: "tell",
        run: (self) => {
          const ref = self.monitor(target.process.pid);
          target.process.finish("normal");
          self.demonitor(ref);
          return noReply().timeout(50);
        },
      });
      await stage.clock.advance(50);
      expect(watcher.self.infos).to.deep.equal([{ type: "timeout" }]);
    });

    it("a watcher that ends leaves no monitor behind, and one that throws hurts no other", async () => {
      const [watcher, target] = [await plain(), await plain()];
      watcher.self.monitor(target.process.pid);
      watcher.process.finish("normal");
      expect(target.process.existingTies?.watchedBy.size).to.equal(0);
      const deliverDown = (): never => {
        throw new Error("a watcher that throws");
      };
      stage.system.monitor({ deliverDown }, target.process.pid);
      const downs = watch(stage.system, target.process.pid);
      target.process.finish("normal");
      expect(downs).to.have.length(1);
      expect(watch(stage.system, target.process.pid).map(({ reason }) => reason)).to.deep.equal(["noproc"]);
    });
  });

  describe("order", () => {
    it("otp 58: names and tables are free before DOWN and exits are seen", async () => {
      const target = await startPuppet(stage.system, {}, { name: "target" });
      const seen: unknown[] = [];
      const trapper = await startPuppet(stage.system, {
        trapExit: true,
        info: () =>
          void seen.push(stage.system.whereis("target"), stage.system.processAt(target.process.pid)),
      });
      trapper.self.link(target.process.pid);
      const deliverDown = (): void => void seen.push(stage.system.whereis("target"));
      stage.system.monitor({ deliverDown }, target.process.pid);
      target.process.finish("normal");
      await stage.clock.settle();
      expect(seen).to.deep.equal([undefined, undefined, undefined]);
    });

    it("otp 58: messages and exits from one sender keep their order", async () => {
      const [trapper, sender] = [await trapping(), await plain()];
      trapper.self.link(sender.process.pid);
      sender.ref.cast({
        type: "tell",
        run: (self) => {
          self.send(trapper.process.pid, 1);
          self.send(trapper.process.pid, 2);
          return stop(BAD);
        },
      });
      await stage.clock.settle();
      expect(trapper.self.infos.map(({ type }) => type)).to.deep.equal(["message", "message", "exit"]);
    });

    it("otp 58: callers, monitors and links of one death all learn of it, and a reaction to it sees it complete", async () => {
      const target = await plain();
      const linked = await plain();
      linked.self.link(target.process.pid);
      const order: string[] = [];
      stage.system.monitor({ deliverDown: () => order.push("target") }, target.process.pid);
      stage.system.monitor({ deliverDown: () => order.push("linked") }, linked.process.pid);
      target.process.finish(BAD);
      expect(order).to.deep.equal(["target", "linked"]);
    });
  });
});
