/** The tour's work: counting words, as a plain function and as an actor around it. */
import { z } from "zod";
import { Actor } from "../../lib/actor/actor.ts";
import { type CallMessage, defineProtocol, type ProtocolOf } from "../../lib/actor/protocol.ts";
import type { CallResult } from "../../lib/actor/result.ts";

/** How often each word of `text` occurs, in lower case. Words are runs of letters, digits and underscores. */
export function countWords(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [word] of text.toLowerCase().matchAll(/[\p{L}\p{N}_]+/gu)) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

export const wordCounterProtocol = defineProtocol({
  count: {
    call: z.strictObject({ text: z.string(), crash: z.literal(true).optional() }),
    // Pairs: a word such as "constructor" or "__proto__" has no place as a key.
    reply: z.array(z.tuple([z.string(), z.int()])).readonly(),
    help: "how often each word occurs in a text; with crash: true it throws half-way, on purpose",
  },
  status: {
    call: z.strictObject({}),
    reply: z.object({ texts: z.int() }),
    help: "how many texts this incarnation has counted",
  },
});

type WordCounterProtocol = ProtocolOf<typeof wordCounterProtocol>;

/** Counts one text at a time. Its state is lost in a crash, which a supervisor answers with a new start. */
export class WordCounter extends Actor<WordCounterProtocol, { readonly texts: number }> {
  static override readonly protocol = wordCounterProtocol;

  init(): { readonly texts: number } {
    return { texts: 0 };
  }

  override handleCall(message: CallMessage<WordCounterProtocol>): CallResult {
    if (message.type === "status") {
      return this.reply(message, this.state);
    }
    const counts = countWords(message.text);
    if (message.crash === true) {
      throw new Error("this worker was told to crash");
    }
    this.state = { texts: this.state.texts + 1 };
    return this.reply(message, [...counts]);
  }
}

/** The workers of each node, by name. */
export const WORKERS = ["counter_1", "counter_2"] as const;
