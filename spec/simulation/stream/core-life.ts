/** What must be at the end of a run of `core-run.ts`, when all faults have ended and nothing is asked for. */
import { nodeOf } from "../../../lib/stream/replica-id.ts";
import type { Cell } from "./core-types.ts";
import { shortId, type World } from "./world.ts";

/** Liveness: somebody writes, and all members have committed the same. */
export function expectLife(world: World, writer: Cell | undefined, cells: readonly Cell[]): void {
  const configuration = writer?.state.writer?.configuration;
  if (writer === undefined || configuration === undefined) {
    const roles = cells.map(({ id, state }) => `${shortId(id)} ${state.role}`);
    world.violate("liveness", `nobody writes: ${roles.join(", ")}`);
    return;
  }
  const { commitSeq } = writer.state;
  for (const member of configuration.members) {
    const state = cells.find(({ node }) => node === nodeOf(member))?.state;
    if (state?.self !== member || state.commitSeq !== commitSeq) {
      const where = `${state?.role} at ${state?.commitSeq}`;
      world.violate("liveness", `${shortId(member)} is ${where}, the writer at ${commitSeq}`);
    }
  }
}
