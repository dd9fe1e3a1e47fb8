/**
 * Jobs in child processes: `runInChild` asks, `serveJob` in the child answers, over Node's IPC channel.
 *
 * A child ends with its parent, whichever way the parent ends: its channel closes, and it exits.
 */
import { type ChildProcess, fork } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf } from "../../lib/base/errors.ts";

const ERRORS_KEPT_CHARACTERS = 2_000;

/** The file beside `meta`'s own, whatever the build made of its ending. */
export function beside(meta: ImportMeta, name: string): string {
  return fileURLToPath(new URL(name + extname(meta.filename), meta.url));
}

export interface ChildOptions {
  readonly nodeFlags?: readonly string[];
  readonly onProgress?: (text: string) => void;
}

/** A child process that has been forked and whatever it says. */
export interface Child {
  readonly process: ChildProcess;
  /** The first value that the child reports; rejects when it fails or ends without one. */
  readonly result: Promise<unknown>;
}

type ToParent =
  | { readonly kind: "progress"; readonly text: string }
  | { readonly kind: "result"; readonly value: unknown }
  | { readonly kind: "failure"; readonly message: string };

/** Starts `file` as a child, which finds `job` in `serveJob`. */
export function forkChild(file: string, job: unknown, options: ChildOptions = {}): Child {
  const child = fork(file, [], {
    execArgv: [...process.execArgv, ...(options.nodeFlags ?? [])],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let errors = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-ERRORS_KEPT_CHARACTERS);
  });
  const result = new Promise<unknown>((resolve, reject) => {
    child.on("message", (message) => {
      if (!isToParent(message)) {
        return;
      }
      if (message.kind === "progress") {
        options.onProgress?.(message.text);
      } else if (message.kind === "result") {
        resolve(message.value);
      } else {
        reject(new Error(message.message));
      }
    });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      reject(new Error(`the process ended with ${signal ?? `code ${code}`} ${errors.trim()}`));
    });
  });
  child.send({ kind: "job", job });
  return { process: child, result };
}

/** Runs a job to its end: resolves with its result when the child is gone, by itself or ended. */
export async function runInChild(file: string, job: unknown, options: ChildOptions = {}): Promise<unknown> {
  const child = forkChild(file, job, options);
  try {
    return await child.result;
  } finally {
    await endChild(child.process);
  }
}

/** Ends a child at once and waits until it is gone. */
export function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve();
  }
  return new Promise((gone) => {
    child.once("exit", () => gone());
    child.kill("SIGKILL");
  });
}

export interface Parent {
  progress(text: string): void;
}

/** In the child: takes the job, does it, and reports its result or its failure. */
export function serveJob(work: (job: unknown, parent: Parent) => Promise<unknown>): void {
  const tell = (message: ToParent): void => {
    process.send?.(message);
  };
  // Ctrl-C reaches parent and children alike; this one ends after its parent, and puts away what it made.
  process.on("SIGINT", () => undefined);
  process.once("disconnect", () => process.exit(1));
  process.once("message", (message) => {
    const job = typeof message === "object" && message !== null && "job" in message ? message.job : undefined;
    work(job, { progress: (text) => tell({ kind: "progress", text }) }).then(
      (value) => tell({ kind: "result", value }),
      (thrown: unknown) => {
        const stack = thrown instanceof Error ? thrown.stack : undefined;
        tell({ kind: "failure", message: stack ?? messageOf(thrown) });
      },
    );
  });
}

function isToParent(message: unknown): message is ToParent {
  return (
    typeof message === "object" &&
    message !== null &&
    "kind" in message &&
    (message.kind === "progress" || message.kind === "result" || message.kind === "failure")
  );
}
