/**
 * A pool that crashes and heals: workers under a supervisor, one of them with a bug.
 *
 * Run it from a clone: npx tsx examples/supervision.ts
 */
import {
  Actor,
  type Call,
  type CallMessage,
  child,
  type Down,
  formatReason,
  onEvent,
  Supervisor,
  startNode,
} from "supercast";

type WorkerProtocol = { divide: Call<{ a: number; b: number }, number> };

class Worker extends Actor<WorkerProtocol, { done: number }> {
  init() {
    return { done: 0 };
  }

  override handleCall(message: CallMessage<WorkerProtocol>) {
    if (message.b === 0) {
      throw new RangeError("division by zero");
    }
    this.state = { done: this.state.done + 1 };
    return this.reply(message, message.a / message.b);
  }
}

class Pool extends Supervisor<{ size: number }> {
  override supervise({ size }: { size: number }) {
    const workers = Array.from({ length: size }, (_, index) =>
      child(Worker, undefined, { name: `worker_${index}` }),
    );
    return { strategy: "one_for_one", intensity: 5, periodMs: 10_000, children: workers };
  }
}

const node = await startNode({ name: "a", cluster: "supervision", limits: { callTimeoutMs: 1_000 } });
await node.start(Pool, { size: 3 }, { name: "pool" });

const before = node.whereis("worker_1");
node.monitor({ name: "worker_1" }, (down: Down) => console.log("DOWN:", formatReason(down.reason)));
const restarted = new Promise<void>((resolve) => {
  onEvent("supercast:supervisor:report", ({ event, child: id }) => {
    if (event === "restarted" && id === "worker_1") {
      resolve();
    }
  });
});

try {
  await node.call({ name: "worker_1" }, { type: "divide", a: 1, b: 0 });
} catch (error) {
  console.log("the caller sees:", String(error));
}
await restarted;
console.log("restarted under a new pid:", node.whereis("worker_1") !== before);
console.log("and works:", await node.call({ name: "worker_1" }, { type: "divide", a: 6, b: 3 }));
console.log("its siblings were left alone:", node.whereis("worker_0") !== undefined);

await node.stop();
