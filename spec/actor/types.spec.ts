/**
 * What must not compile: tsc is the test, and each line below an expected error fails it by compiling.
 * The mocha half only shows that the right ones mean what they say.
 */
import { expect } from "chai";
import { Actor, type ArgsOf, type ProtocolOfActor } from "../../lib/actor/actor.ts";
import { child } from "../../lib/actor/child-spec.ts";
import type { From } from "../../lib/actor/from.ts";
import type { LocalRef } from "../../lib/actor/local-ref.ts";
import type { Call, CallMessage, Cast, CastMessage, ProtocolOf, Schema } from "../../lib/actor/protocol.ts";
import { defineProtocol } from "../../lib/actor/protocol.ts";
import type { Reply } from "../../lib/actor/result.ts";
import { makeStage, type Stage, start } from "../support/actor.ts";

interface CounterProtocol {
  add: Call<{ n: number }, number>;
  read: Call<object, { value: number }>;
  reset: Cast;
  set: Cast<{ value: number }>;
}

class Counter extends Actor<CounterProtocol, number, { start: number }> {
  init(args: { start: number }): number {
    return args.start;
  }

  override handleCall(message: CallMessage<CounterProtocol>, from: From<CounterProtocol>): Reply {
    switch (message.type) {
      case "add":
        this.state += message.n;
        // @ts-expect-error the reply to add is a number
        this.reply(message, "three");
        // @ts-expect-error so is the one through from
        void (() => from.reply(message, "three"));
        return this.reply(message, this.state);
      case "read":
        // @ts-expect-error the reply to read is an object
        this.reply(message, this.state);
        return this.reply(message, { value: this.state });
    }
  }

  override handleCast(message: CastMessage<CounterProtocol>): void {
    switch (message.type) {
      case "reset":
        this.state = 0;
        // @ts-expect-error a reset has no value
        void (() => message.value);
        break;
      case "set":
        this.state = message.value;
        // @ts-expect-error the state is a number
        this.state = "three";
        this.state = message.value;
        break;
      // @ts-expect-error there is no such cast
      case "add":
        break;
    }
  }
}

class Caller extends Actor<{ run: Call<{ target: LocalRef<CounterProtocol> }, number> }> {
  init(): undefined {
    return undefined;
  }

  override async handleCall(
    message: CallMessage<{ run: Call<{ target: LocalRef<CounterProtocol> }, number> }>,
  ): Promise<Reply> {
    const { target } = message;
    this.cast(target, { type: "set", value: 40 });
    // @ts-expect-error a typed reference checks what is cast to it
    void (() => this.cast(target, { type: "set", value: "forty" }));
    // @ts-expect-error and what is called
    void (() => this.call(target, { type: "multiply" }));
    const sum: number = await this.call(target, { type: "add", n: 2 });
    return this.reply(message, sum);
  }
}

/** A schema with a known output, as zod makes them. */
function schema<Output>(): Schema<Output> {
  const validate = (): never => {
    throw new Error("not called");
  };
  return { "~standard": { version: 1, vendor: "spec", validate } };
}

describe("types", () => {
  let stage: Stage;

  beforeEach(() => {
    stage = makeStage();
  });

  afterEach(() => {
    stage.system.close();
  });

  it("a wrong message, wrong reply type or wrong args do not compile; right ones infer their reply", async () => {
    const { ref } = await start(stage.system, Counter, { start: 1 });
    const sum: number = await ref.call({ type: "add", n: 2 });
    expect(sum).to.equal(3);
    const { value }: { value: number } = await ref.call({ type: "read" });
    expect(value).to.equal(3);
    const wrong = (): void => {
      // @ts-expect-error add needs n
      void ref.call({ type: "add" });
      // @ts-expect-error n is a number
      void ref.call({ type: "add", n: "2" });
      // @ts-expect-error there is no such message
      void ref.call({ type: "multiply", n: 2 });
      // @ts-expect-error reset is a cast
      void ref.call({ type: "reset" });
      // @ts-expect-error add is a call
      ref.cast({ type: "add", n: 2 });
      // @ts-expect-error the reply is a number
      const text: Promise<string> = ref.call({ type: "add", n: 2 });
      void text;
      // @ts-expect-error a timeout is a number of milliseconds
      void ref.call({ type: "read" }, { timeoutMs: "5s" });
    };
    expect(wrong).to.be.a("function");
  });

  it("args are checked where an actor becomes a child", () => {
    const args: ArgsOf<typeof Counter> = { start: 1 };
    expect(child(Counter, args).id).to.equal("Counter");
    const wrong = (): void => {
      // @ts-expect-error start is a number
      child(Counter, { start: "1" });
      // @ts-expect-error start is missing
      child(Counter, {});
      // @ts-expect-error there is no such restart type
      child(Counter, args, { restart: "sometimes" });
      // @ts-expect-error a plain class is no actor
      child(Date, args);
    };
    expect(wrong).to.be.a("function");
  });

  it("an actor casts and calls through a typed reference", async () => {
    const counter = await start(stage.system, Counter, { start: 1 });
    const caller = await start(stage.system, Caller, undefined);
    expect(await caller.ref.call({ type: "run", target: counter.ref })).to.equal(42);
  });

  it("an actor without init, or with a state that init does not make, does not compile", () => {
    // @ts-expect-error init is missing
    class NoInit extends Actor {}
    class WrongState extends Actor<CounterProtocol, number, undefined> {
      // @ts-expect-error the state is a number
      init(): string {
        return "one";
      }
    }
    expect([NoInit.name, WrongState.name]).to.deep.equal(["NoInit", "WrongState"]);
  });

  it("a protocol made from schemas checks like one written by hand", () => {
    const table = defineProtocol({
      add: { call: schema<{ n: number }>(), reply: schema<number>(), help: "adds" },
      read: { call: schema<Record<string, never>>(), reply: schema<{ value: number }>(), help: "reads" },
      reset: { cast: schema<Record<string, never>>(), help: "resets" },
    });
    type Made = ProtocolOf<typeof table>;
    const right: CallMessage<Made>[] = [{ type: "add", n: 1 }, { type: "read" }];
    const casts: CastMessage<Made>[] = [{ type: "reset" }];
    // @ts-expect-error n is a number
    const wrong: CallMessage<Made> = { type: "add", n: "1" };
    // @ts-expect-error reset is no call
    const notCall: CallMessage<Made> = { type: "reset" };
    expect([right, casts, wrong, notCall]).to.have.length(4);
  });

  it("the protocol of an actor class is found by its reference", () => {
    const message: CallMessage<ProtocolOfActor<typeof Counter>> = { type: "add", n: 1 };
    expect(message.type).to.equal("add");
  });
});
