/**
 * What a gen_server can do beside answering at once: answer later, go on after init, use timers, watch
 * other processes, and end.
 *
 * Run it from a clone: npx tsx examples/conversation.ts
 */
import {
  Actor,
  type Call,
  type CallMessage,
  type Cast,
  type CastMessage,
  type From,
  type Info,
  startNode,
} from "supercast";

type GateProtocol = {
  /** Answered when the gate opens. */
  pass: Call<{ who: string }, string>;
  open: Cast;
};

const IDLE_MS = 50;

class Gate extends Actor<GateProtocol, { open: boolean; waiting: (() => void)[] }, { opensInMs: number }> {
  init({ opensInMs }: { opensInMs: number }) {
    // The starter goes on at once; the slow part of the start comes before any message.
    return this.started({ open: false, waiting: [] }).continue(opensInMs);
  }

  override handleContinue(opensInMs: unknown) {
    this.castAfter(Number(opensInMs), { type: "open" });
  }

  override handleCall(message: CallMessage<GateProtocol>, from: From<GateProtocol>) {
    if (this.state.open) {
      return this.reply(message, `${message.who} walks through`).timeout(IDLE_MS);
    }
    const letIn = () => from.reply(message, `${message.who} had to wait`);
    this.state = { ...this.state, waiting: [...this.state.waiting, letIn] };
    return this.noReply();
  }

  override handleCast(_message: CastMessage<GateProtocol>) {
    for (const letIn of this.state.waiting) {
      letIn();
    }
    this.state = { open: true, waiting: [] };
    return this.noReply().timeout(IDLE_MS);
  }

  override handleInfo(info: Info) {
    // Nobody came for so long. A timeout holds until the next message only, so each result asks anew.
    return info.type === "timeout" ? this.stop("normal") : undefined;
  }

  override terminate() {
    console.log("the gate is closed for good");
  }
}

const node = await startNode({ name: "a", cluster: "conversation" });
const gate = await node.start(Gate, { opensInMs: 30 }, { restart: "temporary" });
const early = gate.call({ type: "pass", who: "Ada" });
console.log(await early);
console.log(await gate.call({ type: "pass", who: "Joe" }));

await new Promise<void>((resolve) => node.monitor(gate, () => resolve()));
try {
  await gate.call({ type: "pass", who: "Late" });
} catch (error) {
  console.log(String(error));
}
await node.stop();
