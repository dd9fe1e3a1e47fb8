/** What the suite `commit` is made of, and that it measures what the table asks for. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { SupercastError } from "../../lib/base/errors.ts";
import { type Child, endChild, forkChild } from "../../scripts/bench/child.ts";
import { Questions } from "../../scripts/bench/commit/commands.ts";
import { runCallers, sharedNowMs } from "../../scripts/bench/commit/load.ts";
import { Paced } from "../../scripts/bench/commit/paced.ts";
import { COMMIT } from "../../scripts/bench/commit.ts";
import { freePorts, type RunningServer, startServer, until } from "../../scripts/bench/servers.ts";

/** Measure, baseline and what is demanded of their ratio; null where nothing is. */
const TABLE: readonly (readonly [string, string, string | null])[] = [
  ["strong, memory, one writer, p50", "nc.request", "atMost 0.95"],
  ["strong, memory, 64 callers on the writer's node", "Redis SET + WAIT 1", "atLeast 2.5"],
  ["strong, memory, 64 callers on the writer's node", "JetStream KV R3 memory", "atLeast 4"],
  ["strong, memory, 256 callers", "Redis SET + WAIT 1", "atLeast 3.5"],
  ["our 3PC, one writer, p50", "three request rounds to two replicas", "atMost 1.3"],
  ["WAL against our own 3PC, one writer, p50", "own 3PC", "atMost 0.5"],
  ["WAL against our own 3PC, rate at 64 writers", "own 3PC", null],
  ["strong, disk, one writer, p50", "round trip + 2 x fdatasync", "atMost 1"],
  ["strong, disk, one writer, p50", "round trip + 2 x fdatasync, blocking", null],
  ["strong, disk, 64 callers", "etcd", "atLeast 8"],
  ["strong, disk, 64 callers", "JetStream KV R3 file", null],
  ["async, one writer, p50", "strong", "atMost 0.1"],
  ["async, 64 callers, counted until every replica holds the last write", "strong", "atLeast 1.3"],
  [
    "failover after SIGKILL of a writer, p50 of 20, from the kill to the next committed write",
    "heartbeat interval",
    "atMost 10",
  ],
  [
    "catch-up of a restarted replica, 1 million distinct keys behind, writes going on at 50 % of peak, memory",
    "writing them at peak",
    "atMost 3",
  ],
  [
    "catch-up of a restarted replica, 1 million distinct keys behind, writes going on at 50 % of peak, disk",
    "writing them at peak",
    "atMost 3",
  ],
  ["memory: heapUsed after gc in minute 5 of a steady load on a fixed key set", "minute 1", "atMost 1.1"],
];

describe("the bench of commits", () => {
  it("has every row of its table, with its target", () => {
    const rows = COMMIT.benches.flatMap(({ measure, baselines }) =>
      baselines.map(({ name, target }) => [
        measure,
        name,
        target === undefined ? null : `${target.bound} ${target.ratio}`,
      ]),
    );
    expect(rows).to.deep.equal(TABLE);
  });

  describe("callers", () => {
    it("have one write under way each, and no two of them the same key", async () => {
      const under = new Map<number, number>();
      const most: number[] = [];
      const { done, tookMs } = await runCallers(4, 20, async (caller, n) => {
        expect(under.has(caller)).to.equal(false);
        expect([...under.values()]).to.not.include(n);
        under.set(caller, n);
        most.push(under.size);
        await new Promise((turn) => setImmediate(turn));
        under.delete(caller);
      });
      expect(done).to.equal(most.length);
      expect(Math.max(...most)).to.equal(4);
      expect(tookMs).to.be.at.least(20);
    });
  });

  describe("paced writes", () => {
    it("go on while others fail, which are counted by their code", async () => {
      let count = 0;
      const paced = new Paced(1_000, () => {
        count += 1;
        return count % 2 === 0 ? Promise.resolve() : Promise.reject(new SupercastError("overload", "no"));
      });
      await paced.firstAfter(0);
      await paced.firstAfter(sharedNowMs());
      const { begun, failed } = await paced.end();
      expect(begun).to.equal(count);
      expect(failed).to.deep.equal({ overload: Math.ceil(count / 2) });
    });

    it("count only what began after the time in question", async () => {
      const release: (() => void)[] = [];
      const paced = new Paced(500, () => new Promise<void>((resolve) => release.push(resolve)));
      await until("a write is under way", () => Promise.resolve(release.length > 0 ? true : undefined));
      const atMs = sharedNowMs();
      const before = release.splice(0);
      const first = paced.firstAfter(atMs);
      let told = false;
      const tell = first.then(() => {
        told = true;
      });
      for (const answer of before) {
        answer();
      }
      await new Promise((turn) => setImmediate(turn));
      expect(told).to.equal(false);
      await until("a later write is under way", () => Promise.resolve(release.length > 0 ? true : undefined));
      for (const answer of release) {
        answer();
      }
      await tell;
      expect(await first).to.be.above(atMs);
      const ended = paced.end();
      for (const answer of release) {
        answer();
      }
      await ended;
    });
  });

  describe("questions to the process of a node", () => {
    let child: Child;
    let questions: Questions;

    beforeEach(async () => {
      child = forkChild(fileURLToPath(new URL("../support/answering-child.ts", import.meta.url)), null);
      questions = new Questions(child.process);
      await child.result;
    });

    afterEach(() => endChild(child.process));

    it("are answered, with an error where there is one", async () => {
      const refused = questions.ask({ type: "holds", seq: 5 }).then(
        () => "answered",
        (error: Error) => error.message,
      );
      expect(await questions.ask({ type: "heap" })).to.equal(17);
      expect(await refused).to.equal("no position 5");
    });

    it("fail when it ends", async () => {
      const gone = once(child.process, "exit");
      const error = await questions.ask({ type: "exit" }).then(
        () => "answered",
        (thrown: Error) => thrown.message,
      );
      expect(error).to.equal("the process of the node ended with code 3");
      await gone;
    });
  });

  describe("servers of others", () => {
    const executable = (path: string) => ({ path, env: process.env, version: "" });
    const end = (server: RunningServer): string | undefined => {
      try {
        server.check();
        return undefined;
      } catch (thrown) {
        return thrown instanceof Error ? thrown.message : String(thrown);
      }
    };

    it("run until they are stopped", async () => {
      const server = startServer(executable("/bin/sleep"), ["1000"], "/");
      expect(end(server)).to.equal(undefined);
      await server.stop();
      expect(end(server)).to.match(/^\/bin\/sleep: it ended with SIGKILL/);
    });

    it("say what they said when they end by themselves", async () => {
      const server = startServer(executable("/bin/sh"), ["-c", "echo no such option >&2; exit 7"], "/");
      const said = await until("the end", () => Promise.resolve(end(server)));
      expect(said).to.equal("/bin/sh: it ended with code 7: no such option");
      await server.stop();
    });

    it("are waited for no longer than that, and the last reason is told", async () => {
      const refuse = (): Promise<undefined> => Promise.reject(new Error("connection refused"));
      const error = await until("an answer", refuse, 120).then(
        () => "answered",
        (thrown: Error) => thrown.message,
      );
      expect(error).to.equal("an answer: not after 120 ms: connection refused");
    });

    it("get ports that differ", async () => {
      const ports = await freePorts(6);
      expect(new Set(ports).size).to.equal(6);
      expect(Math.min(...ports)).to.be.above(1_023);
    });
  });
});
