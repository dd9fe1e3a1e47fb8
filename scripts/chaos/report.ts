/** What a chaos run says at its end: the object of the contract, or text for people. */
import type { Colours } from "../../lib/cli/output.ts";
import type { ChaosResult } from "./run.ts";

/** Whether the run proved what it should. */
export function isGood({ lost, linearizable, violations, invalid }: ChaosResult): boolean {
  return lost === 0 && linearizable && violations.length === 0 && invalid.length === 0;
}

/** Exactly what `--json` prints. */
export function toJson(result: ChaosResult): object {
  const { faults, acknowledged, lost, linearizable, slowestRecoveryMs } = result;
  return { faults, acknowledged, lost, linearizable, slowestRecoveryMs };
}

export function formatResult(result: ChaosResult, colours: Colours): string {
  const { operations, acknowledged, unknown, refused, lost, linearizable, faults } = result;
  const kinds = Object.entries(result.faultsByKind).sort((left, right) => right[1] - left[1]);
  const lines = [
    `faults       ${faults}: ${kinds.map(([kind, number]) => `${kind} ${number}`).join(", ")}`,
    `operations   ${count(operations)}: ${count(acknowledged)} acknowledged, ${count(unknown)} of unknown outcome, ${count(refused)} refused`,
    `lost         ${lost}`,
    `order        ${linearizable ? "linearizable" : colours.red("not shown to be linearizable")}`,
    `recovery     writes accepted after ${result.medianRecoveryMs} ms (median), ${result.slowestRecoveryMs} ms (slowest); whole after at most ${result.slowestWholeMs} ms`,
    ...problems(result).map((each) => colours.red(each)),
    isGood(result) ? colours.green("passed") : colours.red("failed"),
  ];
  return lines.join("\n");
}

/** What is wrong, each in a line or more. */
export function problems({ violations, invalid }: ChaosResult): string[] {
  return [...violations.map((each) => `violation: ${each}`), ...invalid.map((each) => `invalid: ${each}`)];
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}
