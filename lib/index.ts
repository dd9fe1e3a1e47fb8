/** Supercast: OTP for Node.js on NATS. The public surface; everything else is internal. */

export type { ClusterHealth, HealthMonitorProtocol } from "../actors/health-protocol.ts";
export type { ManagerProtocol } from "../actors/manager-protocol.ts";
export type { MetricsProtocol } from "../actors/metrics.ts";
export type { NodeMonitorProtocol } from "../actors/node-monitor.ts";
export type { StatsProtocol } from "../actors/stats.ts";
export { Actor, type ActorClass, type ArgsOf, type NoMessages, type ProtocolOfActor } from "./actor/actor.ts";
export {
  type ChildOptions,
  type ChildSpec,
  child,
  type Restart,
  type Shutdown,
  type Strategy,
  type SupervisorInit,
} from "./actor/child-spec.ts";
export type { From } from "./actor/from.ts";
export type { GroupEvent } from "./actor/group-table.ts";
export { Groups } from "./actor/groups.ts";
export type { Down, Exit, Info, MonitorRef } from "./actor/info.ts";
export { LocalRef } from "./actor/local-ref.ts";
export {
  MachineActor,
  type MachineArgs,
  type MachineProtocol,
  type MachineView,
  machineActor,
} from "./actor/machine.ts";
// By a star, so that `declare module "supercast"` can extend the interface.
export type * from "./actor/names.ts";
export { isPid, type Pid, parsePid } from "./actor/pid.ts";
export {
  type Call,
  type CallMessage,
  type Cast,
  type CastMessage,
  defineProtocol,
  type NoFields,
  type ProtocolOf,
  type ReplyTo,
} from "./actor/protocol.ts";
export type { ActorRef, Address, CallOptions, Via } from "./actor/ref.ts";
export { Registry, type RegistryEvent } from "./actor/registry.ts";
export type { CallResult, CastResult } from "./actor/result.ts";
export {
  DynamicSupervisor,
  type DynamicSupervisorInit,
  Supervisor,
  type SupervisorProtocol,
} from "./actor/supervisor.ts";
export * as sys from "./actor/sys.ts";
export { ActorSystem, type SystemOptions } from "./actor/system.ts";
export { Task, type TaskContext, type TaskFunction, type TaskOutcome } from "./actor/task.ts";
export { TaskSupervisor, Tasks } from "./actor/task-supervisor.ts";
export { ERROR_CODES, type ErrorCode, SupercastError } from "./base/errors.ts";
export { InvariantError } from "./base/invariant.ts";
export { DEFAULT_LIMITS, type Limits } from "./base/limits.ts";
export { abnormal, type ExitReason, formatReason, isClean } from "./base/reason.ts";
export type { NodeOptions } from "./config/options.ts";
export type { LogEntry } from "./journal/entry.ts";
export { JournalDamagedError, JournalError, type JournalErrorCode } from "./journal/errors.ts";
export type { JournalFolder } from "./journal/folder.ts";
export { type FolderSummary, inspectJournal, type Verification, verifyJournal } from "./journal/inspect.ts";
export type { Journal } from "./journal/journal.ts";
export type {
  IncrementalSnapshotBuilder,
  InlineSnapshotBuilder,
  SnapshotBuilder,
  SnapshotSink,
  SnapshotSource,
  StateMachine,
} from "./journal/machine.ts";
export {
  type OpenJournalOptions,
  openFolder,
  openJournal,
  openStream,
  restoreJournal,
} from "./journal/open.ts";
export type { CompactionMode, JournalOptions, SyncMode } from "./journal/options.ts";
export type { NodeEvent } from "./node/node-floor.ts";
export type { TreeNode } from "./node/process-tree.ts";
export type { Node } from "./runtime/node.ts";
export type { NodePorts } from "./runtime/ports.ts";
export { startNode } from "./runtime/start-node.ts";
export { onEvent, type TelemetryEvents } from "./telemetry/events.ts";
export type { Logger, LogLevel } from "./telemetry/log.ts";
export { createLogger } from "./telemetry/logger.ts";
