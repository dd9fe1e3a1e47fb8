/** Why a message was dropped. Each reason has a counter, see `ActorSystem.drops`. */
export const DROP_REASONS = [
  "noproc",
  "mailbox_full",
  "noconnection",
  "fenced",
  "ended",
  "invalid_message",
  "payload_too_large",
  "overload",
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

export function noDrops(): Record<DropReason, number> {
  return {
    noproc: 0,
    mailbox_full: 0,
    noconnection: 0,
    fenced: 0,
    ended: 0,
    invalid_message: 0,
    payload_too_large: 0,
    overload: 0,
  };
}
