/**
 * The nemesis of a chaos run: round after round it does a fault, heals it, and measures how long the cluster needs
 * until writes are accepted again in every partition and until it is whole.
 *
 * Promises: the next round begins only when the cluster is whole, so that no round destroys what no protocol
 * could bring back; whatever it has done is undone when `run` has settled, nodes that it killed excepted when
 * the run was ended early.
 */
import type { Random } from "../../lib/base/random.ts";
import { sleepUnless } from "./clients.ts";
import { describeFault, type Fault, type FaultDeck } from "./faults.ts";
import type { Stage } from "./stage.ts";
import type { ClusterView, Patience } from "./target.ts";

/** How long things may take. */
export interface Patiences {
  /** Writes must be accepted again so soon after a fault is healed. */
  readonly recoveryMaxMs: number;
  /** So long it is waited for, to know by how much the promise was broken. */
  readonly acceptDeadlineMs: number;
  readonly wholeDeadlineMs: number;
  /** A node that runs after the damage to its journal must be back after this; else it gets an empty one. */
  readonly damagedMs: number;
  /** Between two rounds: at least, and at most so much more. */
  readonly pauseMinMs: number;
  readonly pauseSpreadMs: number;
  /** With an operation of a client: long enough for a failover, since giving up leaves an unknown outcome. */
  readonly operation: Patience;
  readonly finalRead: Patience;
}

export const PATIENCES: Patiences = {
  recoveryMaxMs: 5_000,
  acceptDeadlineMs: 30_000,
  wholeDeadlineMs: 60_000,
  damagedMs: 40_000,
  pauseMinMs: 300,
  pauseSpreadMs: 1_200,
  operation: { attemptMs: 1_000, deadlineMs: 8_000 },
  finalRead: { attemptMs: 1_000, deadlineMs: 30_000 },
};

const POLL_MS = 50;

export interface NemesisParts {
  readonly stage: Stage;
  readonly view: ClusterView;
  readonly deck: FaultDeck;
  readonly random: Random;
  /** Resolves with true once a write that was begun now is acknowledged in every partition, false when not in time. */
  readonly accepts: (deadlineMs: number) => Promise<boolean>;
  readonly log: (text: string) => void;
  readonly signal: AbortSignal;
  readonly patiences: Patiences;
}

export interface Round {
  readonly faults: readonly Fault[];
  /** From the end of healing, which a process is when its node answers again, until writes were accepted in every partition. */
  readonly recoveryMs: number;
  /** From the end of healing until the cluster was whole. */
  readonly wholeMs: number;
}

export class Nemesis {
  readonly rounds: Round[] = [];
  readonly violations: string[] = [];
  readonly #parts: NemesisParts;
  /** The node whose journal was damaged in this round. */
  #damaged: string | undefined;
  #wiped = false;

  constructor(parts: NemesisParts) {
    this.#parts = parts;
  }

  /** Rounds until `performance.now()` is `until`, the signal comes, or the cluster does not come back. */
  async run(until: number): Promise<void> {
    const { random, signal, patiences } = this.#parts;
    while (performance.now() < until && !signal.aborted) {
      await this.#sleep(patiences.pauseMinMs + random.below(patiences.pauseSpreadMs));
      if (performance.now() >= until || signal.aborted || !(await this.#round())) {
        return;
      }
    }
  }

  /**
   * Waits until nothing is lacking; resolves with what still is when it takes too long, or with how a process ended
   * that nobody had asked to.
   */
  async untilWhole(): Promise<string | undefined> {
    const { view, signal, patiences } = this.#parts;
    const start = performance.now();
    for (;;) {
      const ended = await this.#lookAtEnds(performance.now() - start);
      const lacking = ended ?? (await view.lacks());
      const elapsedMs = performance.now() - start;
      if (ended !== undefined || lacking === undefined || elapsedMs > patiences.wholeDeadlineMs) {
        return lacking;
      }
      if (signal.aborted) {
        return undefined;
      }
      await this.#sleep(POLL_MS);
    }
  }

  /** Answers whether the cluster came back. */
  async #round(): Promise<boolean> {
    const { deck, view, log, accepts, signal, patiences } = this.#parts;
    const faults = deck.deal(await view.writers());
    const what = faults.map(describeFault).join("; ");
    this.#damaged = undefined;
    this.#wiped = false;
    log(what);
    await Promise.all(faults.map((fault) => this.#perform(fault)));
    const healedAt = performance.now();
    const accepted = !signal.aborted && (await accepts(patiences.acceptDeadlineMs));
    const recoveryMs = performance.now() - healedAt;
    const lacking = accepted ? await this.untilWhole() : undefined;
    const wholeMs = performance.now() - healedAt;
    if (signal.aborted) {
      return false;
    }
    this.rounds.push({ faults, recoveryMs, wholeMs });
    log(`  writes accepted after ${Math.round(recoveryMs)} ms, whole after ${Math.round(wholeMs)} ms`);
    if (recoveryMs > patiences.recoveryMaxMs) {
      const took = `${accepted ? "only after" : "not within"} ${Math.round(recoveryMs)} ms`;
      this.violations.push(`recovery: writes were accepted ${took} after ${what}`);
    }
    if (lacking !== undefined) {
      this.violations.push(`recovery: not whole ${Math.round(wholeMs)} ms after ${what}: ${lacking}`);
    }
    return accepted && lacking === undefined;
  }

  /** A fault from its beginning to the moment at which everything about it is undone. */
  async #perform(fault: Fault): Promise<void> {
    const { stage } = this.#parts;
    switch (fault.kind) {
      case "kill":
      case "killMajority":
      case "killAll":
        await Promise.all(fault.nodes.map((node) => stage.killNode(node)));
        await this.#sleep(fault.holdMs);
        await Promise.all(fault.nodes.map((node) => this.#startAgain(node)));
        return;
      case "pause":
        stage.pauseNode(fault.node);
        await this.#sleep(fault.holdMs);
        stage.resumeNode(fault.node);
        return;
      case "killServer":
        await stage.killServer(fault.server);
        await this.#sleep(fault.holdMs);
        await stage.startServer(fault.server);
        return;
      case "damage":
        return this.#damage(fault);
      case "reset":
        stage.link(fault.node).reset();
        return;
      case "cut":
      case "cutMany":
        return this.#onLinks(fault.nodes, fault.holdMs, (node) => stage.link(node).cut());
      case "delay":
        return this.#onLinks([fault.node], fault.holdMs, (node) => stage.link(node).delay(fault.delayMs));
      case "stall":
        return this.#onLinks([fault.node], fault.holdMs, (node) => stage.link(node).stall(fault.directions));
    }
  }

  async #onLinks(nodes: readonly string[], holdMs: number, act: (node: string) => void): Promise<void> {
    for (const node of nodes) {
      act(node);
    }
    await this.#sleep(holdMs);
    for (const node of nodes) {
      this.#parts.stage.link(node).heal();
    }
  }

  /**
   * Kills a node and damages its journal. Not before writes are acknowledged without the node: then each of the
   * others holds all that was ever acknowledged, and what the damage destroys is not the last copy.
   */
  async #damage(fault: Extract<Fault, { kind: "damage" }>): Promise<void> {
    const { stage, accepts, random, log, patiences } = this.#parts;
    const { node, how, holdMs } = fault;
    await stage.killNode(node);
    const accepted = await accepts(patiences.acceptDeadlineMs);
    await this.#sleep(holdMs);
    if (accepted && !this.#parts.signal.aborted) {
      log(`  ${node}: ${await stage.damage(node, how, random)}`);
      this.#damaged = node;
    } else if (!accepted) {
      this.violations.push(`recovery: no write accepted in time while ${node} was down`);
    }
    await this.#startAgain(node);
  }

  /**
   * A process that ended by itself ends the run, unless its journal is damaged: then it may refuse to start, and
   * what an operator would do is done. What it may not is run and not come back.
   */
  async #lookAtEnds(sinceMs: number): Promise<string | undefined> {
    const { stage, log, patiences } = this.#parts;
    const damaged = this.#wiped ? undefined : this.#damaged;
    for (const { node, how } of stage.takeUnexpectedEnds()) {
      if (node !== damaged) {
        return `node ${node} ended by itself: ${how}`;
      }
      log(`  ${node} refuses its damaged journal (${how}) and gets an empty one`);
      await this.#replaceJournal(node);
    }
    if (damaged !== undefined && !this.#wiped && sinceMs > patiences.damagedMs) {
      const what = `${damaged} runs after the damage to its journal and is not whole after ${patiences.damagedMs} ms`;
      log(`  ${what}; it gets an empty one`);
      this.violations.push(`recovery: ${what}`);
      await this.#replaceJournal(damaged);
    }
    return undefined;
  }

  async #replaceJournal(node: string): Promise<void> {
    this.#wiped = true;
    await this.#parts.stage.killNode(node);
    await this.#parts.stage.wipe(node);
    await this.#startAgain(node);
  }

  /** Resolves when the node answers, or its process has ended, or it takes too long, which others notice. */
  async #startAgain(node: string): Promise<void> {
    const { stage, view, signal, patiences } = this.#parts;
    if (signal.aborted) {
      return;
    }
    stage.startNode(node);
    const deadline = performance.now() + patiences.wholeDeadlineMs;
    while (
      !signal.aborted &&
      stage.isAlive(node) &&
      performance.now() < deadline &&
      !(await view.answers(node))
    ) {
      await this.#sleep(POLL_MS);
    }
  }

  /** Ends early when the run does. */
  #sleep(ms: number): Promise<void> {
    return sleepUnless(this.#parts.signal, ms);
  }
}
