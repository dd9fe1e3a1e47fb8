/** For tests of one's own actors: virtual time, seeded chance, an in-process network with faults, kept logs. */
export type { Clock } from "./base/clock.ts";
export { type Random, seededRandom } from "./base/random.ts";
export { VirtualClock } from "./base/virtual-clock.ts";
export { collectLog, type LogLine, logTo } from "./telemetry/log.ts";
export { MemoryHub } from "./transport/memory.ts";
