/** The steps of the tour. Each shows what it does and throws when something is not as it should be. */
import { healthMonitorProtocol } from "../../actors/health-protocol.ts";
import { nodeMonitorProtocol } from "../../actors/node-monitor.ts";
import type { Client } from "../../lib/cli/client.ts";
import { drawHealth } from "../../lib/cli/health-view.ts";
import { count, duration } from "../../lib/cli/output.ts";
import { drawTree, treeOf } from "../../lib/cli/tree-command.ts";
import { CLUSTER, NODES, type TourCluster } from "./cluster.ts";
import { type Corpus, readCorpus } from "./corpus.ts";
import { type AlertNews, Awaited, listen, type NodeNews } from "./events.ts";
import { difference, Job } from "./job.ts";
import { allSeeAll, liveNodes, megabytes, Progress, restartsIn, round, sum, until } from "./questions.ts";
import { summarize, type TourResult } from "./result.ts";
import type { Stage } from "./stage.ts";
import { countWords, WORKERS } from "./word-count.ts";

/** How long the count takes at least: slow enough to watch, or, where nobody watches, for faults to fall into it. */
const WATCHED_MS = 8_000;
const UNWATCHED_MS = 1_500;
const CRASH_AT = 0.2;
/** With the pace for watchers the nodes have by then been connected long enough to believe "no responders". */
const KILL_AT = 0.65;
const EVENT_DEADLINE_MS = 15_000;
const CRASHING = "b";
const KILLED = "c";

export class Tour {
  readonly #stage: Stage;
  readonly #startedAt = performance.now();
  readonly #nodes = new Awaited<NodeNews>();
  readonly #alerts = new Awaited<AlertNews>();
  #where = "";

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** The step under way, for the message when it fails. */
  get where(): string {
    return JSON.stringify(this.#where);
  }

  async step<T>(title: string, run: () => Promise<T>): Promise<T> {
    this.#where = title;
    this.#stage.title(title);
    return run();
  }

  async run(cluster: TourCluster): Promise<TourResult> {
    const { client } = cluster;
    const stop = listen(client, {
      onNode: (news) => this.#nodes.receive(news),
      onAlert: (news) => this.#alerts.receive(news),
    });
    this.#showNodes(cluster);
    const corpus = await this.step("Workers under supervision", () => this.#showWorkers(client));
    const faults = await this.step("A word count, with faults", () => this.#countWithFaults(cluster, corpus));
    const words = await this.step("The result", () => this.#compare(corpus, faults.job));
    const recovery = await this.step("Recovery", () => this.#recover(cluster));
    const liveNodes = await this.step("NodeMonitor, reconfigured live", () => this.#reconfigure(client));
    const fullSpeed = await this.step("The same count at full speed", () =>
      this.#fullSpeed(client, corpus, words.total),
    );
    stop();
    const result: TourResult = {
      mode: cluster.servers === undefined ? "in-process" : "processes",
      servers: cluster.servers ?? null,
      input: { files: corpus.files, bytes: corpus.bytes, pieces: corpus.pieces.length },
      words,
      crash: faults.crash,
      kill: faults.kill,
      recovery,
      liveNodes,
      fullSpeed,
      seconds: round((performance.now() - this.#startedAt) / 1000, 1),
    };
    summarize(result, this.#stage);
    return result;
  }

  // --- 1 and 2: what there is -----------------------------------------------------------------------

  #showNodes(cluster: TourCluster): void {
    const { green, bold } = this.#stage.colours;
    if (cluster.servers !== undefined) {
      this.#stage.done(`nats-server with JetStream at ${bold(cluster.servers)}`);
    }
    for (const name of NODES) {
      this.#stage.done(`node ${bold(name)} ${green("up")}, ${cluster.describe(name)}`);
    }
    this.#stage.done("every node sees every other");
  }

  async #showWorkers(client: Client): Promise<Corpus> {
    const [corpus, tree] = await Promise.all([readCorpus(), treeOf(client, NODES[0])]);
    this.#stage.say(`   Each node has this tree; ${WORKERS.join(" and ")} count words.\n`);
    this.#stage.picture(drawTree(tree, this.#stage.colours));
    return corpus;
  }

  // --- 3: work and faults ---------------------------------------------------------------------------

  async #countWithFaults(
    cluster: TourCluster,
    corpus: Corpus,
  ): Promise<{ job: Job; crash: TourResult["crash"]; kill: TourResult["kill"] }> {
    const { client } = cluster;
    const stage = this.#stage;
    const total = corpus.pieces.length;
    const paceMs = stage.watched ? WATCHED_MS : UNWATCHED_MS;
    stage.say(
      `   ${count(corpus.files)} licences, readmes and the like from node_modules, ${megabytes(corpus.bytes)} MB,\n` +
        `   in ${total} pieces for ${NODES.length * WORKERS.length} workers; slowed down to ${duration(paceMs)}\n`,
    );
    const job = new Job({
      client,
      nodes: NODES,
      pieces: corpus.pieces,
      piecesPerSecond: total / (paceMs / 1000),
      onProgress: (done) => {
        stage.progress(done);
        reached.receive(done / total);
      },
    });
    const reached = new Progress();
    stage.startBar(total, "pieces");
    const running = job.run();
    const crash = reached.at(CRASH_AT).then(() => this.#crashWorker(client, job));
    const kill = reached.at(KILL_AT).then(() => this.#killNode(cluster, job));
    const [, crashed, killed] = await Promise.all([running, crash, kill]);
    stage.endBar();
    return { job, crash: crashed, kill: killed };
  }

  async #crashWorker(client: Client, job: Job): Promise<TourResult["crash"]> {
    const before = restartsIn((await treeOf(client, CRASHING)).tree);
    const requeued = await job.crashWorker(CRASHING);
    this.#stage.bad(`a worker at ${CRASHING} was told to crash; its piece went back to the queue`);
    const restarts = await until("the supervisor restarts the worker", async () => {
      const now = restartsIn((await treeOf(client, CRASHING)).tree) - before;
      return now > 0 ? now : undefined;
    });
    if (!requeued || restarts !== 1) {
      throw new Error(
        `one crash led to ${restarts} restarts and ${requeued ? 1 : 0} pieces in the queue again`,
      );
    }
    this.#stage.done(`its supervisor restarted it; restarts: ${restarts}`);
    return { node: CRASHING, restarts, requeued: 1 };
  }

  async #killNode(cluster: TourCluster, job: Job): Promise<TourResult["kill"]> {
    const stage = this.#stage;
    const about = (news: { readonly node: string }): boolean => news.node === KILLED;
    const down = this.#nodes.next(
      `nodeDown of ${KILLED}`,
      (news) => about(news) && news.type === "nodeDown",
      EVENT_DEADLINE_MS,
    );
    const alert = this.#alerts.next(
      `a health alert about ${KILLED}`,
      (news) => about(news) && news.state === "raised" && news.check === "connectivity",
      EVENT_DEADLINE_MS,
    );
    await job.fill(KILLED);
    const killing = cluster.kill(KILLED);
    stage.bad(
      `node ${KILLED} killed${cluster.servers === undefined ? "" : " with SIGKILL"}, ${cluster.describe(KILLED)}`,
    );
    const shownDown = down.then((news) => {
      const requeued = job.nodeDown(KILLED);
      stage.warn(
        `nodeDown ${KILLED} after ${duration(news.afterMs)}, says ${news.by}; ${requeued} pieces go to other nodes`,
      );
      return { nodeDownMs: news.afterMs, requeued };
    });
    const shownAlert = alert.then((news) => {
      stage.warn(`health alert after ${duration(news.afterMs)} on ${news.subject}`);
      stage.note(`  ${news.message} (${news.check}, ${news.severity})`);
      return news.afterMs;
    });
    const [{ nodeDownMs, requeued }, alertMs] = await Promise.all([shownDown, shownAlert, killing]);
    return { node: KILLED, nodeDownMs, alertMs, requeued };
  }

  // --- 4: the result --------------------------------------------------------------------------------

  async #compare(corpus: Corpus, job: Job): Promise<TourResult["words"]> {
    const stage = this.#stage;
    const shares = [...job.byNode].sort().map(([node, pieces]) => `${node} ${pieces}`);
    stage.done(
      `${job.done} pieces counted once each: ${shares.join(", ")}; ${job.requeued} at the second try`,
    );
    const alone = countWords(corpus.texts.join("\n"));
    const differs = difference(job.total, alone);
    if (differs !== undefined) {
      throw new Error(`the cluster's count differs from that of a single process at ${differs}`);
    }
    const total = sum(job.total);
    stage.done(`${count(total)} words, ${count(alone.size)} different ones`);
    stage.done("equal to the count of a single process, word by word");
    const frequent = [...job.total].sort((left, right) => right[1] - left[1]).slice(0, 5);
    stage.note(`most frequent: ${frequent.map(([word, times]) => `${word} ${count(times)}`).join(", ")}`);
    return { total, distinct: alone.size, equalsSingleProcess: true };
  }

  // --- 5: recovery ----------------------------------------------------------------------------------

  async #recover(cluster: TourCluster): Promise<TourResult["recovery"]> {
    const { client } = cluster;
    const stage = this.#stage;
    const up = this.#nodes.next(
      `nodeUp of ${KILLED}`,
      (news) => news.node === KILLED && news.type === "nodeUp",
      EVENT_DEADLINE_MS,
    );
    const cleared = this.#alerts.next(
      `the end of the alert about ${KILLED}`,
      (news) => news.node === KILLED && news.state === "cleared" && news.check === "connectivity",
      EVENT_DEADLINE_MS,
    );
    const [{ afterMs: nodeUpMs, by }, { afterMs: alertClearedMs, subject }] = await Promise.all([
      up,
      cleared,
      cluster.startAgain(KILLED),
    ]);
    stage.done(
      `node ${KILLED} started again, ${cluster.describe(KILLED)}; nodeUp after ${duration(nodeUpMs)}, says ${by}`,
    );
    stage.done(`alert cleared after ${duration(alertClearedMs)} on ${subject}`);
    await until("all nodes see each other again", async () => (await allSeeAll(client)) || undefined);
    const { reply } = healthMonitorProtocol.forceCheck;
    const health = await client.ask(NODES[0], "health_monitor", { type: "forceCheck" }, reply);
    stage.say("");
    stage.picture(drawHealth(health, CLUSTER, stage.colours));
    stage.say("\n   The node with the restarted worker:\n");
    stage.picture(drawTree(await treeOf(client, CRASHING), stage.colours));
    return { nodeUpMs, alertClearedMs };
  }

  // --- 6: NodeMonitor -------------------------------------------------------------------------------

  async #reconfigure(client: Client): Promise<TourResult["liveNodes"]> {
    const [node] = NODES;
    const stage = this.#stage;
    const show = (live: readonly string[], what: string): void => {
      stage.say(
        `   liveNodes at ${node}  ${stage.colours.bold(live.join(" ").padEnd(8))} ${stage.colours.dim(what)}`,
      );
    };
    const before = await liveNodes(client, node);
    show(before, "before");
    const narrowed = await this.#watch(client, node, ["a", "b"]);
    show(narrowed, 'after {"type":"reconfigure","nodes":["a","b"]}');
    const elsewhere = await liveNodes(client, CRASHING);
    const after = await this.#watch(client, node, NODES);
    show(after, 'after {"type":"reconfigure","nodes":["a","b","c"]}');
    if (elsewhere.join() !== NODES.join()) {
      throw new Error(`${CRASHING} was not reconfigured, but its liveNodes became ${elsewhere.join(", ")}`);
    }
    const restarts = restartsIn((await treeOf(client, node)).tree);
    if (restarts !== 0) {
      throw new Error(`reconfiguring ${node} cost ${restarts} restarts`);
    }
    stage.done(`nothing was restarted; ${CRASHING} went on with its own view: ${elsewhere.join(" ")}`);
    return { before, narrowed, after };
  }

  async #watch(client: Client, node: string, nodes: readonly string[]): Promise<readonly string[]> {
    const { reply } = nodeMonitorProtocol.reconfigure;
    await client.ask(node, "node_monitor", { type: "reconfigure", nodes }, reply);
    return until(`liveNodes at ${node} is ${nodes.join(", ")}`, async () => {
      const live = await liveNodes(client, node);
      return live.join() === nodes.join() ? live : undefined;
    });
  }

  // --- 7: throughput --------------------------------------------------------------------------------

  async #fullSpeed(client: Client, corpus: Corpus, expected: number): Promise<TourResult["fullSpeed"]> {
    const stage = this.#stage;
    const { pieces, bytes } = corpus;
    stage.startBar(pieces.length, "pieces");
    const startedAt = performance.now();
    const job = new Job({ client, nodes: NODES, pieces, onProgress: (done) => stage.progress(done) });
    await job.run();
    const seconds = (performance.now() - startedAt) / 1000;
    stage.endBar();
    if (sum(job.total) !== expected) {
      throw new Error(`it counted ${sum(job.total)} words, and ${expected} before`);
    }
    const result = {
      seconds: round(seconds, 2),
      megabytesPerSecond: round(bytes / 1e6 / seconds, 1),
      callsPerSecond: Math.round(pieces.length / seconds),
    };
    stage.done(
      `${result.seconds} s: ${result.megabytesPerSecond} MB/s, ${count(result.callsPerSecond)} calls/s with JSON in and out`,
    );
    return result;
  }
}
