/** The process of a node in the benches of commits: runs it, and does on it what the driver asks for. */
import { z } from "zod";
import { type ErrorCode, SupercastError } from "../../../lib/base/errors.ts";
import type { Node } from "../../../lib/runtime/node.ts";
import { startNode } from "../../../lib/runtime/start-node.ts";
import { type ReplicaStatus, streamActorName } from "../../../lib/stream/requests.ts";
import { logTo } from "../../../lib/telemetry/log.ts";
import { serveJob } from "../child.ts";
import { median } from "../statistics.ts";
import { answerQuestions, type Command, type How, type Status, type WRITTEN } from "./commands.ts";
import { keyOf, next, runCallers, VALUE } from "./load.ts";
import { Paced } from "./paced.ts";

/** The partition that is written to. */
const PARTITION = 0;
const REPLICA = streamActorName(`partition-${PARTITION}`);
const READY_TIMEOUT_MS = 60_000;
const ANSWER_LEAVES_MS = 50;
const POLL_MS = 1;

export const NODE_JOB = z.object({
  name: z.string(),
  servers: z.string(),
  peers: z.array(z.string()),
  replicationMode: z.enum(["strong", "async"]),
  dataDir: z.string().optional(),
});

const MAY_BE_REPEATED: ReadonlySet<ErrorCode> = new Set([
  "majority_timeout",
  "overload",
  "quorum_not_reached",
]);

class Writer {
  readonly #node: Node;
  #paced: Paced | undefined;
  #lastSeq = 0;

  constructor(node: Node) {
    this.#node = node;
  }

  async obey(command: Command): Promise<unknown> {
    switch (command.type) {
      case "latency":
        return await this.#latencyUs(command.how, command.ms);
      case "load": {
        const { how, callers, ms } = command;
        const result = await runCallers(callers, ms, (_caller, n) => this.#write(how, keyOf(n)));
        return { ...result, seq: this.#lastSeq };
      }
      case "write":
        return await this.#writeAll(command.count, command.callers);
      case "beginPaced":
        this.#paced = new Paced(command.perSecond, (n) => this.#write("strong", keyOf(n)));
        return null;
      case "endPaced":
        return await this.#paced?.end();
      case "firstAfter":
        return await this.#paced?.firstAfter(command.atMs);
      case "status":
        return await this.#status();
      case "holds":
        return await this.#until(({ lastSeq }) => lastSeq >= command.seq);
      case "applied":
        return await this.#until(({ appliedSeq }) => appliedSeq >= command.seq);
      case "heap":
        globalThis.gc?.();
        return process.memoryUsage().heapUsed;
      case "exit":
        setTimeout(() => process.exit(0), ANSWER_LEAVES_MS);
        return null;
    }
  }

  async #write(how: How, key: string): Promise<void> {
    const ops = [{ op: "put", record: [key, VALUE] }];
    if (how === "3pc") {
      const message = { type: "commit", partition: PARTITION, ops } as const;
      const answer: unknown = await this.#node.system.call({ name: "three_phase_commit" }, message);
      const { outcome } = OUTCOME.parse(answer);
      if (outcome !== "committed") {
        throw new Error(`a transaction was ${outcome}: ${JSON.stringify(answer)}`);
      }
      return;
    }
    const { seq } = await this.#node.wal.commit(PARTITION, ops, { mode: how });
    this.#lastSeq = Math.max(this.#lastSeq, seq);
  }

  async #latencyUs(how: How, ms: number): Promise<number> {
    const times: number[] = [];
    const end = performance.now() + ms;
    let before = performance.now();
    while (before < end) {
      await this.#write(how, keyOf(next()));
      const after = performance.now();
      times.push((after - before) * 1000);
      before = after;
    }
    if (how === "async") {
      // What it left behind is not to disturb whoever is next.
      await this.#write("strong", keyOf(next()));
    }
    return median(times);
  }

  async #writeAll(count: number, callers: number): Promise<z.output<typeof WRITTEN>> {
    const start = performance.now();
    let begun = 0;
    let again = 0;
    const write = async (key: string): Promise<void> => {
      for (;;) {
        try {
          return await this.#write("strong", key);
        } catch (thrown) {
          if (!(thrown instanceof SupercastError && MAY_BE_REPEATED.has(thrown.code))) {
            throw thrown;
          }
          again += 1;
        }
      }
    };
    const caller = async (): Promise<void> => {
      while (begun < count) {
        begun += 1;
        await write(`all-${begun}`);
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    return { tookMs: performance.now() - start, again };
  }

  async #replica(): Promise<ReplicaStatus | null> {
    const here = this.#node.whereis(REPLICA) !== undefined;
    return here ? await this.#node.call({ name: REPLICA }, { type: "status" }) : null;
  }

  async #status(): Promise<Status | null> {
    const status = await this.#replica();
    if (status === null) {
      return null;
    }
    const { self, role, members, activated, lastSeq, commitSeq, appliedSeq } = status;
    return {
      ...{ self, role, members: [...members], lastSeq, commitSeq, appliedSeq },
      activated: [...(activated?.configuration.members ?? [])],
    };
  }

  async #until(reached: (status: ReplicaStatus) => boolean): Promise<null> {
    for (;;) {
      const status = await this.#replica();
      if (status !== null && reached(status)) {
        return null;
      }
      // Not busy: the processor is for those who are measured.
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

const OUTCOME = z.object({ outcome: z.string() });

serveJob(async (given) => {
  const { dataDir, ...options } = NODE_JOB.parse(given);
  const node = await startNode(
    { ...options, cluster: "bench", localCodec: false, ...(dataDir === undefined ? {} : { dataDir }) },
    { log: logTo(() => undefined) },
  );
  await node.ready({ timeoutMs: READY_TIMEOUT_MS });
  const writer = new Writer(node);
  answerQuestions((command) => writer.obey(command));
  return "ready";
});
