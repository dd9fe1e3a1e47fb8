import { expect } from "chai";
import { SupercastError } from "../../lib/base/errors.ts";
import { Outbound } from "../../lib/transport/outbound.ts";

/** An outbound whose round trips end when the spec says so. */
function openOutbound(max: number): { outbound: Outbound; trips: { arrive(): void; break(): void }[] } {
  const trips: { arrive(): void; break(): void }[] = [];
  const outbound = new Outbound(
    max,
    () =>
      new Promise((resolve, reject) => {
        trips.push({ arrive: resolve, break: () => reject(new Error("broken")) });
      }),
  );
  return { outbound, trips };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("outbound bytes", () => {
  it("makes a barrier when a share of the bound has gathered, one at a time", async () => {
    const { outbound, trips } = openOutbound(6400);
    outbound.add(99);
    expect(trips).to.have.length(0);
    outbound.add(1);
    expect(trips).to.have.length(1);
    outbound.add(500);
    expect(trips).to.have.length(1);
    expect(outbound.pendingBytes).to.equal(600);
    trips[0]?.arrive();
    await settle();
    expect(outbound.pendingBytes).to.equal(500);
    outbound.add(1);
    expect(trips).to.have.length(2);
  });

  it("counts bytes proved by overlapping round trips once", async () => {
    const { outbound, trips } = openOutbound(1000);
    outbound.add(10);
    const first = outbound.flush();
    outbound.add(20);
    const second = outbound.flush();
    trips.at(-1)?.arrive();
    await second;
    expect(outbound.pendingBytes).to.equal(0);
    for (const trip of trips) {
      trip.arrive();
    }
    await first;
    expect(outbound.pendingBytes).to.equal(0);
  });

  it("refuses what exceeds the bound, with the figures", () => {
    const { outbound } = openOutbound(100);
    outbound.admit(100);
    outbound.add(60);
    outbound.admit(40);
    expect(() => outbound.admit(41))
      .to.throw(SupercastError)
      .with.property("details")
      .that.deep.equals({ bytes: 41, pending: 60, max: 100 });
  });

  it("fails flushes when the connection is gone, and begins anew", async () => {
    const { outbound, trips } = openOutbound(1000);
    outbound.add(500);
    const flush = outbound.flush().catch((error: unknown) => error);
    const gone = new SupercastError("noconnection", "gone");
    outbound.reset(gone);
    expect(await flush).to.equal(gone);
    expect(outbound.pendingBytes).to.equal(0);
    for (const trip of trips) {
      trip.break();
    }
    await settle();
    const before = trips.length;
    outbound.add(500);
    expect(trips.length).to.equal(before + 1);
  });

  it("fails a flush whose round trip breaks", async () => {
    const { outbound, trips } = openOutbound(1000);
    const flush = outbound.flush().catch((error: unknown) => error);
    trips[0]?.break();
    expect(await flush)
      .to.be.an.instanceOf(SupercastError)
      .with.property("code", "noconnection");
  });
});
