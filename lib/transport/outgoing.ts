/** What every transport checks of a message before it takes it. */
import { SupercastError } from "../base/errors.ts";
import { checkedHeaderBytes, checkSubject } from "./subject.ts";
import type { PublishOptions } from "./transport.ts";

/** What a message takes on a connection besides subject and payload: verb, lengths, line ends. */
const FRAME_BYTES = 24;

/**
 * The bytes that a message takes on its way. Throws `invalid_message` for a subject, reply or header that may
 * not be used, and `payload_too_large` when payload and headers exceed `maxPayload`.
 */
export function checkedBytes(
  subject: string,
  payload: Uint8Array,
  options: PublishOptions | undefined,
  maxPayload: number,
): number {
  checkSubject(subject);
  let bytes = payload.length;
  if (options !== undefined) {
    bytes += checkedOptionBytes(options);
  }
  if (bytes > maxPayload) {
    throw new SupercastError(
      "payload_too_large",
      `the message takes ${bytes} bytes of ${maxPayload} that the server allows`,
      { details: { bytes, max: maxPayload } },
    );
  }
  return bytes + subject.length + FRAME_BYTES;
}

function checkedOptionBytes(options: PublishOptions): number {
  if (options.reply !== undefined) {
    checkSubject(options.reply);
  }
  return options.headers === undefined ? 0 : checkedHeaderBytes(options.headers);
}
