/**
 * The user lane of a mailbox: a ring of (message, tag) pairs that grows by doubling and allocates
 * nothing per message.
 *
 * The bound is kept by the process, not here: what may never be dropped (DOWN, trapped exits) shares
 * the ring with user messages to keep its place among them.
 */
import { invariant } from "../base/invariant.ts";

const INITIAL_CAPACITY = 8;
/** A ring that grew beyond this is given back as soon as it is empty. */
const KEPT_CAPACITY = 2048;

export class Mailbox<Message extends object, Tag> {
  #messages: (Message | undefined)[] = new Array<Message | undefined>(INITIAL_CAPACITY);
  #tags: (Tag | undefined)[] = new Array<Tag | undefined>(INITIAL_CAPACITY);
  #mask: number = INITIAL_CAPACITY - 1;
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(message: Message, tag: Tag): void {
    if (this.#length > this.#mask) {
      this.#resize((this.#mask + 1) * 2);
    }
    const slot = (this.#head + this.#length) & this.#mask;
    this.#messages[slot] = message;
    this.#tags[slot] = tag;
    this.#length += 1;
  }

  /** The tag of the oldest pair; undefined when empty. */
  firstTag(): Tag | undefined {
    return this.#tags[this.#head];
  }

  /** Removes the oldest pair and returns its message; undefined when empty. */
  shift(): Message | undefined {
    if (this.#length === 0) {
      return undefined;
    }
    const head = this.#head;
    const message = this.#messages[head];
    this.#messages[head] = undefined;
    this.#tags[head] = undefined;
    this.#head = (head + 1) & this.#mask;
    this.#length -= 1;
    if (this.#length === 0 && this.#mask >= KEPT_CAPACITY) {
      this.#resize(INITIAL_CAPACITY);
    }
    return message;
  }

  #resize(capacity: number): void {
    invariant(capacity >= this.#length, "a mailbox never shrinks below what it holds");
    const messages = new Array<Message | undefined>(capacity);
    const tags = new Array<Tag | undefined>(capacity);
    for (let index = 0; index < this.#length; index++) {
      const slot = (this.#head + index) & this.#mask;
      messages[index] = this.#messages[slot];
      tags[index] = this.#tags[slot];
    }
    this.#messages = messages;
    this.#tags = tags;
    this.#mask = capacity - 1;
    this.#head = 0;
  }
}
