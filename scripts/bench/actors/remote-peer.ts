/**
 * The process at the other end of the remote benches: it answers echoes and counts what it is sent, as a node
 * of ours and as a bare NATS client alike, and as a broker of Moleculer where that is asked for.
 */
import { connect, type NatsConnection } from "nats";
import { z } from "zod";
import { Actor } from "../../../lib/actor/actor.ts";
import type { Call, CallMessage, Cast } from "../../../lib/actor/protocol.ts";
import type { CallResult } from "../../../lib/actor/result.ts";
import { serveJob } from "../child.ts";
import { makeBroker, SUBJECTS, startBenchNode } from "./remote-rig.ts";

const JOB = z.object({
  servers: z.string(),
  name: z.string(),
  nodes: z.array(z.string()),
  moleculer: z.boolean(),
});

type EchoProtocol = { echo: Call<{ value: string }, string> };

class Echo extends Actor<EchoProtocol> {
  init(): undefined {
    return undefined;
  }

  override handleCall(message: CallMessage<EchoProtocol>): CallResult {
    return this.reply(message, message.value);
  }
}

/** Counts, and tells when the count is what the caller waits for. */
class Tally {
  readonly #bare: NatsConnection;
  #count = 0;
  #goal = 0;

  constructor(bare: NatsConnection) {
    this.#bare = bare;
  }

  begin(goal: number): void {
    this.#count = 0;
    this.#goal = goal;
  }

  add(): void {
    this.#count += 1;
    if (this.#count === this.#goal) {
      this.#bare.publish(SUBJECTS.reached);
    }
  }
}

class Sink extends Actor<{ echo: Cast<{ value: string }> }, Tally, Tally> {
  init(tally: Tally): Tally {
    return tally;
  }

  override handleCast(): void {
    this.state.add();
  }
}

serveJob(async (given) => {
  const { servers, name, nodes, moleculer } = JOB.parse(given);
  const bare = await connect({ servers });
  const tally = new Tally(bare);
  bare.subscribe(SUBJECTS.echo, { callback: (_error, message) => void message.respond(message.data) });
  bare.subscribe(SUBJECTS.sink, { callback: () => tally.add() });
  bare.subscribe(SUBJECTS.goal, {
    callback: (_error, message) => {
      tally.begin(Number(message.string()));
      message.respond();
    },
  });
  const node = await startBenchNode(name, servers, nodes);
  await node.start(Echo, undefined, { name: "echo" });
  await node.start(Sink, tally, { name: "sink" });
  if (moleculer) {
    const broker = makeBroker(`moleculer-${name}`, servers);
    broker.createService({
      name: "echo",
      actions: { echo: ({ params }: { params: { value: string } }) => params.value },
    });
    await broker.start();
  }
  await bare.flush();
  return "ready";
});
