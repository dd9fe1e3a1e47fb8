/** Bugs of the replicated state, its snapshots, and the journal. */
import type { Bug } from "../bug.ts";

const CUT = "lib/stream/snapshot-cut.ts";
const STAGE = "lib/stream/snapshot-stage.ts";
const STAGE_SPEC = { kind: "spec", file: "spec/stream/snapshot-stage.spec.ts" } as const;

export const STATE_BUGS: readonly Bug[] = [
  {
    id: 25,
    title: "lets a snapshot out before its end",
    why: "the state in use is replaced by one that lacks what was committed while it was cut",
    patches: [
      {
        file: STAGE,
        find: "        this.#takeClients(fields);\n        break;\n",
        replace:
          "        this.#takeClients(fields);\n        this.#content = { table: this.#table, clients: this.#clients, position: this.#at() };\n        break;\n",
      },
    ],
    detector: STAGE_SPEC,
    seeds: 1,
    quick: true,
  },
  {
    id: 26,
    title: "cuts a snapshot without the requests that were answered",
    why: "who has its state from a snapshot executes a repeated request again",
    patches: [
      {
        file: CUT,
        find: '    this.#phase = "clients";\n',
        replace: "    this.#close();\n",
      },
      {
        file: CUT,
        find: "table.size, clients.size, stateHash()]",
        replace: "table.size, clients.size - clients.size, table.hash.with(new StateHash())]",
      },
      {
        file: CUT,
        find: 'import type { Table } from "./table.ts";\n',
        replace: 'import { StateHash } from "./state-hash.ts";\nimport type { Table } from "./table.ts";\n',
      },
      {
        file: STAGE,
        find: "    this.#replayClients(rows, entry);\n",
        replace: "",
      },
    ],
    detector: STAGE_SPEC,
    seeds: 1,
    quick: false,
  },
  {
    id: 27,
    title: "cuts records without the seq of their last change",
    why: "effects on a record that was cut late are done to it again",
    patches: [
      {
        file: CUT,
        find: "        fields.push(key, record.value, record.seq);\n",
        replace: "        fields.push(key, record.value, this.#start.seq);\n",
      },
    ],
    detector: STAGE_SPEC,
    seeds: 1,
    quick: false,
  },
  {
    id: 28,
    title: "forgets deletions before the snapshot has ended",
    why: "a key that was cut and deleted afterwards is back at the receiver",
    patches: [
      {
        file: STAGE,
        find: "      if (cutSeq < entry.seq) {\n",
        replace: '      if (cutSeq < entry.seq && !("deleted" in change)) {\n',
      },
    ],
    detector: STAGE_SPEC,
    seeds: 1,
    quick: false,
  },
  {
    id: 32,
    title: "cuts the log at damage in its middle",
    why: "everything behind one bad sector is thrown away, though it had been synced and acknowledged",
    patches: [
      {
        file: "lib/journal/tail.ts",
        find: '    when: (facts) => facts.laterSyncedLsn > facts.lsn,\n    verdict: "damaged",\n',
        replace: '    when: (facts) => facts.laterSyncedLsn > facts.lsn,\n    verdict: "torn",\n',
      },
    ],
    detector: { kind: "spec", file: "spec/journal/recovery.spec.ts" },
    seeds: 1,
    quick: false,
  },
  {
    id: 33,
    title: "tries a failed sync again",
    why: "the second sync says yes about pages that the first one has dropped",
    patches: [
      {
        file: "lib/journal/log-writer.ts",
        find: "        await this.#store.sync();\n      } catch (thrown) {\n        this.fail(thrown);\n        return;\n      }\n",
        replace:
          "        await this.#store.sync();\n      } catch (thrown) {\n        if (!(thrown instanceof DiskError)) {\n          this.fail(thrown);\n          return;\n        }\n        await this.#store.sync();\n      }\n",
      },
      {
        file: "lib/journal/log-writer.ts",
        find: "        await this.#store.writeExtent(extent, batch.bytes, durably);\n",
        replace:
          "        await this.#store\n          .writeExtent(extent, batch.bytes, durably)\n          .catch(() => this.#store.writeExtent(extent, batch.bytes, durably));\n",
      },
    ],
    detector: { kind: "spec", file: "spec/journal/failure.spec.ts" },
    seeds: 1,
    quick: true,
  },
  {
    id: 34,
    title: "does not sync the folder after a rename",
    why: "after a power cut the file bears its old name, or none",
    patches: [
      {
        file: "lib/journal/segment-store.ts",
        find: "    await this.#disk.rename(joinPath(this.#folder, DRAFT_NAME), segment.path);\n    await this.#disk.syncFolder(this.#folder);\n",
        replace: "    await this.#disk.rename(joinPath(this.#folder, DRAFT_NAME), segment.path);\n",
      },
    ],
    detector: { kind: "spec", file: "spec/journal/model.spec.ts" },
    seeds: 1,
    quick: false,
  },
  {
    id: 35,
    title: "forgets a client that still repeats a request",
    why: "the repeated request takes effect a second time",
    patches: [
      {
        file: "lib/stream/client-table.ts",
        find: "    if (client !== undefined && client.lastSeq <= idleSinceSeq) {\n",
        replace: "    if (client !== undefined) {\n",
      },
    ],
    detector: { kind: "spec", file: "spec/stream/replicated-state.spec.ts" },
    seeds: 1,
    quick: true,
  },
];
