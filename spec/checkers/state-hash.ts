/**
 * Do replicas that applied the same entries hold the same state?
 *
 * Compares hashes that the replicas computed of their own state. It proves that they agree; that they agree
 * on the right thing is for the other checkers.
 */
import { type Findings, FindingsCollector } from "./findings.ts";
import { show } from "./history.ts";

/** One look at one replica. Streams and replicas have whatever names tell them apart. */
export interface StateSample {
  readonly stream: string;
  readonly replica: string;
  /** The position up to which it had applied. */
  readonly position: number;
  readonly hash: string | number;
}

/** At equal positions equal hashes, whenever they were taken. Kind: `diverged`. */
export function checkStateHashes(samples: Iterable<StateSample>): Findings {
  const findings = new FindingsCollector();
  compareHashes(samples, findings);
  return findings;
}

function compareHashes(samples: Iterable<StateSample>, findings: FindingsCollector): void {
  const streams = new Map<string, Map<number, StateSample>>();
  for (const sample of samples) {
    const positions = streams.get(sample.stream) ?? new Map<number, StateSample>();
    streams.set(sample.stream, positions);
    const first = positions.get(sample.position);
    if (first === undefined) {
      positions.set(sample.position, sample);
    } else if (first.hash !== sample.hash) {
      const where = `stream ${show(sample.stream)} at ${sample.position}`;
      const hashes = `${first.replica} has ${show(first.hash)}, ${sample.replica} has ${show(sample.hash)}`;
      findings.add("diverged", `${where}: ${hashes}`);
    }
  }
}

/**
 * At rest every replica of a stream has applied everything: one sample each, all equal. Kinds: `behind`,
 * `diverged`, and `missing` for a stream with fewer replicas than `replicas` says.
 */
export function checkAtRest(
  samples: readonly StateSample[],
  replicas: ReadonlyMap<string, number>,
): Findings {
  const findings = new FindingsCollector();
  compareHashes(samples, findings);
  for (const [stream, expected] of replicas) {
    const own = samples.filter((sample) => sample.stream === stream);
    const names = new Set(own.map(({ replica }) => replica));
    if (names.size < expected) {
      findings.add("missing", `stream ${show(stream)}: ${names.size} of ${expected} replicas answered`);
    }
    const furthest = own.reduce((most, { position }) => Math.max(most, position), 0);
    for (const { replica, position } of own.filter((sample) => sample.position < furthest)) {
      findings.add("behind", `stream ${show(stream)}: ${replica} is at ${position}, others at ${furthest}`);
    }
  }
  return findings;
}
