/** `health --watch`: the rounds and alerts that nodes publish, as they come. */
import { type ClusterHealth, healthMonitorProtocol } from "../../actors/health-protocol.ts";
import type { Schema } from "../actor/protocol.ts";
import { messageOf } from "../base/errors.ts";
import { DEFAULT_LIMITS } from "../base/limits.ts";
import { ANY_NODE } from "../base/names.ts";
import type { IncomingMessage } from "../transport/transport.ts";
import type { Client } from "./client.ts";
import { alertLine, alertSchema, drawHealth } from "./health-view.ts";
import { type Colours, type Output, printable, status } from "./output.ts";
import { untilSignal } from "./signals.ts";

const CHECKS = healthMonitorProtocol.clusterHealth.reply;
const ALERTS_SHOWN = 8;
/** A node that published nothing for so many of its rounds gives up its place to another. */
const ROUNDS_WAITED = 2;
const REDRAW_MS = 1_000;
const CLEAR_SCREEN = "\u001b[2J\u001b[3J\u001b[H";

/** Shows what is published until Ctrl-C or SIGTERM. `from`: whose rounds; default: one node's, as long as it lives. */
export async function watchHealth(client: Client, from: string | undefined, output: Output): Promise<void> {
  const ask = (node: string): Promise<ClusterHealth> =>
    client.ask(node, "health_monitor", { type: "clusterHealth" }, CHECKS);
  const watch = new Watch({ cluster: client.cluster, from, output, ask });
  const { healthCheck, healthAlert } = client.subjects;
  client.transport.subscribe(healthCheck("*"), (message) => watch.onCheck(message));
  client.transport.subscribe(healthAlert("*"), (message) => watch.onAlert(message));
  const ended = untilSignal();
  watch.onHealth(await ask(from ?? ANY_NODE));
  const timer = setInterval(() => watch.redraw(), REDRAW_MS);
  await ended;
  clearInterval(timer);
}

interface Heard {
  readonly health: ClusterHealth;
  readonly at: number;
}

interface WatchOptions {
  readonly cluster: string;
  readonly from: string | undefined;
  readonly output: Output;
  /** A node's health as it is now, between two rounds. */
  readonly ask: (node: string) => Promise<ClusterHealth>;
}

class Watch {
  readonly #cluster: string;
  readonly #from: string | undefined;
  readonly #output: Output;
  readonly #ask: (node: string) => Promise<ClusterHealth>;
  readonly #alerts: string[] = [];
  #shown: Heard | undefined;
  /** The node that is shown is gone, as others say: the next one to be heard takes its place. */
  #orphaned = false;
  /** The longest time between two rounds of the node that is shown. */
  #intervalMs: number = DEFAULT_LIMITS.healthIntervalMs;

  constructor({ cluster, from, output, ask }: WatchOptions) {
    this.#cluster = cluster;
    this.#from = from;
    this.#output = output;
    this.#ask = ask;
  }

  onCheck(message: IncomingMessage): void {
    const health = read(message, CHECKS);
    if (health !== undefined && !this.#passOn(message, health.body)) {
      this.onHealth(health.value);
    }
  }

  onHealth(health: ClusterHealth): void {
    if (this.#output.json || !this.#follows(health.node)) {
      return;
    }
    const at = performance.now();
    if (this.#shown?.health.node === health.node) {
      this.#intervalMs = Math.max(this.#intervalMs, at - this.#shown.at);
    }
    this.#shown = { health, at };
    this.#orphaned = false;
    if (this.#output.terminal) {
      this.redraw();
    } else {
      this.#output.line(`${clockTime()} ${roundLine(health, this.#output.colours)}`);
    }
  }

  onAlert(message: IncomingMessage): void {
    const alert = read(message, alertSchema);
    if (alert === undefined || this.#passOn(message, alert.body)) {
      return;
    }
    const publisher = message.subject.slice(message.subject.lastIndexOf(".") + 1);
    const { node, state, check } = alert.value;
    this.#orphaned ||=
      this.#from === undefined &&
      node === this.#shown?.health.node &&
      state === "raised" &&
      check === "connectivity";
    this.#tell(alertLine(alert.value, publisher, this.#output.colours));
    if (this.#follows(publisher)) {
      this.#ask(publisher).then(
        (health) => this.onHealth(health),
        (error: unknown) => this.#tell(messageOf(error)),
      );
    }
  }

  /** A line that stays: in the list of alerts, or by itself. */
  #tell(text: string): void {
    const line = `${clockTime()} ${text}`;
    this.#alerts.push(line);
    this.#alerts.splice(0, this.#alerts.length - ALERTS_SHOWN);
    if (this.#output.terminal) {
      this.redraw();
    } else {
      this.#output.line(line);
    }
  }

  redraw(): void {
    if (!this.#output.terminal || this.#output.json || this.#shown === undefined) {
      return;
    }
    const { colours } = this.#output;
    const { health, at } = this.#shown;
    const roundAgeMs = health.roundAgeMs === null ? null : health.roundAgeMs + (performance.now() - at);
    const alerts = this.#alerts.length === 0 ? [colours.dim("  none since this began")] : this.#alerts;
    const picture = [
      drawHealth({ ...health, roundAgeMs }, this.#cluster, colours),
      "",
      colours.bold("alerts"),
      ...alerts,
      "",
      colours.dim("Ctrl-C ends this view"),
    ];
    process.stdout.write(`${CLEAR_SCREEN}${picture.join("\n")}\n`);
  }

  /** With `--json` what is published goes out as it came. */
  #passOn({ subject }: IncomingMessage, body: unknown): boolean {
    if (this.#output.json) {
      this.#output.line(JSON.stringify({ subject, message: body }));
    }
    return this.#output.json;
  }

  /** One node's view at a time, so that the picture does not flicker between several. */
  #follows(node: string): boolean {
    if (this.#from !== undefined || this.#shown === undefined) {
      return this.#from === undefined || node === this.#from;
    }
    const silentMs = performance.now() - this.#shown.at;
    return this.#orphaned || node === this.#shown.health.node || silentMs > ROUNDS_WAITED * this.#intervalMs;
  }
}

interface Read<T> {
  readonly body: unknown;
  readonly value: T;
}

function read<T>(message: IncomingMessage, schema: Schema<T>): Read<T> | undefined {
  let body: unknown;
  try {
    body = JSON.parse(Buffer.from(message.payload).toString("utf8"));
  } catch {
    return undefined; // anyone may publish there; what is no JSON is not a health message
  }
  const result = schema["~standard"].validate(body);
  return result instanceof Promise || result.issues !== undefined ? undefined : { body, value: result.value };
}

function roundLine(health: ClusterHealth, colours: Colours): string {
  const nodes = health.nodes.map((each) => `${printable(each.node)} ${status(each.status, colours)}`);
  return `round of ${printable(health.node)}: ${status(health.status, colours)} (${nodes.join(", ")})`;
}

function clockTime(): string {
  return new Date().toTimeString().slice(0, 8);
}
