/** Bare node floors, without the named actors, over the in-process transport on virtual time. */
import { Groups } from "../../lib/actor/groups.ts";
import type { Process } from "../../lib/actor/process.ts";
import { ActorSystem } from "../../lib/actor/system.ts";
import { checkLimits, type Limits } from "../../lib/base/limits.ts";
import { seededRandom } from "../../lib/base/random.ts";
import { VirtualClock } from "../../lib/base/virtual-clock.ts";
import { receiveGroups, syncGroups } from "../../lib/node/group-sync.ts";
import { type NodeEvent, NodeFloor } from "../../lib/node/node-floor.ts";
import { type Subjects, subjectsOf } from "../../lib/node/subjects.ts";
import { collectLog, type LogLine } from "../../lib/telemetry/log.ts";
import { MemoryHub } from "../../lib/transport/memory.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import { Worker, type WorkerArgs } from "../simulation/actors.ts";

export interface BareNode {
  readonly system: ActorSystem;
  readonly floor: NodeFloor;
  readonly groups: Groups;
  readonly transport: Transport;
  readonly lines: LogLine[];
  readonly events: NodeEvent[];
  start(name: string, args?: WorkerArgs): Process;
}

export class FloorRig {
  readonly clock: VirtualClock = new VirtualClock();
  readonly hub: MemoryHub;
  readonly subjects: Subjects = subjectsOf("rig");
  readonly #nodes: BareNode[] = [];

  readonly #limits: Partial<Limits>;

  /** `limits`: those of the hub and of all nodes. */
  constructor(limits: Partial<Limits> = {}) {
    this.#limits = limits;
    this.hub = new MemoryHub({ clock: this.clock, random: seededRandom(1), limits: checkLimits(limits) });
  }

  /** `groups: false`: a floor that sends nothing of its own accord. */
  node(
    name: string,
    options: { groups?: boolean; limits?: Partial<Limits>; incarnation?: string } = {},
  ): BareNode {
    const { log, lines } = collectLog();
    const { incarnation = `i${name}`, limits } = options;
    const transport = this.hub.connect(`${name}/${incarnation}`);
    const system = new ActorSystem({
      node: name,
      incarnation,
      clock: this.clock,
      random: seededRandom(name),
      log,
      limits: checkLimits({ ...this.#limits, ...limits }),
    });
    const groups = new Groups(system);
    const withGroups = options.groups !== false;
    const floor: NodeFloor = new NodeFloor({
      system,
      transport,
      subjects: this.subjects,
      handlers: {
        groups: (peer, change) => {
          if (withGroups) {
            receiveGroups(groups, floor, peer, change);
          }
        },
      },
    });
    if (withGroups) {
      syncGroups(groups, floor);
    }
    const events: NodeEvent[] = [];
    floor.onNodeEvent((event) => events.push(event));
    floor.start();
    const start = (worker: string, args: WorkerArgs = {}): Process => {
      const outcome = system.start(Worker, args, { name: worker });
      if (outcome instanceof Promise || outcome.status !== "started") {
        throw new Error(`${worker} did not start`);
      }
      return outcome.process;
    };
    const node: BareNode = { system, floor, groups, transport, lines, events, start };
    this.#nodes.push(node);
    return node;
  }

  close(): void {
    for (const { floor, system } of this.#nodes) {
      floor.stop();
      system.close();
    }
  }
}
