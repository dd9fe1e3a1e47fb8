import { expect } from "chai";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { AppendOutbox } from "../../lib/stream/append-outbox.ts";
import type { Append } from "../../lib/stream/messages.ts";

const EPOCH = { counter: 3, owner: "00000000000000aa" };
const CHAIN = "00000000000000bb";

function append(prevSeq: number, count: number, more: Partial<Append> = {}): Append {
  const entries = Array.from({ length: count }, (_, index) => ({
    seq: prevSeq + 1 + index,
    epoch: EPOCH,
    kind: 0,
    payload: new Uint8Array(10),
  }));
  const prev = { seq: prevSeq, epoch: EPOCH, chain: CHAIN };
  return {
    type: "append",
    epoch: EPOCH,
    prev,
    entries,
    commitSeq: 0,
    barrierSeq: 1,
    round: 1,
    sentAt: 5,
    ...more,
  };
}

function outbox(): { clock: VirtualClock; box: AppendOutbox; sent: string[]; appends: Append[] } {
  const clock = new VirtualClock();
  const sent: string[] = [];
  const appends: Append[] = [];
  const box = new AppendOutbox({
    clock,
    appendEntries: 5,
    appendBytes: 1_000,
    send: (to, message) => {
      sent.push(`${to.join("+")} ${message.prev.seq}..${message.prev.seq + message.entries.length}`);
      appends.push(message);
    },
  });
  return { clock, box, sent, appends };
}

describe("appends that wait for the end of a turn", () => {
  it("leave as one when they follow each other, with the newest commit and the oldest time", async () => {
    const { clock, box, sent, appends } = outbox();
    box.add(["b/1", "c/1"], append(10, 1));
    box.add(["b/1", "c/1"], append(11, 2, { commitSeq: 11, round: 2, sentAt: 9 }));
    expect(sent).to.deep.equal([]);
    await clock.advance(1);
    expect(sent).to.deep.equal(["b/1+c/1 10..13"]);
    expect(appends[0]).to.deep.include({ commitSeq: 11, round: 2, sentAt: 5 });
    expect(appends[0]?.entries.map(({ seq }) => seq)).to.deep.equal([11, 12, 13]);
    await clock.advance(1);
    expect(sent).to.have.length(1);
  });

  it("are not joined across a hole, to others, in another epoch, or beyond what one message may hold", async () => {
    const { clock, box, sent } = outbox();
    box.add(["b/1"], append(10, 1));
    box.add(["b/1"], append(12, 1));
    box.add(["c/1"], append(13, 1));
    box.add(["c/1"], append(14, 1, { epoch: { ...EPOCH, counter: 4 } }));
    box.add(["c/1"], append(15, 5, { epoch: { ...EPOCH, counter: 4 } }));
    await clock.advance(1);
    expect(sent).to.deep.equal(["b/1 10..11", "b/1 12..13", "c/1 13..14", "c/1 14..15", "c/1 15..20"]);
  });

  it("leave when something must not overtake them", () => {
    const { box, sent } = outbox();
    box.add(["b/1"], append(10, 1));
    box.flush();
    box.flush();
    expect(sent).to.deep.equal(["b/1 10..11"]);
  });
});
