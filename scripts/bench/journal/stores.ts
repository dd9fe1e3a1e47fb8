/** What a Node user would take instead of a journal, as far as it is used here. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { cloneFolder } from "../peers.ts";

/** One durable insert or put of a record under the next key. */
export interface Store {
  put(key: string, value: Uint8Array): void | Promise<void>;
  close(): void | Promise<void>;
}

export const SQLITE_SETTINGS =
  "better-sqlite3 12, WAL, synchronous=FULL, one prepared insert per transaction";
export const LEVEL_SETTINGS = "classic-level 3, put with sync: true";
export const SQLITE_MISSING = "better-sqlite3 is not installed or was not built";
export const LEVEL_MISSING = "classic-level is not installed";

interface Statement {
  run(...values: unknown[]): unknown;
}

interface Database {
  pragma(text: string): unknown;
  exec(text: string): unknown;
  prepare(text: string): Statement;
  close(): unknown;
}

type DatabaseClass = new (path: string) => Database;

interface Level {
  open(): Promise<void>;
  put(key: string, value: Uint8Array, options: { readonly sync: boolean }): Promise<void>;
  close(): Promise<void>;
}

type LevelClass = new (path: string, options: { readonly valueEncoding: "view" }) => Level;

function load(name: string): unknown {
  try {
    const loaded: unknown = createRequire(join(cloneFolder(), "scripts/bench/package.json"))(name);
    return loaded;
  } catch {
    // The row then says why it is not there.
    return null;
  }
}

function isDatabaseClass(value: unknown): value is DatabaseClass {
  return typeof value === "function";
}

function isLevelClass(value: unknown): value is LevelClass {
  return typeof value === "function";
}

/** SQLite in `folder`, or null where it cannot be had. */
export function openSqlite(folder: string): Store | null {
  const loaded = load("better-sqlite3");
  if (!isDatabaseClass(loaded)) {
    return null;
  }
  const database = new loaded(join(folder, "sqlite.db"));
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.exec("CREATE TABLE records (key TEXT PRIMARY KEY, value BLOB)");
  const insert = database.prepare("INSERT INTO records VALUES (?, ?)");
  return {
    put: (key, value) => {
      insert.run(key, value);
    },
    close: () => {
      database.close();
    },
  };
}

/** LevelDB in `folder`, or null where it cannot be had. */
export async function openLevel(folder: string): Promise<Store | null> {
  const loaded = load("classic-level");
  const Level =
    typeof loaded === "object" && loaded !== null && "ClassicLevel" in loaded ? loaded.ClassicLevel : null;
  if (!isLevelClass(Level)) {
    return null;
  }
  const level = new Level(join(folder, "level"), { valueEncoding: "view" });
  await level.open();
  return {
    put: (key, value) => level.put(key, value, { sync: true }),
    close: () => level.close(),
  };
}
