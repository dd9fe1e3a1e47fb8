import { expect } from "chai";
import fc from "fast-check";
import { majorityOf } from "../../lib/stream/configuration.ts";
import { isMessage } from "../../lib/stream/message-check.ts";
import type { Message } from "../../lib/stream/messages.ts";
import { isLetter, isParcel } from "../../lib/stream/requests.ts";

const epoch = { counter: 3, owner: "00000000000000aa" };
const position = { seq: 4, epoch, chain: "00000000000000bb" };
const configuration = majorityOf(["a/1", "b/1", "c/1"]);
const activated = { epoch, configuration };
const entry = { seq: 5, epoch, kind: 0, payload: new Uint8Array([1]) };
const owned = { epoch, commitSeq: 1, barrierSeq: 1, round: 2, sentAt: 5.5 };

/** One of each type. */
const MESSAGES: { readonly [Type in Message["type"]]: Extract<Message, { readonly type: Type }> } = {
  preseal: { type: "preseal", epoch, configuration, base: epoch, force: false },
  presealOk: { type: "presealOk", epoch },
  presealNo: { type: "presealNo", epoch, promise: epoch, activated: null },
  seal: { type: "seal", epoch, configuration },
  sealOk: {
    type: "sealOk",
    epoch,
    last: position,
    commitSeq: 4,
    activated,
    successors: [activated],
    tailCertain: true,
  },
  sealNo: { type: "sealNo", epoch, promise: epoch, activated, waitMs: 0 },
  fetch: { type: "fetch", epoch, last: position, commitSeq: 1 },
  entries: { type: "entries", epoch, prev: position, entries: [entry] },
  append: { type: "append", ...owned, prev: position, entries: [entry, { ...entry, seq: 6 }] },
  heartbeat: { type: "heartbeat", ...owned, tail: position, life: null },
  ack: { type: "ack", epoch, seq: 1, heldSeq: 2, round: 1, sentAt: 0, activated: epoch },
  nack: { type: "nack", epoch, reason: "gap", hintSeq: 0, promise: epoch, round: 0, life: "one" },
  activate: { type: "activate", activated },
  retireOk: { type: "retireOk", epoch },
  who: { type: "who" },
  whoOk: { type: "whoOk", promise: epoch, primary: "a/1", activated: null, last: position },
  join: { type: "join" },
  readIndex: { type: "readIndex", id: 1, epoch },
  readIndexOk: { type: "readIndexOk", id: 1, seq: 2 },
  readIndexNo: { type: "readIndexNo", id: 1 },
  handOver: { type: "handOver", epoch },
};

describe("a message between replicas", () => {
  for (const [type, message] of Object.entries(MESSAGES)) {
    it(`of type ${type} is known, and refused when a field is missing or of another kind`, () => {
      expect(isMessage(message)).to.equal(true);
      for (const field of Object.keys(message)) {
        for (const wrong of [undefined, {}, "x", -1, Number.NaN]) {
          const changed = { ...message, [field]: wrong };
          const harmless =
            (["sentAt", "waitMs"].includes(field) && wrong === -1) ||
            (["primary", "reason", "life"].includes(field) && wrong === "x");
          expect(isMessage(changed), `${field}: ${String(wrong)}`).to.equal(harmless);
        }
      }
    });
  }

  it("is refused when its entries do not follow each other", () => {
    const entries = [entry, { ...entry, seq: 7 }];
    expect(isMessage({ ...MESSAGES.append, entries })).to.equal(false);
    expect(isMessage({ ...MESSAGES.entries, prev: { ...position, seq: 9 } })).to.equal(false);
  });

  it("is refused when a configuration in it has unsound quorums", () => {
    const unsound = { ...configuration, sealQuorum: 1 };
    expect(isMessage({ ...MESSAGES.seal, configuration: unsound })).to.equal(false);
  });

  it("may be anything at all without harm", () => {
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...Object.keys(MESSAGES)), (value, type) => {
        const body: unknown = typeof value === "object" && value !== null ? { ...value, type } : value;
        for (const check of [isMessage, isLetter, isParcel]) {
          expect(() => check(body)).not.to.throw();
          expect(() => check(value)).not.to.throw();
        }
      }),
    );
  });
});
