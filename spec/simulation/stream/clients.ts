/**
 * The clients of a simulated stream: several on nodes of the cluster, each with several operations open at a
 * time. They come in waves, so that operations meet. Everything they ask and get is recorded.
 *
 * A client that dies with its node leaves its operations without an answer; another client, with another id,
 * takes its place on a node that lives.
 */
import { SupercastError } from "../../../lib/base/errors.ts";
import type { Random } from "../../../lib/base/random.ts";
import { StreamClient } from "../../../lib/stream/stream-client.ts";
import type { Scalar } from "../../checkers/models.ts";
import { between, chance, pick } from "./draw.ts";
import type { Asked, Recorded } from "./history.ts";
import type { Host } from "./host.ts";
import { type Hosts, STREAM } from "./hosts.ts";
import { type Plan, SAFETY_MS } from "./plan.ts";
import type { WorkOperation } from "./workload.ts";
import { epochKey } from "./world.ts";

const FIRST_WAVE_MS = 1_000;
/** Operations of one wave come within so long. */
const WAVE_SPREAD_MS = 20;
/** The share of a wave that comes in one turn. */
const AT_ONCE = 0.8;
const WAVE_MIN = 6;
const WAVE_MAX = 16;
/**
 * A register or counter is in use for so long. An operation of unknown outcome may take effect at any time
 * after it, and whoever searches for an order must try them all: on one key for ever they become too many.
 */
const KEY_LIFE_MS = 12_000;

interface SimClient {
  readonly id: string;
  readonly host: Host;
  readonly life: number;
  readonly client: StreamClient;
  requests: number;
}

export class Clients {
  readonly records: Recorded[] = [];
  /** For each operation: how many were open when it was called, itself included. */
  readonly inFlight: number[] = [];
  open = 0;
  readonly #hosts: Hosts;
  readonly #plan: Plan;
  readonly #random: Random;
  readonly #clients: (SimClient | null)[];
  /** The time of the histories: counts calls and returns. */
  #time = 0;
  #serial = 0;
  #started = 0;
  /** What somebody saw last at a key, so that some compare-and-sets succeed. */
  readonly #seen = new Map<string, Scalar | null>();
  /** The position that an answered read shows, by the time of its call. */
  readonly #readSeqs = new Map<number, number>();

  constructor(hosts: Hosts) {
    this.#hosts = hosts;
    this.#plan = hosts.plan;
    this.#random = hosts.sim.random.fork("clients");
    this.#clients = hosts.plan.clients.map(() => null);
  }

  /** Sets a timer for each wave, until the end of the safety phase. */
  begin(): void {
    const { operations } = this.#plan;
    const now = this.#hosts.sim.clock.now();
    const sizes: number[] = [];
    for (let left = operations; left > 0; left -= sizes.at(-1) ?? 1) {
      sizes.push(Math.min(left, between(this.#random, WAVE_MIN, WAVE_MAX)));
    }
    const everyMs = (SAFETY_MS - FIRST_WAVE_MS) / sizes.length;
    for (const [index, size] of sizes.entries()) {
      const at = FIRST_WAVE_MS + (index + this.#random.next()) * everyMs;
      this.#hosts.later(Math.max(0, at - now), () => this.wave(size));
    }
  }

  /** So many operations of whichever clients: most at once, so that they meet, the others a little later. */
  wave(size: number): void {
    for (let left = size; left > 0; left--) {
      if (chance(this.#random, AT_ONCE)) {
        this.#operate();
      } else {
        this.#hosts.later(this.#random.next() * WAVE_SPREAD_MS, () => this.#operate());
      }
    }
  }

  /** Operations of a client that has died never return. */
  hostDown(host: Host): void {
    for (const [index, client] of this.#clients.entries()) {
      if (client?.host === host) {
        this.#clients[index] = null;
      }
    }
    for (const record of this.records) {
      if (record.outcome === "open" && record.clientId.endsWith(`@${host.name}`)) {
        record.outcome = "unknown";
        this.open -= 1;
      }
    }
  }

  // --- one operation ------------------------------------------------------------------------------

  #operate(): void {
    const index = this.#random.below(this.#clients.length);
    const client = this.#clients[index] ?? this.#newClient();
    if (client === null) {
      return;
    }
    this.#clients[index] = client;
    const drawn = pick(this.#random, this.#plan.keys) ?? { key: "register1", kind: "register" };
    const { kind } = drawn;
    const key = this.#present(drawn.key, kind);
    if (this.#random.next() < this.#plan.readShare && kind !== "queue") {
      const mode = pick(this.#random, this.#plan.readModes) ?? "quorum";
      this.#run(client, { kind: "read", key, mode }, kind);
    } else {
      client.requests += 1;
      const operation = this.#draw(key, kind);
      this.#run(client, { kind: "request", operation, requestSeq: client.requests }, kind);
    }
  }

  /** Every key that was asked for, in the order of their first use. */
  get keys(): readonly string[] {
    const asked = this.records.map(({ asked }) => (asked.kind === "read" ? asked.key : asked.operation.key));
    return [...new Set(asked)];
  }

  /** What stands for a key at present: registers and counters are followed by new ones after a while. */
  #present(key: string, kind: Recorded["keyKind"]): string {
    const age = Math.floor(this.#hosts.sim.clock.now() / KEY_LIFE_MS);
    return kind === "register" || kind === "counter" ? `${key}.${age}` : key;
  }

  #newClient(): SimClient | null {
    const host = pick(this.#random, this.#hosts.live);
    if (host === undefined || host.sim === null) {
      return null;
    }
    this.#started += 1;
    const id = `c${this.#started}@${host.name}`;
    const { system } = host.sim.node;
    const client = new StreamClient(
      {
        clock: system.clock,
        random: system.random,
        call: async (target, message, options) =>
          this.#heard(message, await system.call(target, message, options)),
      },
      { stream: STREAM, nodes: this.#plan.nodes, clientId: id },
    );
    return { id, host, life: host.life, client, requests: 0 };
  }

  /** Notes the position of a read's answer on its way to the client. */
  #heard(message: object, answer: unknown): unknown {
    const call = "query" in message ? tagOf(message.query) : null;
    if (call !== null && typeof answer === "object" && answer !== null && "seq" in answer) {
      this.#readSeqs.set(call, Number(answer.seq));
    }
    return answer;
  }

  #draw(key: string, kind: Recorded["keyKind"]): WorkOperation {
    this.#serial += 1;
    const value = this.#serial;
    switch (kind) {
      case "counter":
        return { op: "increment", key, by: between(this.#random, 1, 3) };
      case "list":
        return { op: "append", key, value };
      case "queue":
        return chance(this.#random, 0.6) ? { op: "add", key, value } : { op: "out", key };
      case "register":
        if (chance(this.#random, 0.5)) {
          return { op: "put", key, value };
        }
        return chance(this.#random, 0.08)
          ? { op: "delete", key }
          : { op: "cas", key, from: this.#seen.get(key) ?? null, to: value };
    }
  }

  #run({ client, id, host, life }: SimClient, asked: Asked, keyKind: Recorded["keyKind"]): void {
    const { sim, observer, trace } = this.#hosts;
    this.#time += 1;
    const record: Recorded = {
      clientId: id,
      asked,
      keyKind,
      call: this.#time,
      calledAtMs: sim.clock.now(),
      committedAtCall: observer.world.committedSeq,
      return: Number.POSITIVE_INFINITY,
      returnedAtMs: Number.POSITIVE_INFINITY,
      outcome: "open",
      value: null,
      seq: 0,
      epoch: "",
    };
    this.records.push(record);
    this.open += 1;
    this.inFlight.push(this.open);
    trace.event(id, () => `asks ${show(asked)}`, record.call);
    const { timeoutMs } = this.#plan;
    const fail = (thrown: unknown): void => {
      this.#answered(record, host, life, outcomeOf(thrown), thrown, 0);
    };
    if (asked.kind === "read") {
      const query = { op: "get", key: asked.key, tag: record.call };
      const options = { mode: asked.mode, timeoutMs, ...(asked.mode === "local" ? { node: host.name } : {}) };
      client.read(query, options).then((value) => {
        this.#answered(record, host, life, "ok", value, this.#readSeqs.get(record.call) ?? 0);
      }, fail);
    } else {
      client.request(asked.operation, { timeoutMs }).then(({ value, seq, epoch }) => {
        record.epoch = epochKey(epoch);
        this.#answered(record, host, life, "ok", value, seq);
      }, fail);
    }
  }

  #answered(
    record: Recorded,
    host: Host,
    life: number,
    outcome: "ok" | "unknown" | "refused",
    value: unknown,
    seq: number,
  ): void {
    if (host.life !== life || record.outcome !== "open") {
      return;
    }
    const { sim, trace } = this.#hosts;
    this.open -= 1;
    this.#time += 1;
    record.outcome = outcome;
    record.returnedAtMs = sim.clock.now();
    if (outcome === "ok") {
      record.return = this.#time;
      record.value = value;
      record.seq = seq;
      this.#remember(record);
      this.#check(record);
    }
    const took = (record.returnedAtMs - record.calledAtMs).toFixed(1);
    const shown = value instanceof Error ? value.message : JSON.stringify(value);
    trace.event(
      record.clientId,
      () => `${outcome} after ${took}: ${show(record.asked)} -> ${shown} at ${seq}`,
      this.#time,
      outcome.length,
      seq,
    );
  }

  #remember({ asked, keyKind, value }: Recorded): void {
    if (keyKind !== "register") {
      return;
    }
    if (asked.kind === "read") {
      this.#seen.set(asked.key, isScalarOrNull(value) ? value : null);
    } else if (value === true) {
      const { operation } = asked;
      const left = operation.op === "put" ? operation.value : operation.op === "cas" ? operation.to : null;
      this.#seen.set(operation.key, left);
    }
  }

  /** I11 and I19, at the moment of the answer. */
  #check({ asked, seq, epoch, committedAtCall, clientId }: Recorded): void {
    const { observer } = this.#hosts;
    const { mode, durability } = this.#plan;
    const { world } = observer;
    const lasting = mode === "strong" || (mode === "sync" && durability === "memory");
    if (asked.kind === "request") {
      world.expect(!lasting || seq <= world.committedSeq, "I11", () => {
        return `${clientId} was told that ${show(asked)} is done at ${seq}; committed is ${world.committedSeq}`;
      });
      const opened = world.opened.find((each) => epochKey(each.epoch) === epoch);
      world.expect(
        opened !== undefined,
        "I11",
        () => `${clientId} was answered in ${epoch}, which never opened`,
      );
      if (mode === "sync" && world.holders !== null && opened !== undefined) {
        const { configuration } = opened;
        const held = world.holders.heldBy(seq, epoch, configuration);
        world.expect(held >= configuration.writeQuorum || seq <= world.committedSeq, "I11", () => {
          return `${clientId} was told that ${show(asked)} is done at ${seq}, which ${held} have held`;
        });
      }
    } else if (asked.mode === "quorum") {
      world.expect(seq >= committedAtCall, "I19", () => {
        return `${clientId} got ${show(asked)} as of ${seq}; ${committedAtCall} was committed when it asked`;
      });
    }
  }
}

/** A client says `unknown_outcome` when it does not know; after any other error nothing has happened. */
function outcomeOf(thrown: unknown): "unknown" | "refused" {
  if (!(thrown instanceof SupercastError)) {
    throw thrown;
  }
  return thrown.code === "unknown_outcome" ? "unknown" : "refused";
}

function tagOf(query: unknown): number | null {
  return typeof query === "object" && query !== null && "tag" in query ? Number(query.tag) : null;
}

function isScalarOrNull(value: unknown): value is Scalar | null {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

function show(asked: Asked): string {
  if (asked.kind === "read") {
    return `${asked.mode} read of ${asked.key}`;
  }
  const { op, key, ...rest } = asked.operation;
  return `${op} ${key} ${Object.values(rest).join(" -> ")}`;
}
