/** The guard round every handler: whatever it throws, now or later, is reported and goes no further. */
import type { IncomingMessage, MessageHandler } from "./transport.ts";

export function runHandler(
  handler: MessageHandler,
  message: IncomingMessage,
  onFailure: (error: unknown) => void,
): void {
  try {
    const result: unknown = handler(message);
    if (result instanceof Promise) {
      result.catch(onFailure);
    }
  } catch (error) {
    onFailure(error);
  }
}
