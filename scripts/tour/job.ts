/**
 * A word count over the workers of the cluster, by a client that knows nothing but NATS subjects.
 *
 * Each piece counts once, whatever happens: a piece whose worker crashed, whose node went down or whose
 * answer did not come goes back to the queue, and a second answer to the same piece is ignored.
 */

import type { Client } from "../../lib/cli/client.ts";
import { CliError } from "../../lib/cli/failure.ts";
import { WORKERS, wordCounterProtocol } from "./word-count.ts";

/** Pieces that one worker has in hand or waiting. */
const WINDOW = 2;
const CALL_TIMEOUT_MS = 10_000;
/** Rests of a worker after an error answer; longer when its node is not there, which a nodeDown will confirm. */
const RETRY_MS = 50;
const ABSENT_MS = 1_000;
const POLL_MS = 10;
const PAIRS = wordCounterProtocol.count.reply;

interface Worker {
  readonly node: string;
  readonly name: string;
  open: number;
  /** Before this time it gets no work: its last answer was an error. */
  restsUntil: number;
}

export interface JobOptions {
  readonly client: Client;
  readonly nodes: readonly string[];
  readonly pieces: readonly string[];
  /** At most so many pieces per second; default: as fast as they are counted. */
  readonly piecesPerSecond?: number;
  readonly onProgress?: (done: number) => void;
}

export class Job {
  readonly total: Map<string, number> = new Map();
  /** Pieces counted, by node. */
  readonly byNode: Map<string, number> = new Map();
  requeued = 0;
  readonly #options: JobOptions;
  readonly #workers: readonly Worker[];
  readonly #queue: number[];
  /** Pieces at work, and at which node; a piece that was taken back is no longer here. */
  readonly #open = new Map<number, Worker>();
  readonly #counted = new Set<number>();
  readonly #down = new Set<string>();
  #crash: { readonly node: string; readonly report: (requeued: boolean) => void } | undefined;
  #failure: unknown;
  #wake: () => void = () => undefined;

  constructor(options: JobOptions) {
    this.#options = options;
    this.#workers = WORKERS.flatMap((name) =>
      options.nodes.map((node) => ({ node, name, open: 0, restsUntil: 0 })),
    );
    this.#queue = options.pieces.map((_, index) => index);
  }

  get done(): number {
    return this.#counted.size;
  }

  /** Resolves when every piece has been counted. */
  async run(): Promise<void> {
    const { pieces, piecesPerSecond } = this.#options;
    const startedAt = performance.now();
    let sent = 0;
    while (this.#counted.size < pieces.length) {
      const now = performance.now();
      const due =
        piecesPerSecond === undefined
          ? Number.POSITIVE_INFINITY
          : ((now - startedAt) / 1000) * piecesPerSecond;
      const worker = sent < due && this.#queue.length > 0 ? this.#idleWorker(now) : undefined;
      const piece = worker === undefined ? undefined : this.#queue.shift();
      if (worker === undefined || piece === undefined) {
        await this.#pause();
        continue;
      }
      sent += 1;
      this.#send(worker, piece);
    }
  }

  /** The next piece for `node` makes its worker crash. Resolves with whether that piece went back to the queue. */
  crashWorker(node: string): Promise<boolean> {
    return new Promise((resolve) => {
      this.#crash = { node, report: resolve };
    });
  }

  /** Gives the workers of `node` as much as they take, whatever the pace; settles when it is on its way. */
  async fill(node: string): Promise<void> {
    for (const worker of this.#workers.filter((each) => each.node === node)) {
      while (worker.open < WINDOW && this.#queue.length > 0) {
        this.#send(worker, this.#queue.shift() ?? 0);
      }
    }
    await this.#options.client.transport.flush();
  }

  /** The cluster says that a node is down: what it had in hand goes to others. Returns how many pieces. */
  nodeDown(node: string): number {
    this.#down.add(node);
    const lost = [...this.#open].filter(([, worker]) => worker.node === node);
    for (const [piece, worker] of lost) {
      this.#takeBack(piece, worker);
    }
    this.#wake();
    return lost.length;
  }

  #idleWorker(now: number): Worker | undefined {
    const able = this.#workers.filter(
      (worker) => worker.open < WINDOW && worker.restsUntil <= now && !this.#down.has(worker.node),
    );
    return able.sort((left, right) => left.open - right.open || this.#share(left) - this.#share(right))[0];
  }

  #share({ node }: Worker): number {
    return this.byNode.get(node) ?? 0;
  }

  #send(worker: Worker, piece: number): void {
    const text = this.#options.pieces[piece] ?? "";
    const crash = this.#crash?.node === worker.node ? this.#crash : undefined;
    if (crash !== undefined) {
      this.#crash = undefined;
    }
    worker.open += 1;
    this.#open.set(piece, worker);
    const message = { type: "count", text, ...(crash === undefined ? {} : { crash: true }) };
    this.#options.client.call(worker.node, worker.name, message, CALL_TIMEOUT_MS).then(
      (value) => this.#counts(worker, piece, value),
      (error: unknown) => {
        if (!(error instanceof CliError)) {
          this.#fail(error);
          return;
        }
        this.#rest(worker, error);
        const requeued = this.#takeBack(piece, worker);
        crash?.report(requeued);
        this.#wake();
      },
    );
  }

  #rest({ node, name }: Worker, error: CliError): void {
    const absent = error.code === "nodedown";
    const until = performance.now() + (absent ? ABSENT_MS : RETRY_MS);
    for (const worker of this.#workers) {
      if (worker.node === node && (absent || worker.name === name)) {
        worker.restsUntil = until;
      }
    }
  }

  /** Puts a piece back, unless that has been done or it has been counted. */
  #takeBack(piece: number, worker: Worker): boolean {
    if (this.#open.get(piece) !== worker) {
      return false;
    }
    this.#open.delete(piece);
    worker.open -= 1;
    this.#queue.unshift(piece);
    this.requeued += 1;
    return true;
  }

  #counts(worker: Worker, piece: number, value: unknown): void {
    if (this.#open.get(piece) !== worker) {
      return; // taken back meanwhile: another worker's answer counts
    }
    const pairs = PAIRS.safeParse(value);
    if (!pairs.success) {
      this.#fail(
        new CliError(`${worker.name} at ${worker.node} answered with something that is no word count`),
      );
      return;
    }
    this.#open.delete(piece);
    worker.open -= 1;
    this.#counted.add(piece);
    this.byNode.set(worker.node, this.#share(worker) + 1);
    for (const [word, times] of pairs.data) {
      this.total.set(word, (this.total.get(word) ?? 0) + times);
    }
    this.#options.onProgress?.(this.done);
    this.#wake();
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#wake();
  }

  /** Until something was answered or taken back, or a pace or a rest is over. */
  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, POLL_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }
}

/** Where two counts differ, or undefined. */
export function difference(
  left: ReadonlyMap<string, number>,
  right: ReadonlyMap<string, number>,
): string | undefined {
  for (const word of new Set([...left.keys(), ...right.keys()])) {
    if (left.get(word) !== right.get(word)) {
      return `${JSON.stringify(word)}: ${left.get(word) ?? 0} and ${right.get(word) ?? 0}`;
    }
  }
  return undefined;
}
