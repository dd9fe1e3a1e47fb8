/** Conformance of transports: outages and the end. */
import { expect } from "chai";
import { eventually } from "../support/eventually.ts";
import {
  bytes,
  collect,
  eventsOf,
  PLENTY_MS,
  rejectionOf,
  type Stage,
  settled,
  text,
  thrownBy,
} from "./transport-stage.ts";

export function itLivesAndEnds(stage: Stage): void {
  describe("an outage", () => {
    it("is told at once; meanwhile publishing throws and nothing is kept for later", async () => {
      const events = eventsOf(stage.alice);
      const found = collect(stage.alice, "x");
      const before = stage.alice.connectedAt;
      expect(before).to.be.a("number");
      await stage.world.beginOutage();
      await eventually("disconnected", () => !stage.alice.connected && !stage.bob.connected);
      expect(stage.alice.connectedAt).to.equal(undefined);
      expect(events.filter((event) => event.type === "disconnected")).to.have.length(1);
      expect(thrownBy(() => stage.alice.publish("x", bytes("lost"))).code).to.equal("noconnection");
      expect((await rejectionOf(stage.alice.request("x", bytes("?"), { timeoutMs: 10 }))).code).to.equal(
        "noconnection",
      );
      expect((await rejectionOf(stage.alice.flush())).code).to.equal("noconnection");
      expect(stage.alice.pendingBytes).to.equal(0);
      await stage.world.endOutage();
      await eventually("reconnected", () => stage.alice.connected && stage.bob.connected);
      expect(events.filter((event) => event.type === "reconnected")).to.have.length(1);
      expect(stage.alice.connectedAt).to.be.greaterThan(before ?? 0);
      expect(stage.alice.stats.reconnects).to.equal(1);
      await settled(stage.alice);
      stage.bob.publish("x", bytes("after"));
      await eventually("the message", () => found.length > 0);
      expect(found).to.deep.equal(["after"]);
    });

    it("fails what waits on the connection: requests and flushes", async () => {
      stage.bob.subscribe("silent", () => undefined);
      await settled(stage.bob);
      const request = rejectionOf(stage.alice.request("silent", bytes("?"), { timeoutMs: 60_000 }));
      await settled(stage.alice);
      await stage.world.beginOutage();
      expect((await request).code).to.equal("noconnection");
      await stage.world.endOutage();
      await eventually("reconnected", () => stage.alice.connected);
    });

    it("ends with the subscriptions as they were wanted meanwhile", async () => {
      const kept = collect(stage.bob, "kept");
      const dropped: string[] = [];
      const subscription = stage.bob.subscribe("dropped", (message) => dropped.push(text(message)));
      await settled(stage.bob);
      await stage.world.beginOutage();
      await eventually("disconnected", () => !stage.alice.connected && !stage.bob.connected);
      subscription.unsubscribe();
      const added = collect(stage.bob, "added");
      await stage.world.endOutage();
      await eventually("reconnected", () => stage.alice.connected && stage.bob.connected);
      await settled(stage.bob);
      stage.alice.publish("dropped", bytes("x"));
      stage.alice.publish("added", bytes("x"));
      stage.alice.publish("kept", bytes("x"));
      await eventually("the messages", () => kept.length === 1 && added.length === 1);
      expect(dropped).to.deep.equal([]);
      const answer = stage.alice.request("dropped", bytes("?"), { timeoutMs: PLENTY_MS });
      expect((await rejectionOf(answer)).code).to.equal("noproc");
    });
  });

  describe("the end", () => {
    it("comes once: nothing can be done after, and what waits fails", async () => {
      const events = eventsOf(stage.alice);
      stage.bob.subscribe("silent", () => undefined);
      await settled(stage.bob);
      const request = rejectionOf(stage.alice.request("silent", bytes("?"), { timeoutMs: 60_000 }));
      await Promise.all([stage.alice.close(), stage.alice.close()]);
      await stage.alice.close();
      expect((await request).code).to.equal("noconnection");
      expect(events).to.deep.equal([{ type: "closed" }]);
      expect(stage.alice.connected).to.equal(false);
      expect(stage.alice.connectedAt).to.equal(undefined);
      expect(thrownBy(() => stage.alice.publish("x", bytes("x"))).code).to.equal("noconnection");
      expect(thrownBy(() => void stage.alice.subscribe("x", () => undefined)).code).to.equal("noconnection");
      expect((await rejectionOf(stage.alice.flush())).code).to.equal("noconnection");
    });

    it("takes the subscriptions along", async () => {
      collect(stage.bob, "bobs");
      await settled(stage.bob);
      await stage.bob.close();
      const answer = stage.alice.request("bobs", bytes("?"), { timeoutMs: PLENTY_MS });
      expect((await rejectionOf(answer)).code).to.equal("noproc");
    });

    it("with drain handles what was received and sends what was published", async () => {
      const found = collect(stage.alice, "out");
      stage.bob.subscribe("in", (message) => stage.bob.publish("out", message.payload));
      await settled(stage.alice, stage.bob);
      const sent = Array.from({ length: 500 }, (_, index) => String(index));
      for (const item of sent) {
        stage.alice.publish("in", bytes(item));
      }
      await stage.alice.flush();
      await stage.bob.close({ drain: true });
      await eventually("all answers", () => found.length === sent.length);
      expect(found).to.deep.equal(sent);
    });

    it("can come during an outage", async () => {
      await stage.world.beginOutage();
      await eventually("disconnected", () => !stage.alice.connected);
      await stage.alice.close({ drain: true });
      await stage.world.endOutage();
      await eventually("the other is back", () => stage.bob.connected);
      expect(stage.alice.connected).to.equal(false);
    });
  });
}
