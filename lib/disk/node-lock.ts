/**
 * The lock file of a folder. Node has no `flock`, so the lock is advisory: a file that names its owner
 * by pid, start time of that process and boot id, made by `link`, which either creates it with its whole
 * content or fails. A lock is stale when the machine has started anew since, when no process has that
 * pid, or when the process that has it started at another time.
 */
import { randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import { DiskError, type DiskLock, folderOf } from "./disk.ts";
import { diskError } from "./node-error.ts";

interface Owner {
  readonly pid: number;
  readonly startedAt: string;
  readonly bootId: string;
  readonly token: string;
}

/** Tokens of the locks this very process holds: its own pid in a file proves nothing in a container. */
const held = new Set<string>();

const ATTEMPTS_MAX = 8;

export async function takeLock(path: string, bootId: string): Promise<DiskLock> {
  const token = randomBytes(8).toString("hex");
  const owner: Owner = { pid: process.pid, startedAt: await startOf(process.pid), bootId, token };
  const draft = `${path}.${token}`;
  try {
    await writeSynced(draft, JSON.stringify(owner));
    for (let attempts = 0; attempts < ATTEMPTS_MAX; attempts++) {
      if (await linked(draft, path)) {
        held.add(token);
        await syncFolder(path);
        return { release: () => release(path, token) };
      }
      await clearStale(path, bootId, token);
    }
  } catch (thrown) {
    throw diskError(thrown, path);
  } finally {
    await fs.rm(draft, { force: true });
  }
  throw new DiskError("locked", path, "is contended by other processes");
}

/** Removes the lock at `path` when its owner is gone; throws `locked` when it is not. */
async function clearStale(path: string, bootId: string, token: string): Promise<void> {
  const text = await readOrNull(path);
  if (text === null) {
    return;
  }
  const owner = parseOwner(text);
  if (owner !== null && (await lives(owner, bootId))) {
    throw new DiskError("locked", path, `is held by process ${owner.pid}`);
  }
  // Renamed before it is removed: of two processes that saw the same stale lock one gets the file, and
  // whoever then finds something else in its hands has met a fresh lock and puts it back.
  const aside = `${path}.${token}.stale`;
  try {
    await fs.rename(path, aside);
  } catch (thrown) {
    if (diskError(thrown, path).code === "not_found") {
      return;
    }
    throw thrown;
  }
  if ((await readOrNull(aside)) !== text) {
    await linked(aside, path);
  }
  await fs.rm(aside, { force: true });
}

async function lives(owner: Owner, bootId: string): Promise<boolean> {
  if (owner.bootId !== bootId) {
    return false;
  }
  if (owner.pid === process.pid) {
    return held.has(owner.token);
  }
  try {
    process.kill(owner.pid, 0);
  } catch (thrown) {
    // EPERM: there is such a process and it belongs to someone else.
    return diskError(thrown, String(owner.pid)).code === "denied";
  }
  return owner.startedAt === (await startOf(owner.pid));
}

/** When the process started, in clock ticks since boot; empty where the system does not tell. */
async function startOf(pid: number): Promise<string> {
  const text = await readOrNull(`/proc/${pid}/stat`);
  // The second field is the command in parentheses and may hold spaces; field 22 is the start time.
  return text?.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

async function release(path: string, token: string): Promise<void> {
  if (!held.delete(token)) {
    return;
  }
  const owner = parseOwner((await readOrNull(path)) ?? "");
  if (owner?.token === token) {
    await fs.rm(path, { force: true });
    await syncFolder(path);
  }
}

function parseOwner(text: string): Owner | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) {
    return null;
  }
  const { pid, startedAt, bootId, token } = { pid: 0, startedAt: "", bootId: "", token: "", ...value };
  const sound =
    Number.isInteger(pid) && pid > 0 && [startedAt, bootId, token].every((it) => typeof it === "string");
  return sound ? { pid, startedAt, bootId, token } : null;
}

async function readOrNull(path: string): Promise<string | null> {
  try {
    return await fs.readFile(path, "utf8");
  } catch (thrown) {
    const error = diskError(thrown, path);
    // ESRCH: the process ended while its entry under /proc was being read.
    if (error.code === "not_found" || error.message.includes("ESRCH")) {
      return null;
    }
    throw error;
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await fs.link(from, to);
    return true;
  } catch (thrown) {
    if (diskError(thrown, to).code === "exists") {
      return false;
    }
    throw thrown;
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const handle = await fs.open(path, "wx");
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await fs.open(folderOf(path), "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
