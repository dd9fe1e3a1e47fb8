/** Ctrl-C and SIGTERM: the first asks for a good end, the second ends at once. */
import { EXIT_INTERRUPTED } from "./failure.ts";

/** npm and npx pass on a Ctrl-C that the terminal has sent here already: so close together it is one. */
const SAME_MS = 500;

/** Calls `onFirst` at the first SIGINT or SIGTERM; a second one ends this process with exit code 130. */
export function onStopSignal(onFirst: (signal: NodeJS.Signals) => void): void {
  let askedAt: number | undefined;
  const receive = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    if (askedAt === undefined) {
      askedAt = now;
      onFirst(signal);
    } else if (now - askedAt > SAME_MS) {
      process.exit(EXIT_INTERRUPTED);
    }
  };
  process.on("SIGINT", receive);
  process.on("SIGTERM", receive);
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends this process with exit code 130. */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => onStopSignal(resolve));
}
