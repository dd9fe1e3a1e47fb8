/**
 * What a node with a disk keeps of the cluster it belongs to: one small JSON file beside the journal.
 *
 * A new one takes the old one's place in one rename, so there is always a whole one. A node that has lost its
 * journal still knows from it which cluster it belongs to, and never helps to found another.
 */
import { SupercastError } from "../base/errors.ts";
import { type Disk, DiskError, joinPath } from "../disk/disk.ts";
import { type Kept, keptSchema } from "./bootstrap-messages.ts";

const NAME = "cluster.json";
const VERSION = 1;

export class KeptFile {
  readonly #disk: Disk;
  readonly #folder: string;
  /** Saves, one after the other. */
  #saving: Promise<void> = Promise.resolve();

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  /** Null when there is none. Rejects with `config_mismatch` for one that cannot be read. */
  async load(): Promise<Kept | null> {
    const path = joinPath(this.#folder, NAME);
    let text: string;
    try {
      text = await this.#read(path);
    } catch (thrown) {
      if (thrown instanceof DiskError && thrown.code === "not_found") {
        return null;
      }
      throw thrown;
    }
    const parsed = keptSchema.safeParse(keptOf(text));
    if (!parsed.success) {
      const text = `${path} is not in a form that is known here: it tells to which cluster this node's data belongs`;
      throw new SupercastError("config_mismatch", text);
    }
    return parsed.data;
  }

  /** Durable when it resolves. */
  save(kept: Kept): Promise<void> {
    this.#saving = this.#saving.catch(() => undefined).then(() => this.#replace(kept));
    return this.#saving;
  }

  async #read(path: string): Promise<string> {
    const file = await this.#disk.open(path, "read");
    try {
      const bytes = new Uint8Array(await file.size());
      const count = await file.read(bytes, 0);
      return new TextDecoder().decode(bytes.subarray(0, count));
    } finally {
      await file.close();
    }
  }

  async #replace(kept: Kept): Promise<void> {
    const path = joinPath(this.#folder, NAME);
    const fresh = `${path}.new`;
    await this.#removeLeftover(fresh);
    const file = await this.#disk.open(fresh, "create");
    try {
      await file.write(new TextEncoder().encode(`${JSON.stringify({ version: VERSION, kept })}\n`), 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#disk.rename(fresh, path);
    await this.#disk.syncFolder(this.#folder);
  }

  /** Of a save that was cut short. */
  async #removeLeftover(path: string): Promise<void> {
    try {
      await this.#disk.remove(path);
    } catch (thrown) {
      if (!(thrown instanceof DiskError && thrown.code === "not_found")) {
        throw thrown;
      }
    }
  }
}

/** Undefined for anything else, which the schema refuses. */
function keptOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    const fields: { readonly version?: unknown; readonly kept?: unknown } =
      typeof value === "object" && value !== null ? value : {};
    return fields.version === VERSION ? fields.kept : undefined;
  } catch {
    return undefined; // no JSON at all
  }
}
