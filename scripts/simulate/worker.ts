/** A process that runs seeds, one at a time, as its parent asks (`pool.ts`). It ends with its parent. */
import { messageOf } from "../../lib/base/errors.ts";
import type { SeedJob, SeedOutcome } from "./pool.ts";
import { runChecked } from "./seeds.ts";

process.once("disconnect", () => process.exit(1));

process.on("message", (message) => {
  if (isJob(message)) {
    void answer(message);
  }
});

async function answer({ seed, twice }: SeedJob): Promise<void> {
  const tell = (outcome: SeedOutcome): void => {
    process.send?.(outcome);
  };
  try {
    tell({ seed, result: await runChecked(seed, { twice }) });
  } catch (thrown) {
    const stack = thrown instanceof Error ? thrown.stack : undefined;
    tell({ seed, broken: stack ?? messageOf(thrown) });
  }
}

function isJob(message: unknown): message is SeedJob {
  return typeof message === "object" && message !== null && "seed" in message && "twice" in message;
}
