/**
 * Reads the labelled histories: recordings of real systems of which it is known whether they are linearizable.
 * They are not part of the project; `$SUPERCAST_HISTORIES` or `../shared/histories` beside the clone has them.
 */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ANY, HistoryError, type Operation } from "./history.ts";
import type { KeyValueInput, RegisterInput, Scalar } from "./models.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FOLDER = resolve(ROOT, process.env["SUPERCAST_HISTORIES"] ?? "../shared/histories");

/** The folder, or why it cannot be had. */
export function findHistories(): { found: true; folder: string } | { found: false; why: string } {
  return existsSync(resolve(FOLDER, "verdicts.json"))
    ? { found: true, folder: FOLDER }
    : { found: false, why: "no labelled histories in ../shared/histories nor in $SUPERCAST_HISTORIES" };
}

/** By path below the folder: "linearizable" or "not linearizable". */
export function readVerdicts(folder: string): Map<string, string> {
  const parsed: unknown = JSON.parse(readFileSync(resolve(folder, "verdicts.json"), "utf8"));
  if (typeof parsed !== "object" || parsed === null) {
    throw new HistoryError("verdicts.json: not an object");
  }
  const entries = Object.entries(parsed).map(([path, verdict]): [string, string] => [path, String(verdict)]);
  return new Map(entries);
}

/** A call of one process, before its return is known. */
interface Pending<Input> {
  readonly input: Input;
  readonly call: number;
}

/** Calls wait here, by process, for what ends them. Line numbers serve as times. */
class Pairing<Input> {
  readonly #operations: Operation<Input, Scalar | null>[] = [];
  readonly #pending = new Map<string, Pending<Input>>();

  invoke(process: string, input: Input, call: number): void {
    if (this.#pending.has(process)) {
      throw new HistoryError(`line ${call}: process ${process} calls before its last call returned`);
    }
    this.#pending.set(process, { input, call });
  }

  /** The process never learned the outcome: its call stays pending, so that it cannot call again. */
  lose(process: string): void {
    this.#pendingOf(process);
  }

  return(process: string, output: (input: Input) => Scalar | null, returned: number): void {
    const { input, call } = this.#pendingOf(process);
    this.#pending.delete(process);
    this.#operations.push({ clientId: process, input, call, output: output(input), return: returned });
  }

  /** The call did nothing. */
  drop(process: string): void {
    this.#pendingOf(process);
    this.#pending.delete(process);
  }

  /** All operations; what is still pending has an unknown outcome. */
  end(): Operation<Input, Scalar | null>[] {
    const lost = [...this.#pending].map(
      ([process, { input, call }]): Operation<Input, Scalar | null> => ({
        clientId: process,
        input,
        call,
        output: ANY,
        return: Number.POSITIVE_INFINITY,
      }),
    );
    return [...this.#operations, ...lost];
  }

  #pendingOf(process: string): Pending<Input> {
    const pending = this.#pending.get(process);
    if (pending === undefined) {
      throw new HistoryError(`process ${process} returns without a call`);
    }
    return pending;
  }
}

const ETCD_LINE = /^INFO\s+jepsen\.util - (\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(.+)$/;

/** One register: read, write and compare-and-set. `:fail` of a cas is its answer "no"; of a read, nothing. */
export function parseEtcd(text: string): Operation<RegisterInput, Scalar | null>[] {
  const pairing = new Pairing<RegisterInput>();
  for (const [index, line] of linesOf(text).entries()) {
    const [, process = "", type = "", op = "", value = ""] = ETCD_LINE.exec(line) ?? [];
    if (process === "") {
      throw new HistoryError(`line ${index + 1} is not understood: ${line}`);
    }
    if (type === "invoke") {
      pairing.invoke(process, etcdInput(op, value), index);
    } else if (type === "info") {
      pairing.lose(process);
    } else if (type === "fail" && op !== "cas") {
      pairing.drop(process);
    } else if (op === "read") {
      pairing.return(process, () => numberOrNull(value), index);
    } else {
      pairing.return(process, () => type === "ok", index);
    }
  }
  return pairing.end();
}

function etcdInput(op: string, value: string): RegisterInput {
  if (op === "read") {
    return { op };
  }
  if (op === "write") {
    return { op, value: Number(value) };
  }
  const [, from, to] = /^\[(\d+) (\d+)\]$/.exec(value) ?? [];
  return { op: "cas", from: Number(from), to: Number(to) };
}

function numberOrNull(value: string): number | null {
  return value === "nil" ? null : Number(value);
}

const KV_LINE = /^\{:process (\d+), :type :(invoke|ok), :f :(get|put|append), :key "([^"]*)", :value (.+)\}$/;

/** Strings by key: get, put and append. */
export function parseKeyValue(text: string): Operation<KeyValueInput, Scalar | null>[] {
  const pairing = new Pairing<KeyValueInput>();
  for (const [index, line] of linesOf(text).entries()) {
    const [, process = "", type = "", op = "", key = "", written = ""] = KV_LINE.exec(line) ?? [];
    if (process === "") {
      throw new HistoryError(`line ${index + 1} is not understood: ${line}`);
    }
    const value = written === "nil" ? "" : written.slice(1, -1);
    if (type === "invoke") {
      pairing.invoke(process, keyValueInput(op, key, value), index);
    } else {
      pairing.return(process, (input) => (input.op === "get" ? value : true), index);
    }
  }
  return pairing.end();
}

function keyValueInput(op: string, key: string, value: string): KeyValueInput {
  if (op === "get") {
    return { op, key };
  }
  return op === "put" ? { op, key, value } : { op: "append", key, value };
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
