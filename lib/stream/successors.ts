/**
 * The successors a replica remembers: every configuration it was sealed for above the newest activated one.
 * A later claim must seal each of them, so none may be forgotten that could still have committed something.
 *
 * The set stays small: of the proposals for one and the same configuration the two highest epochs are kept.
 * One is not enough: a claim that repeats its seal would find its own entry in place of the one it must
 * hear of.
 */
import { compareEpochs } from "../journal/epoch.ts";
import { configurationKey, type Proposed } from "./configuration.ts";

const KEPT_PER_CONFIGURATION = 2;

/** Different configurations that may be open at a time; a seal for one more is refused. */
export const OPEN_CONFIGURATIONS_MAX = 8;

/** `successors` with `proposed` among them, in order of epochs. */
export function remembered(successors: readonly Proposed[], proposed: Proposed): readonly Proposed[] {
  if (successors.some(({ epoch }) => compareEpochs(epoch, proposed.epoch) === 0)) {
    return successors;
  }
  const sorted = [...successors, proposed].sort((left, right) => compareEpochs(left.epoch, right.epoch));
  const key = configurationKey(proposed.configuration);
  const alike = sorted.filter(({ configuration }) => configurationKey(configuration) === key);
  const dropped = new Set(alike.slice(0, Math.max(0, alike.length - KEPT_PER_CONFIGURATION)));
  return sorted.filter((each) => !dropped.has(each));
}

/**
 * Whether one more proposal would open too many different configurations. The active one is never too many:
 * otherwise nobody could claim any more, and what is open would stay open.
 */
export function isCrowded(
  successors: readonly Proposed[],
  proposed: Proposed,
  activated: Proposed | null = null,
): boolean {
  const key = configurationKey(proposed.configuration);
  if (activated !== null && configurationKey(activated.configuration) === key) {
    return false;
  }
  const keys = new Set(successors.map(({ configuration }) => configurationKey(configuration)));
  return !keys.has(key) && keys.size >= OPEN_CONFIGURATIONS_MAX;
}
