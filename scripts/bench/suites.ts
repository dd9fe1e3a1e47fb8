/** All suites there are. */
import { ACTORS } from "./actors.ts";
import { COMMIT } from "./commit.ts";
import { JOURNAL } from "./journal.ts";
import type { Suite } from "./suite.ts";

export const SUITES: readonly Suite[] = [ACTORS, JOURNAL, COMMIT];
