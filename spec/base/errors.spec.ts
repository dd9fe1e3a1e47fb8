import { expect } from "chai";
import { ERROR_CODES, isErrorCode, messageOf, SupercastError } from "../../lib/base/errors.ts";
import { InvariantError, invariant } from "../../lib/base/invariant.ts";
import { checkName, nameProblem } from "../../lib/base/names.ts";
import {
  abnormal,
  ExitError,
  formatReason,
  isClean,
  isExitReason,
  reasonOfThrown,
} from "../../lib/base/reason.ts";

describe("errors", () => {
  it("travel as data and come back the same", () => {
    for (const code of Object.keys(ERROR_CODES)) {
      if (!isErrorCode(code)) {
        throw new Error(`${code} is a code`);
      }
      const error = new SupercastError(code, "text", { details: { a: 1 } });
      const back = SupercastError.fromData(error.toData());
      expect(back).to.include({ code, message: "text", retryable: ERROR_CODES[code].retryable });
      expect(back.details).to.deep.equal({ a: 1 });
    }
    expect(new SupercastError("noproc", "x").toData()).to.deep.equal({ code: "noproc", message: "x" });
  });

  it("know their codes from what merely looks like one", () => {
    for (const other of ["toString", "__proto__", "", 5, undefined, "NOPROC"]) {
      expect(isErrorCode(other), String(other)).to.equal(false);
    }
  });

  it("have a text whatever was thrown", () => {
    expect(messageOf(new Error("e"))).to.equal("e");
    expect(messageOf("s")).to.equal("s");
    expect(messageOf(undefined)).to.equal("undefined");
  });

  it("tell a defect from bad input", () => {
    expect(() => invariant(false, "it holds")).to.throw(InvariantError, "it holds");
    expect(() => invariant(true, "it holds")).to.not.throw();
  });
});

describe("exit reasons", () => {
  it("are clean or not, and read well", () => {
    const shown = (
      [
        "normal",
        "shutdown",
        { shutdown: "upgrade" },
        "killed",
        abnormal("boom"),
        abnormal("disk", "full"),
      ] as const
    ).map((reason) => `${formatReason(reason)} ${isClean(reason)}`);
    expect(shown).to.deep.equal([
      "normal true",
      "shutdown true",
      "shutdown(upgrade) true",
      "killed false",
      "boom false",
      "disk: full false",
    ]);
  });

  it("come from whatever was thrown", () => {
    expect(reasonOfThrown(new ExitError("x", "shutdown"))).to.equal("shutdown");
    expect(reasonOfThrown("s")).to.deep.equal({ error: { name: "thrown", message: "s" } });
    expect(reasonOfThrown(new SupercastError("timeout", "late"))).to.have.nested.property(
      "error.code",
      "timeout",
    );
    expect(reasonOfThrown(new TypeError("t"))).to.have.nested.property("error.name", "TypeError");
  });

  it("are recognised when they come from outside", () => {
    for (const sound of [
      "normal",
      "kill",
      "noconnection",
      { shutdown: null },
      { error: { name: "n", message: "m" } },
    ]) {
      expect(isExitReason(sound), JSON.stringify(sound)).to.equal(true);
    }
    for (const wrong of ["bye", null, 5, {}, { error: "x" }, { error: { name: 1, message: "" } }, []]) {
      expect(isExitReason(wrong), JSON.stringify(wrong)).to.equal(false);
    }
  });
});

describe("names", () => {
  it("are what may stand as one token of a subject", () => {
    for (const name of ["a", "node-1", "A_b", "x".repeat(64)]) {
      expect(nameProblem("node", name), name).to.equal(undefined);
    }
    for (const name of ["", "a.b", "a b", "*", ">", "é", "x".repeat(65), 5, null, "a\n"]) {
      expect(nameProblem("node", name), String(name)).to.match(/is not allowed/);
    }
    expect(nameProblem("node", "any")).to.match(/reserved/);
    expect(nameProblem("actor", "any")).to.equal(undefined);
    expect(() => checkName("cluster", "a.b"))
      .to.throw(/cluster name "a\.b"/)
      .with.property("code", "config_mismatch");
  });
});
