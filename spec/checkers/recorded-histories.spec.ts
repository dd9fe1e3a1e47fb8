import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import type { Operation } from "./history.ts";
import { checkLinearizability, explain, type Verdict } from "./linearizability.ts";
import { keyValueModel, registerModel } from "./models.ts";
import { findHistories, parseEtcd, parseKeyValue, readVerdicts } from "./recorded-histories.ts";

const histories = findHistories();
const EXPECTED_COUNT = 82;

function check(path: string, text: string): Verdict<unknown, unknown> {
  return path.startsWith("etcd/")
    ? checkLinearizability(registerModel(), parseEtcd(text))
    : checkLinearizability(keyValueModel(""), parseKeyValue(text));
}

/** Whether a reported order obeys time and the history; its legality is the model's own business. */
function isPossibleOrder(order: readonly Operation<unknown, unknown>[]): boolean {
  let latestCall = Number.NEGATIVE_INFINITY;
  return order.every((operation) => {
    latestCall = Math.max(latestCall, operation.call);
    return operation.return >= latestCall;
  });
}

const suite = describe("the labelled histories", () => {
  const folder = histories.found ? histories.folder : "";
  const verdicts = histories.found ? readVerdicts(folder) : new Map<string, string>();

  it(`are ${EXPECTED_COUNT}, of both kinds`, () => {
    expect(verdicts.size).to.equal(EXPECTED_COUNT);
    expect(new Set(verdicts.values())).to.deep.equal(new Set(["linearizable", "not linearizable"]));
  });

  for (const [path, expected] of verdicts) {
    it(`${path} is ${expected}`, () => {
      const result = check(path, readFileSync(join(folder, path), "utf8"));
      expect(result.verdict, explain(result)).to.equal(expected);
      if (result.verdict === "not linearizable") {
        expect(result.progress.linearized).to.satisfy(isPossibleOrder);
        expect(explain(result)).to.contain("longest legal order");
      }
    });
  }
});

if (!histories.found) {
  suite.pending = true;
  suite.ctx["skipReason"] = histories.why;
}
