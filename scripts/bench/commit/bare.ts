/** The bare client over the same nats-server: one round trip, and rounds of requests to two replicas. */
import { connect } from "nats";
import { encode } from "../../../lib/wire/codec.ts";
import { beside, type Child, endChild, forkChild } from "../child.ts";
import { VALUE } from "./load.ts";

const TIMEOUT_MS = 5_000;
const SUBJECTS = ["bench.bare.b", "bench.bare.c"];
const PAYLOAD = encode(["key-1234", VALUE]).slice();
const PHASES = 3;

export const BARE_SETTINGS =
  "nats 2.29, a connection of this process, one of another that answers with the same bytes; the same nats-server " +
  "as ours";

export interface Bare {
  roundTrip(): Promise<unknown>;
  /** Three rounds, one after the other, of requests to two processes at once. */
  threeRounds(): Promise<void>;
  close(): Promise<void>;
}

export async function startBare(servers: string): Promise<Bare> {
  const children: Child[] = SUBJECTS.map((subject) =>
    forkChild(beside(import.meta, "./bare-process"), { servers, subject }),
  );
  await Promise.all(children.map(({ result }) => result));
  const connection = await connect({ servers });
  const ask = (subject: string): Promise<unknown> =>
    connection.request(subject, PAYLOAD, { timeout: TIMEOUT_MS });
  const [first = ""] = SUBJECTS;
  return {
    roundTrip: () => ask(first),
    threeRounds: async () => {
      for (let phase = 0; phase < PHASES; phase++) {
        await Promise.all(SUBJECTS.map(ask));
      }
    },
    close: async () => {
      await connection.close();
      await Promise.all(children.map((child) => endChild(child.process)));
    },
  };
}
