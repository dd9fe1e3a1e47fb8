/**
 * What the driver of a bench asks the process of a node (`node-process.ts`), and how: one message there, one
 * back, over the channel between parent and child.
 */
import type { ChildProcess } from "node:child_process";
import { z } from "zod";
import { messageOf } from "../../../lib/base/errors.ts";

/** How a write goes: through `node.wal.commit` in one of its modes, or as a transaction of three phases. */
export const HOW = z.enum(["strong", "async", "3pc"]);
export type How = z.infer<typeof HOW>;

export const COMMAND = z.discriminatedUnion("type", [
  /** One writer for `ms`; answers the median in microseconds. */
  z.object({ type: z.literal("latency"), how: HOW, ms: z.number() }),
  /** `callers` for `ms`; answers LOAD. */
  z.object({ type: z.literal("load"), how: HOW, callers: z.int(), ms: z.number() }),
  /** `count` distinct keys, each once, and again when that failed; answers WRITTEN. */
  z.object({ type: z.literal("write"), count: z.int(), callers: z.int() }),
  /** Begins `perSecond` writes in the background, whatever becomes of them. */
  z.object({ type: z.literal("beginPaced"), perSecond: z.number() }),
  /** Ends them; answers PACED. */
  z.object({ type: z.literal("endPaced") }),
  /** Of the writes in the background: when the first one ended well that began after `atMs`. */
  z.object({ type: z.literal("firstAfter"), atMs: z.number() }),
  /** Answers STATUS, or null where there is no replica. */
  z.object({ type: z.literal("status") }),
  /** Answers when the replica here holds this position. */
  z.object({ type: z.literal("holds"), seq: z.int() }),
  /** Answers when the replica here has applied this position. */
  z.object({ type: z.literal("applied"), seq: z.int() }),
  /** Answers `heapUsed` after a collection. */
  z.object({ type: z.literal("heap") }),
  /** Ends the process at once and in good order: what Node writes at its end is written. */
  z.object({ type: z.literal("exit") }),
]);
export type Command = z.infer<typeof COMMAND>;

/** `seq`: the last position that was answered. */
export const LOAD = z.object({ done: z.int(), tookMs: z.number(), seq: z.int() });
export const WRITTEN = z.object({ tookMs: z.number(), again: z.int() });
export const PACED = z.object({ begun: z.int(), failed: z.record(z.string(), z.int()) });
export const STATUS = z.object({
  self: z.string(),
  role: z.string(),
  members: z.array(z.string()),
  activated: z.array(z.string()),
  lastSeq: z.int(),
  commitSeq: z.int(),
  appliedSeq: z.int(),
});
export type Status = z.infer<typeof STATUS>;

const ASKED = z.object({ kind: z.literal("ask"), id: z.int(), command: COMMAND });
const ANSWER = z.object({
  kind: z.literal("answer"),
  id: z.int(),
  value: z.unknown().optional(),
  error: z.string().optional(),
});

/** The parent's end. */
export class Questions {
  readonly #child: ChildProcess;
  readonly #open = new Map<
    number,
    { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }
  >();
  #asked = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (message) => {
      const { success, data } = ANSWER.safeParse(message);
      if (!success) {
        return; // what `forkChild` listens to
      }
      const { id, value, error } = data;
      const asked = this.#open.get(id);
      this.#open.delete(id);
      if (error === undefined) {
        asked?.resolve(value);
      } else {
        asked?.reject(new Error(error));
      }
    });
    child.once("exit", (code, signal) => {
      for (const { reject } of this.#open.values()) {
        reject(new Error(`the process of the node ended with ${signal ?? `code ${code}`}`));
      }
      this.#open.clear();
    });
  }

  ask(command: Command): Promise<unknown> {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.#child.send({ kind: "ask", id, command }, (error) => {
        if (error !== null) {
          this.#open.delete(id);
          reject(error);
        }
      });
    });
  }
}

/** The child's end: answers whatever is asked from now on. */
export function answerQuestions(answer: (command: Command) => Promise<unknown>): void {
  process.on("message", (message) => {
    const { success, data } = ASKED.safeParse(message);
    if (!success) {
      return; // the job
    }
    const { id, command } = data;
    const tell = (answered: { readonly value?: unknown; readonly error?: string }): void => {
      process.send?.({ kind: "answer", id, ...answered });
    };
    answer(command).then(
      (value) => tell({ value }),
      (thrown: unknown) => tell({ error: messageOf(thrown) }),
    );
  });
}
