/**
 * How the cluster stands, asked from outside: the `status` of each stream's replica at each node.
 *
 * `lacksIn` is pure and says what is missing to full strength; the class asks.
 */
import { z } from "zod";
import { nodeOf } from "../../lib/stream/replica-id.ts";
import { streamActorName } from "../../lib/stream/requests.ts";
import type { ClusterView } from "./target.ts";
import type { Caller } from "./wal-target.ts";

const STATUS_TIMEOUT_MS = 500;

const statusSchema = z.object({
  self: z.string(),
  role: z.string(),
  activated: z.object({ configuration: z.object({ members: z.array(z.string()) }) }).nullable(),
  lastSeq: z.number(),
  commitSeq: z.number(),
});

/** What of a replica's status counts here. */
export type ReplicaView = z.output<typeof statusSchema>;

/** A stream and how many copies it has at full strength. */
export interface WantedStream {
  readonly stream: string;
  readonly copies: number;
}

/** The open writer, when there is exactly one. */
export function writerIn(replicas: readonly ReplicaView[]): ReplicaView | undefined {
  const open = replicas.filter(({ role }) => role === "open");
  return open.length === 1 ? open[0] : undefined;
}

/**
 * What a stream lacks, seen twice in a row: one open writer, the same both times; as many members as it should have,
 * each of them there; and all that was committed at the first look held by each member at the second.
 */
export function lacksIn(
  { stream, copies }: WantedStream,
  first: readonly ReplicaView[],
  second: readonly ReplicaView[],
): string | undefined {
  const before = writerIn(first);
  const writer = writerIn(second);
  if (before === undefined || writer === undefined || before.self !== writer.self) {
    const open = second.filter(({ role }) => role === "open").map(({ self }) => self);
    return `${stream} has ${open.length === 0 ? "no open writer" : `as open writers ${open.join(", ")}, not for long`}`;
  }
  const members = writer.activated?.configuration.members ?? [];
  if (members.length !== copies) {
    return `${stream} has ${members.length} of ${copies} members`;
  }
  for (const member of members) {
    const replica = second.find(({ self }) => self === member);
    if (replica === undefined) {
      return `${stream}: its member ${member} is not there`;
    }
    if (replica.lastSeq < before.commitSeq) {
      return `${stream}: ${member} holds ${replica.lastSeq} of ${before.commitSeq} committed entries`;
    }
  }
  return undefined;
}

export class StreamView implements ClusterView {
  readonly #caller: Caller;
  readonly #nodes: readonly string[];
  readonly #streams: readonly WantedStream[];

  constructor(caller: Caller, nodes: readonly string[], streams: readonly WantedStream[]) {
    this.#caller = caller;
    this.#nodes = nodes;
    this.#streams = streams;
  }

  async writers(): Promise<readonly string[]> {
    const looks = await Promise.all(this.#streams.map(({ stream }) => this.#look(stream)));
    const writers = looks.flatMap((replicas) => writerIn(replicas)?.self ?? []);
    return [...new Set(writers.map(nodeOf))];
  }

  async answers(node: string): Promise<boolean> {
    const answer = await this.#caller.call(node, "manager", { type: "liveNodes" }, STATUS_TIMEOUT_MS);
    return answer.status === "ok";
  }

  async lacks(): Promise<string | undefined> {
    const lacking = await Promise.all(
      this.#streams.map(async (wanted) => {
        const first = await this.#look(wanted.stream);
        return lacksIn(wanted, first, await this.#look(wanted.stream));
      }),
    );
    return lacking.find((each) => each !== undefined);
  }

  /** The replicas of a stream that answer. */
  async #look(stream: string): Promise<readonly ReplicaView[]> {
    const answers = await Promise.all(
      this.#nodes.map((node) =>
        this.#caller.call(node, streamActorName(stream), { type: "status" }, STATUS_TIMEOUT_MS),
      ),
    );
    return answers.flatMap((answer) => (answer.status === "ok" ? [statusSchema.parse(answer.value)] : []));
  }
}
