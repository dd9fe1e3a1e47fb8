/**
 * What the log has done for each client: the answers of its requests from `doneBelow` on, so that a request
 * that comes again is answered and not executed again.
 *
 * Part of the replicated state: only entries change it. A client is forgotten by an entry, never by age here.
 * A client that was forgotten and repeats an old request would have it executed anew; whoever expires
 * clients leaves them time for all their repetitions.
 */
import type { RequestId, StoredAnswer } from "./definition.ts";
import { HASH_ANSWER, HASH_CLIENT, hashOf, StateHash, type ThingHash } from "./state-hash.ts";
import { walkOf } from "./walk.ts";

export interface Answered extends StoredAnswer {
  readonly hash: ThingHash;
}

/** Belongs to its table, which changes it in place. */
export interface Client {
  doneBelow: number;
  /** The last entry with a request of this client. */
  lastSeq: number;
  /** By request, those from `doneBelow` on. */
  readonly answers: Map<number, Answered>;
  /** Of all its answers. */
  bytes: number;
  /** Counts the insertions into this table; says nothing in another one. */
  readonly order: number;
  hash: ThingHash;
}

export class ClientTable {
  readonly hash = new StateHash();
  readonly #clients = new Map<string, Client>();
  /** Those whose hash is not up to date. */
  readonly #touched = new Map<string, Client>();
  #inserted = 0;
  #bytes = 0;

  get size(): number {
    return this.#clients.size;
  }

  /** Of all answers. */
  get bytes(): number {
    return this.#bytes;
  }

  client(clientId: string): Client | undefined {
    return this.#clients.get(clientId);
  }

  find(clientId: string, requestSeq: number): Answered | "belowDone" | null {
    const client = this.#clients.get(clientId);
    if (client === undefined) {
      return null;
    }
    return requestSeq < client.doneBelow ? "belowDone" : (client.answers.get(requestSeq) ?? null);
  }

  /**
   * A request has been executed by the entry at `stored.seq`; `doneBelow` as it said, `hash` that of its
   * answer. The client's own hash is taken by `settle`, once for all requests of an entry.
   */
  record(request: RequestId, doneBelow: number, stored: StoredAnswer, hash: ThingHash): void {
    const { clientId, requestSeq } = request;
    const client = this.#clients.get(clientId) ?? this.#insert(clientId);
    this.#dropBelow(client, doneBelow);
    this.#keep(client, requestSeq, stored, hash);
    client.doneBelow = Math.max(client.doneBelow, doneBelow);
    client.lastSeq = stored.seq;
    this.#touched.set(clientId, client);
  }

  /** At the end of an entry: the hashes of the clients that it has touched. */
  settle(): void {
    for (const [clientId, client] of this.#touched) {
      this.touch(client, clientId, client.doneBelow, client.lastSeq);
    }
    this.#touched.clear();
  }

  /** Forgets a client that has no request after the entry at `idleSinceSeq`. */
  expire(clientId: string, idleSinceSeq: number): void {
    const client = this.#clients.get(clientId);
    if (client !== undefined && client.lastSeq <= idleSinceSeq) {
      this.#dropBelow(client, Number.POSITIVE_INFINITY);
      this.hash.remove(client.hash);
      this.#clients.delete(clientId);
      this.#touched.delete(clientId);
    }
  }

  /** A client as a snapshot has it, still without answers. */
  restore(clientId: string, doneBelow: number, lastSeq: number): Client {
    const client = this.#insert(clientId);
    this.touch(client, clientId, doneBelow, lastSeq);
    return client;
  }

  put(client: Client, clientId: string, requestSeq: number, stored: StoredAnswer): void {
    const { seq, epoch, answer } = stored;
    this.#keep(client, requestSeq, stored, hashOf(HASH_ANSWER, [clientId, requestSeq, answer], seq, epoch));
  }

  #keep(client: Client, requestSeq: number, { seq, epoch, answer }: StoredAnswer, hash: ThingHash): void {
    client.answers.set(requestSeq, { seq, epoch, answer, hash });
    client.bytes += hash.bytes;
    this.#bytes += hash.bytes;
    this.hash.add(hash);
  }

  touch(client: Client, clientId: string, doneBelow: number, lastSeq: number): void {
    this.hash.remove(client.hash);
    client.doneBelow = doneBelow;
    client.lastSeq = lastSeq;
    client.hash = hashOf(HASH_CLIENT, [clientId, doneBelow], lastSeq);
    this.hash.add(client.hash);
  }

  /** Up to `max` clients without a request after entry `idleSinceSeq`, the longest idle first. Looks at all. */
  idle(idleSinceSeq: number, max: number): string[] {
    return [...this.#clients]
      .filter(([, client]) => client.lastSeq <= idleSinceSeq)
      .sort(([, left], [, right]) => left.lastSeq - right.lastSeq)
      .slice(0, max)
      .map(([clientId]) => clientId);
  }

  /** The clients that are here now and still there when their turn comes, while the table changes. */
  walk(): Iterator<string, void> {
    return walkOf(this.#clients, this.#inserted);
  }

  #insert(clientId: string): Client {
    this.#inserted += 1;
    const hash = { high: 0, low: 0, bytes: 0 };
    const client: Client = {
      doneBelow: 0,
      lastSeq: 0,
      answers: new Map(),
      bytes: 0,
      order: this.#inserted,
      hash,
    };
    this.#clients.set(clientId, client);
    return client;
  }

  #dropBelow(client: Client, doneBelow: number): void {
    if (doneBelow - client.doneBelow > client.answers.size) {
      for (const requestSeq of client.answers.keys()) {
        if (requestSeq < doneBelow) {
          this.#drop(client, requestSeq);
        }
      }
    } else {
      for (let requestSeq = client.doneBelow; requestSeq < doneBelow; requestSeq++) {
        this.#drop(client, requestSeq);
      }
    }
  }

  #drop(client: Client, requestSeq: number): void {
    const answered = client.answers.get(requestSeq);
    if (answered !== undefined) {
      client.answers.delete(requestSeq);
      client.bytes -= answered.hash.bytes;
      this.#bytes -= answered.hash.bytes;
      this.hash.remove(answered.hash);
    }
  }
}
