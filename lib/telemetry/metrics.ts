/**
 * Metrics: counters by namespace and field, and latencies by key.
 *
 * A counter is one property write, a latency one histogram record, so that they may stand on busy paths.
 * Latencies are kept twice, as the seed has it: the last 256 samples as they are, and a histogram over
 * all for percentiles.
 */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

const SAMPLES_KEPT = 256;
/** Keys are made by callers, also foreign ones; beyond this many a new one is refused. */
const KEYS_MAX = 1_000;

export interface LatencySummary {
  readonly count: number;
  readonly meanUs: number;
  readonly p50Us: number;
  readonly p95Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

class Latency {
  readonly histogram: RecordableHistogram = createHistogram();
  readonly samples: number[] = [];
  #next = 0;

  record(valueUs: number): void {
    this.histogram.record(Math.max(1, Math.round(valueUs)));
    this.samples[this.#next] = valueUs;
    this.#next = (this.#next + 1) % SAMPLES_KEPT;
  }

  /** The kept samples, oldest first. */
  ordered(): number[] {
    return this.samples.length < SAMPLES_KEPT
      ? [...this.samples]
      : [...this.samples.slice(this.#next), ...this.samples.slice(0, this.#next)];
  }

  summary(): LatencySummary {
    const { histogram } = this;
    return {
      count: histogram.count,
      meanUs: histogram.count === 0 ? 0 : Math.round(histogram.mean * 10) / 10,
      p50Us: histogram.percentile(50),
      p95Us: histogram.percentile(95),
      p99Us: histogram.percentile(99),
      maxUs: histogram.count === 0 ? 0 : histogram.max,
    };
  }
}

export class MetricsStore {
  readonly #counters = new Map<string, Map<string, number>>();
  readonly #latencies = new Map<string, Latency>();
  /** Increments and samples refused because there were too many keys. */
  refused = 0;

  increment(namespace: string, field: string, by: number = 1): void {
    const fields = getOrAdd(this.#counters, namespace, () => new Map<string, number>());
    if (fields === undefined || (!fields.has(field) && fields.size >= KEYS_MAX)) {
      this.refused += 1;
      return;
    }
    fields.set(field, (fields.get(field) ?? 0) + by);
  }

  counter(namespace: string, field: string): number {
    return this.#counters.get(namespace)?.get(field) ?? 0;
  }

  /** All counters of a namespace. */
  counters(namespace: string): Record<string, number> {
    return Object.fromEntries(this.#counters.get(namespace) ?? []);
  }

  namespaces(): string[] {
    return [...this.#counters.keys()];
  }

  resetCounters(namespace: string): void {
    this.#counters.delete(namespace);
  }

  /** Records one latency, in microseconds. */
  recordLatency(key: string, valueUs: number): void {
    const latency = getOrAdd(this.#latencies, key, () => new Latency());
    if (latency === undefined) {
      this.refused += 1;
      return;
    }
    latency.record(valueUs);
  }

  /** The last 256 samples of a key in microseconds, oldest first. */
  latencySamples(key: string): number[] {
    return this.#latencies.get(key)?.ordered() ?? [];
  }

  latency(key: string): LatencySummary | undefined {
    return this.#latencies.get(key)?.summary();
  }

  latencies(): Record<string, LatencySummary> {
    return Object.fromEntries([...this.#latencies].map(([key, latency]) => [key, latency.summary()]));
  }
}

function getOrAdd<Value>(map: Map<string, Value>, key: string, make: () => Value): Value | undefined {
  const found = map.get(key);
  if (found !== undefined || map.size >= KEYS_MAX) {
    return found;
  }
  const made = make();
  map.set(key, made);
  return made;
}
