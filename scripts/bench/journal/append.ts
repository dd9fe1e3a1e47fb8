/** Durable appends, by one writer and by 64, and appends without a sync. */
import { fdatasyncSync, writeSync } from "node:fs";
import type { Journal } from "../../../lib/journal/journal.ts";
import { type Contender, interleave, rate } from "../rounds.ts";
import { atLeast, atMost, quantile } from "../statistics.ts";
import type { Bench, Context, Samples } from "../suite.ts";
import { inPlace, openBenchJournal, PAGE_BYTES, positions, preallocated, RECORD } from "./place.ts";
import {
  LEVEL_MISSING,
  LEVEL_SETTINGS,
  openLevel,
  openSqlite,
  SQLITE_MISSING,
  SQLITE_SETTINGS,
  type Store,
} from "./stores.ts";

const ONE_BY_ONE = 200;
const WRITERS = 64;
const BATCH = 100;
const BARE = "bare write + fdatasync";
const BARE_SYNC = "bare write + fdatasync, blocking";
const BARE_WRITE = "bare write";
const SQLITE = "better-sqlite3";
const LEVEL = "classic-level";
const BARE_SETTINGS =
  "4 KiB into a file of 64 MiB filled with zeros, FileHandle.write and FileHandle.datasync awaited";

/** The median of many operations awaited one by one, in microseconds. */
function oneByOne(name: string, operation: () => unknown): Contender {
  return {
    name,
    round: async () => {
      const took: number[] = [];
      for (let count = 0; count < ONE_BY_ONE; count++) {
        const start = performance.now();
        await operation();
        took.push((performance.now() - start) * 1_000);
      }
      return quantile(took, 0.5);
    },
  };
}

/** Operations per second with `writers` of them under way at any time. */
function side(name: string, writers: number, operation: () => unknown): Contender {
  const step = async (): Promise<void> => {
    await Promise.all(
      Array.from({ length: writers }, async () => {
        for (let count = 0; count < 20; count++) {
          await operation();
        }
      }),
    );
  };
  return { name, round: () => rate(writers * 20, step) };
}

interface Peers {
  readonly bare: () => Promise<unknown>;
  readonly blocking: () => void;
  readonly stores: readonly { readonly name: string; readonly put: () => unknown }[];
}

/** Opens journal and peers, hands them to `work`, closes them. */
function compare(work: (context: Context, journal: Journal, peers: Peers) => Promise<Samples>): Bench["run"] {
  return (context) =>
    inPlace(context, async (folder) => {
      const journal = await openBenchJournal(folder, "batch");
      const file = await preallocated(folder);
      const page = Buffer.alloc(PAGE_BYTES, 0x61);
      const next = positions(PAGE_BYTES);
      const opened: [string, Store | null][] = [
        [SQLITE, openSqlite(folder)],
        [LEVEL, await openLevel(folder)],
      ];
      let key = 0;
      const stores = opened.flatMap(([name, store]) =>
        store === null ? [] : [{ name, put: () => store.put(String(++key).padStart(12, "0"), RECORD) }],
      );
      const bare = async (): Promise<void> => {
        await file.write(page, 0, PAGE_BYTES, next());
        await file.datasync();
      };
      const blocking = (): void => {
        writeSync(file.fd, page, 0, PAGE_BYTES, next());
        fdatasyncSync(file.fd);
      };
      const samples = await work(context, journal, { bare, blocking, stores });
      for (const [, store] of opened) {
        await store?.close();
      }
      await file.close();
      await journal.close();
      return samples;
    });
}

const OURS = "sync batch, 100-byte records, segments of 64 MiB";

export const APPEND_ONE: Bench = {
  name: "append-one",
  measure: "durable append, one writer, p50",
  unit: "µs",
  settings: OURS,
  baselines: [
    { name: BARE, settings: BARE_SETTINGS, target: atMost(1.6) },
    { name: BARE_SYNC, settings: "the same with writeSync and fdatasyncSync, which block the event loop" },
    { name: SQLITE, settings: SQLITE_SETTINGS, optional: SQLITE_MISSING },
    { name: LEVEL, settings: LEVEL_SETTINGS, optional: LEVEL_MISSING },
  ],
  run: compare((context, journal, { bare, blocking, stores }) =>
    interleave(
      context,
      oneByOne("ours", () => journal.append(RECORD)),
      [
        oneByOne(BARE, bare),
        oneByOne(BARE_SYNC, blocking),
        ...stores.map(({ name, put }) => oneByOne(name, put)),
      ],
    ),
  ),
};

export const APPEND_MANY: Bench = {
  name: "append-64",
  measure: "durable append, 64 writers",
  unit: "appends/s",
  settings: OURS,
  baselines: [
    { name: BARE, settings: `one writer, ${BARE_SETTINGS}`, target: atLeast(16) },
    {
      name: SQLITE,
      settings: `${SQLITE_SETTINGS}; it is synchronous, so that writers take turns`,
      optional: SQLITE_MISSING,
    },
    { name: LEVEL, settings: `${LEVEL_SETTINGS}, 64 writers`, optional: LEVEL_MISSING },
  ],
  run: compare((context, journal, { bare, stores }) =>
    interleave(
      context,
      side("ours", WRITERS, () => journal.append(RECORD)),
      [side(BARE, 1, bare), ...stores.map(({ name, put }) => side(name, WRITERS, put))],
    ),
  ),
};

export const APPEND_UNSYNCED: Bench = {
  name: "append-unsynced",
  measure: "append without sync, 100-byte records, batches of 100",
  unit: "records/s",
  settings: "sync none, 100-byte records, one append of 100 awaited after the other",
  baselines: [
    {
      name: BARE_WRITE,
      settings: "100 bytes per write, FileHandle.write awaited, into a file of 64 MiB filled with zeros",
      target: atLeast(12),
    },
  ],
  run: (context) =>
    inPlace(context, async (folder) => {
      const journal = await openBenchJournal(folder, "none");
      const file = await preallocated(folder);
      const next = positions(RECORD.length);
      const batch = Array.from({ length: BATCH }, () => RECORD);
      const ours = {
        name: "ours",
        round: () =>
          rate(BATCH, async () => {
            await journal.append(batch);
          }),
      };
      const write = async (): Promise<void> => {
        await file.write(RECORD, 0, RECORD.length, next());
      };
      const samples = await interleave(context, ours, [{ name: BARE_WRITE, round: () => rate(1, write) }]);
      await file.close();
      await journal.close();
      return samples;
    }),
};
