/**
 * What the runtime calls: the callbacks of a process, as the process sees them.
 *
 * `Actor` implements this for users with exact types; here messages are objects and results unknown,
 * because a process checks what comes back at run time.
 */
import type { ExitReason } from "../base/reason.ts";
import type { OpenCall } from "./from.ts";
import type { Process } from "./process.ts";
import type { ProtocolTable } from "./protocol.ts";

export interface Behaviour {
  /** The process's state; kept so that a callback that throws can be undone. */
  state: unknown;
  /** Called once, before init, with the process that hosts this behaviour. */
  attach(process: Process): void;
  init(args: unknown): unknown;
  /**
   * The parent asks a process that traps exits to end while its init is still running. Without this
   * the start is cut off; with it init itself has to come to an end.
   */
  abortStart?(reason: ExitReason): void;
  handleCall(message: object, from: OpenCall): unknown;
  handleCast(message: object): unknown;
  handleInfo(info: object): unknown;
  handleContinue(term: unknown): unknown;
  terminate(reason: ExitReason): unknown;
  /** What introspection and crash reports show of the state; redact secrets here. */
  formatState(state: unknown): unknown;
}

/** A class of behaviours, as the runtime instantiates it. */
export interface BehaviourClass {
  new (): Behaviour;
  readonly name: string;
  /** Which messages foreign clients may send; without it the actor cannot be reached from outside. */
  readonly protocol?: ProtocolTable | undefined;
  /** Local messages pass by reference even where others go through the codec (supervisors). */
  readonly passByReference?: boolean | undefined;
  /** "supervisor" for processes that have children. */
  readonly kind?: "worker" | "supervisor" | undefined;
}
