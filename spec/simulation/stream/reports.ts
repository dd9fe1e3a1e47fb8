/** What the replicas of a run report as lost, entry by entry, as anybody hears it who listens to a stream. */
import { ownerOf } from "../../../lib/stream/replica-id.ts";
import { onEvent } from "../../../lib/telemetry/events.ts";
import type { LossReport } from "../../checkers/early-answers.ts";
import { epochKey } from "./world.ts";

export class Reports {
  readonly losses: LossReport[] = [];
  readonly #stop: () => void;

  constructor(stream: string) {
    this.#stop = onEvent("supercast:stream:superseded", (event) => {
      if (event.stream === stream) {
        const epoch = epochKey({ counter: event.epoch, owner: ownerOf(event.replica) });
        this.losses.push({ epoch, position: event.seq, answered: event.answered });
      }
    });
  }

  stop(): void {
    this.#stop();
  }
}
