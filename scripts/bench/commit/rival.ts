/** Somebody else's replicated store, as the benches use it. */
export interface Rival {
  /** What the server says of itself. */
  readonly version: string;
  /** Writes 40 bytes under key number `n`, as caller number `caller`; resolves when that is acknowledged. */
  put(caller: number, n: number): Promise<unknown>;
  close(): Promise<void>;
}
