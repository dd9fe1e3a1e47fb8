/**
 * A node's departure: others take over what it writes, while everything still runs, so that nobody has to
 * find out by a timeout that it is gone.
 */
import type { ActorSystem } from "../actor/system.ts";
import { type Clock, delay } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { ReplicaHome } from "../stream/replica-home.ts";
import { nodeOf, type ReplicaId } from "../stream/replica-id.ts";
import { streamActorName } from "../stream/requests.ts";
import type { StreamHost } from "./stream-host.ts";

/** Hands over every stream that is written here and has another member that is up. Never rejects. */
export async function handOverStreams(
  host: StreamHost,
  system: ActorSystem,
  up: ReadonlySet<string>,
  timeoutMs: number,
): Promise<void> {
  const handed = host.streams.map(async (stream) => {
    const home = host.home(stream);
    const to = home === undefined ? null : heir(home, up);
    if (to === null) {
      return;
    }
    try {
      await system.call({ name: streamActorName(stream) }, { type: "handOver", to }, { timeoutMs });
    } catch (thrown) {
      system.log.debug(`${stream} was not handed over: ${messageOf(thrown)}`);
    }
  });
  await Promise.all(handed);
}

const POLL_MS = 50;

/**
 * Waits until no stream counts on a replica here any more, at most `timeoutMs`: of two members one alone has no
 * majority, so who leaves last but one must not be gone before the other stands alone. When nobody is left who
 * stays, there is nothing to wait for. Resolves with the streams of which this node is a member still.
 */
export async function untilNoMember(
  host: StreamHost,
  clock: Clock,
  timeoutMs: number,
  isAnyoneLeft: () => boolean,
): Promise<readonly string[]> {
  const deadlineAt = clock.now() + timeoutMs;
  for (;;) {
    const rest = host.streams.filter((stream) => isMember(host.home(stream)));
    if (rest.length === 0 || clock.now() >= deadlineAt || !isAnyoneLeft()) {
      return rest;
    }
    await delay(clock, POLL_MS);
  }
}

function isMember(home: ReplicaHome | undefined): boolean {
  const { self, hard } = home?.replica ?? { self: "", hard: null };
  return hard?.activated?.configuration.members.includes(self) === true;
}

/** The member that is up and holds most; null when this is not the writer, or there is none. */
function heir({ replica }: ReplicaHome, up: ReadonlySet<string>): ReplicaId | null {
  const { role, writer, hard, self } = replica;
  if (role !== "open" || writer === null) {
    return null;
  }
  const heldBy = (member: ReplicaId): number => writer.progress.get(member)?.heldSeq ?? 0;
  const others = (hard.activated?.configuration.members ?? []).filter(
    (member) => member !== self && up.has(nodeOf(member)),
  );
  return others.sort((left, right) => heldBy(right) - heldBy(left))[0] ?? null;
}
