/** Ctrl-C and SIGTERM: the first asks for a good end, the second ends at once. */
import { EXIT_INTERRUPTED } from "./failure.ts";

/** Calls `onFirst` at the first SIGINT or SIGTERM; a second one ends this process with exit code 130. */
export function onStopSignal(onFirst: (signal: NodeJS.Signals) => void): void {
  let asked = false;
  const receive = (signal: NodeJS.Signals): void => {
    if (asked) {
      process.exit(EXIT_INTERRUPTED);
    }
    asked = true;
    onFirst(signal);
  };
  process.on("SIGINT", receive);
  process.on("SIGTERM", receive);
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends this process with exit code 130. */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => onStopSignal(resolve));
}
