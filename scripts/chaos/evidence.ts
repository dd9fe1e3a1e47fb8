/** The folder of a chaos run: nodes' data and logs while it runs, and what is kept of it when something is wrong. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Recorded } from "./history.ts";

const PREFIX = "supercast-chaos-";

export class Evidence {
  readonly folder: string;
  readonly #events: string[] = [];
  readonly #startedAt = performance.now();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<Evidence> {
    return new Evidence(await mkdtemp(join(tmpdir(), PREFIX)));
  }

  /** What the run did, for `events.log`, with the time since it began. Returns the line. */
  note(text: string): string {
    const line = `${((performance.now() - this.#startedAt) / 1_000).toFixed(3).padStart(9)} ${text}`;
    this.#events.push(line);
    return line;
  }

  /**
   * Writes the events, the settings with the findings, and the history, one operation in each line; the nodes' logs
   * and data are there already.
   */
  async keep(summary: unknown, records: readonly Recorded[]): Promise<void> {
    await writeFile(join(this.folder, "events.log"), `${this.#events.join("\n")}\n`);
    await writeFile(join(this.folder, "summary.json"), `${JSON.stringify(summary, null, 2)}\n`);
    const history = records.map((record) => JSON.stringify(record)).join("\n");
    await writeFile(join(this.folder, "history.jsonl"), `${history}\n`);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The logs of the nodes, as far as there are any. */
  async logs(): Promise<readonly string[]> {
    const entries = await readdir(this.folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(this.folder, name, "node.log"));
  }
}
