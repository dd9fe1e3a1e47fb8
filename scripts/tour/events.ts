/** What the cluster publishes about itself, as the tour listens to it: health alerts and node events. */
import { z } from "zod";
import type { Client } from "../../lib/cli/client.ts";
import { alertSchema, type HealthAlert } from "../../lib/cli/health-view.ts";
import type { IncomingMessage } from "../../lib/transport/transport.ts";

const nodeEventSchema = z.object({ type: z.enum(["nodeUp", "nodeDown"]), node: z.string() });

export interface NodeNews {
  readonly type: "nodeUp" | "nodeDown";
  readonly node: string;
  /** Who says so, and on which subject. */
  readonly by: string;
  readonly subject: string;
}

export interface AlertNews extends HealthAlert {
  readonly by: string;
  readonly subject: string;
}

export interface Listeners {
  readonly onNode: (news: NodeNews) => void;
  readonly onAlert: (news: AlertNews) => void;
}

/** Subscribes as any NATS client could; returns what ends it. */
export function listen({ transport, subjects }: Client, { onNode, onAlert }: Listeners): () => void {
  const subscriptions = [
    transport.subscribe(subjects.clusterEvent("*"), (message) => {
      const event = nodeEventSchema.safeParse(bodyOf(message));
      if (event.success) {
        onNode({ ...event.data, ...senderOf(message) });
      }
    }),
    transport.subscribe(subjects.healthAlert("*"), (message) => {
      const alert = alertSchema.safeParse(bodyOf(message));
      if (alert.success) {
        onAlert({ ...alert.data, ...senderOf(message) });
      }
    }),
  ];
  return () => {
    for (const subscription of subscriptions) {
      subscription.unsubscribe();
    }
  };
}

function bodyOf({ payload }: IncomingMessage): unknown {
  return JSON.parse(Buffer.from(payload).toString("utf8"));
}

function senderOf({ subject }: IncomingMessage): { by: string; subject: string } {
  return { by: subject.slice(subject.lastIndexOf(".") + 1), subject };
}

/** The first of the news that `fits`, and how long it took. Rejects after `deadlineMs`, naming `what`. */
export class Awaited<News> {
  readonly #waiting: { readonly fits: (news: News) => boolean; readonly resolve: (news: News) => void }[] =
    [];

  receive(news: News): void {
    for (const each of this.#waiting.filter(({ fits }) => fits(news))) {
      this.#waiting.splice(this.#waiting.indexOf(each), 1);
      each.resolve(news);
    }
  }

  async next(
    what: string,
    fits: (news: News) => boolean,
    deadlineMs: number,
  ): Promise<News & { afterMs: number }> {
    const startedAt = performance.now();
    let timer: NodeJS.Timeout | undefined;
    try {
      const news = await new Promise<News>((resolve, reject) => {
        this.#waiting.push({ fits, resolve });
        timer = setTimeout(
          () => reject(new Error(`${what} did not come within ${deadlineMs} ms`)),
          deadlineMs,
        );
      });
      return { ...news, afterMs: Math.round(performance.now() - startedAt) };
    } finally {
      clearTimeout(timer);
    }
  }
}
