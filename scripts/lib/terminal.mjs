/**
 * How the scripts talk: colours and spinners on a terminal, plain lines elsewhere.
 *
 * Plain Node, because set-up runs before anything is installed.
 */
import { spawn } from "node:child_process";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { styleText } from "node:util";

/** The folder of the clone. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 100;

/**
 * `text` in a colour, when `stream` is a terminal and NO_COLOR is not set.
 *
 * @param {NodeJS.WriteStream} stream
 * @param {Parameters<typeof styleText>[0]} style
 * @param {string} text
 */
export function paint(stream, style, text) {
  return stream.isTTY && !process.env["NO_COLOR"] ? styleText(style, text) : text;
}

/** @param {number} ms */
export function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

/**
 * A line that says what is going on until `work` is done, and then how it went and how long it took.
 * On a terminal the line lives; elsewhere there is one line at the start and one at the end.
 *
 * @template T
 * @param {NodeJS.WriteStream} stream
 * @param {string} title
 * @param {() => Promise<T>} work
 * @param {(result: T) => boolean} [succeeded] whether the result is a good one; default: always
 * @returns {Promise<T>} what `work` returned; what it throws is thrown on
 */
export async function step(stream, title, work, succeeded = () => true) {
  const start = performance.now();
  const elapsed = () => seconds(performance.now() - start);
  let frame = 0;
  const draw = () => stream.write(`\r${FRAMES[frame++ % FRAMES.length]} ${title}  ${elapsed()}`);
  const timer = stream.isTTY ? setInterval(draw, FRAME_MS) : undefined;
  if (!stream.isTTY) {
    stream.write(`… ${title}\n`);
  }
  /** @param {boolean} ok */
  const finish = (ok) => {
    clearInterval(timer);
    const mark = ok ? paint(stream, "green", "✓") : paint(stream, "red", "✗");
    stream.write(`${stream.isTTY ? "\r\u001b[2K" : ""}${mark} ${title}  ${elapsed()}\n`);
  };
  try {
    const result = await work();
    finish(succeeded(result));
    return result;
  } catch (error) {
    finish(false);
    throw error;
  }
}

/**
 * Runs a command to its end and keeps what it prints, standard output and standard error as they came.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number }} [options]
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
export function run(command, args, options = {}) {
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? ROOT,
      env: options.env ?? process.env,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: options.timeoutMs ?? 0,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    child.once("error", (error) => done({ ok: false, output: error.message }));
    child.once("close", (code, signal) => {
      const ending = signal === null ? "" : `\n${command} was ended by ${signal}`;
      done({ ok: code === 0, output: output + ending });
    });
  });
}
