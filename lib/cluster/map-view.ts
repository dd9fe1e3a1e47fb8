/** What this node knows of the cluster map: the newest one that its root replica has applied. */
import { Listeners } from "../actor/listeners.ts";
import type { Logger } from "../telemetry/log.ts";
import type { ClusterMap, PartitionEntry } from "./cluster-map-schema.ts";

export class MapView {
  readonly #listeners: Listeners<ClusterMap>;
  #map: ClusterMap | null = null;

  constructor(log: Logger) {
    this.#listeners = new Listeners(log);
  }

  /** Null until a cluster has been founded or joined. */
  get map(): ClusterMap | null {
    return this.#map;
  }

  partition(index: number): PartitionEntry | undefined {
    return this.#map?.partitions[index];
  }

  /** Takes a map that is newer than the present one; an older one, of a replica that lags, changes nothing. */
  take(map: ClusterMap): void {
    const known = this.#map;
    if (known === null || known.lineage !== map.lineage || map.version > known.version) {
      this.#map = map;
      this.#listeners.emit(map);
    }
  }

  /** Calls `listener` with each new map; returns what stops it. */
  onChange(listener: (map: ClusterMap) => void): () => void {
    return this.#listeners.add(listener);
  }
}
