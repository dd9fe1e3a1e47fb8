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
const NAMESPACES_MAX = 1_000;
const COUNTERS_MAX = 10_000;
/** Each costs a histogram of some ten thousand bytes. */
const LATENCIES_MAX = 500;
/** What a histogram tells apart: one percent, from a microsecond to an hour. */
const LATENCY_RANGE = { lowest: 1, highest: 3_600_000_000, figures: 2 } as const;

export interface LatencySummary {
  readonly count: number;
  readonly meanUs: number;
  readonly p50Us: number;
  readonly p95Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
}

class Latency {
  readonly histogram: RecordableHistogram = createHistogram(LATENCY_RANGE);
  readonly samples: number[] = [];
  #next = 0;

  record(valueUs: number): void {
    const { lowest, highest } = LATENCY_RANGE;
    this.histogram.record(Math.min(highest, Math.max(lowest, Math.round(valueUs))));
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
  #counterCount = 0;
  /** Increments and samples refused because there were too many keys. */
  refused = 0;

  increment(namespace: string, field: string, by: number = 1): void {
    const fields = this.#counters.get(namespace);
    const value = fields?.get(field);
    if (fields !== undefined && value !== undefined) {
      fields.set(field, value + by);
    } else {
      this.#add(namespace, field, by);
    }
  }

  #add(namespace: string, field: string, value: number): void {
    const room = this.#counterCount < COUNTERS_MAX;
    const fields = room
      ? getOrAdd(this.#counters, namespace, NAMESPACES_MAX, () => new Map<string, number>())
      : undefined;
    if (fields === undefined) {
      this.refused += 1;
      return;
    }
    this.#counterCount += 1;
    fields.set(field, value);
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
    this.#counterCount -= this.#counters.get(namespace)?.size ?? 0;
    this.#counters.delete(namespace);
  }

  /** Records one latency, in microseconds. */
  recordLatency(key: string, valueUs: number): void {
    const latency = getOrAdd(this.#latencies, key, LATENCIES_MAX, () => new Latency());
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

function getOrAdd<Value>(
  map: Map<string, Value>,
  key: string,
  sizeMax: number,
  make: () => Value,
): Value | undefined {
  const found = map.get(key);
  if (found !== undefined || map.size >= sizeMax) {
    return found;
  }
  const made = make();
  map.set(key, made);
  return made;
}
