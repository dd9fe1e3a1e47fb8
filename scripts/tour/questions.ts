/** What the steps of the tour ask the cluster, and small helpers of theirs. */
import { managerProtocol } from "../../actors/manager-protocol.ts";
import type { Client } from "../../lib/cli/client.ts";
import type { TreeNode } from "../../lib/node/process-tree.ts";
import { NODES } from "./cluster.ts";

const SEEN_DEADLINE_MS = 10_000;
const POLL_MS = 20;

/** Promises for shares of the work. */
export class Progress {
  readonly #waiting: { readonly share: number; readonly resolve: () => void }[] = [];

  at(share: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ share, resolve }));
  }

  receive(share: number): void {
    for (const each of this.#waiting) {
      if (share >= each.share) {
        each.resolve();
      }
    }
  }
}

export function liveNodes(client: Client, node: string): Promise<readonly string[]> {
  return client.ask(node, "manager", { type: "liveNodes" }, managerProtocol.liveNodes.reply);
}

export async function allSeeAll(client: Client): Promise<boolean> {
  const views = await Promise.all(NODES.map((node) => liveNodes(client, node)));
  return views.every((live) => live.join() === NODES.join());
}

export function restartsIn(tree: readonly TreeNode[]): number {
  return tree.reduce((sum, { restarts, children }) => sum + restarts + restartsIn(children), 0);
}

/** Asks until there is an answer. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + SEEN_DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) {
      return answer;
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${SEEN_DEADLINE_MS} ms: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

export function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, each) => total + each, 0);
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
