/** What every transport does: one list of cases, run against each implementation. */
import { itLivesAndEnds } from "./transport-life.ts";
import { itCarriesMessages } from "./transport-messages.ts";
import { itAnswersRequests } from "./transport-requests.ts";
import { Stage, type TransportWorld } from "./transport-stage.ts";

export function itBehavesAsTransport(openWorld: () => TransportWorld): void {
  const stage = new Stage();
  beforeEach(() => stage.open(openWorld));
  afterEach(() => stage.world.close());
  itCarriesMessages(stage);
  itAnswersRequests(stage);
  itLivesAndEnds(stage);
}
