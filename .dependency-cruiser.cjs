// Proves the floors of the house: an import goes down, or sideways inside its own folder, never up.
// What each floor holds is told in CONTRIBUTING.md; banned globals are biome's task (biome.jsonc).

/** From the ground up. A room is a folder or a file; rooms of one floor do not know each other. */
const FLOORS = [
  ["lib/base/"],
  ["lib/actor/", "lib/transport/", "lib/wire/", "lib/disk/"],
  ["lib/node/", "lib/journal/"],
  ["lib/stream/"],
  ["lib/cluster/", "lib/store/"],
  ["actors/", "supervisors/"],
  ["lib/runtime/"],
  ["lib/index.ts", "lib/testkit.ts", "lib/cli/", "lib/gateway/"],
];

/** Served to every floor above the ground; they themselves stand on packages and lib/base only. */
const SERVED = ["lib/telemetry/", "lib/config/"];

/** Sideways steps that the design asks for: the actor floor knows ports as interfaces only. */
const SIDEWAYS = {
  "lib/actor/": ["lib/transport/transport.ts", "lib/disk/disk.ts", "lib/wire/codec.ts"],
  "actors/": ["supervisors/"],
  "supervisors/": ["actors/"],
};

/** Folders of the pure core: the world comes in through ports. */
const CORE = [
  "lib/actor/",
  "lib/node/",
  "lib/journal/",
  "lib/stream/",
  "lib/cluster/",
  "lib/store/",
  "actors/",
  "supervisors/",
];

/** Modules of Node that are the world: files, network, processes, time. */
const WORLD =
  "child_process|cluster|dgram|dns|fs|http|http2|https|inspector|net|perf_hooks|process|readline|repl|timers|tls|tty|worker_threads";

const HOUSE = "^(lib|actors|supervisors)/";
const OUTSIDE = "^(spec|scripts|examples|dist)/";

const literally = (path) => path.replaceAll(".", "\\.");
const anyOf = (paths) => `^(${paths.map(literally).join("|")})`;

function roomRule(room, below) {
  const allowed = [room, ...below, ...(SIDEWAYS[room] ?? [])];
  return {
    name: `floors: no import up or sideways from ${room}`,
    comment: `${room} may import ${allowed.join(" ")}`,
    severity: "error",
    from: { path: anyOf([room]) },
    to: { path: HOUSE, pathNot: anyOf(allowed) },
  };
}

const floorRules = FLOORS.flatMap((rooms, floor) => {
  const below = FLOORS.slice(0, floor).flat();
  return rooms.map((room) => roomRule(room, floor === 0 ? [] : [...below, ...SERVED]));
});
const servedRules = SERVED.map((room) => roomRule(room, ["lib/base/"]));
const everyRoom = anyOf([...FLOORS.flat(), ...SERVED]);

/** `name` may be imported by `home` (files match when their path begins so), by nobody else in the house. */
function packageRule(name, home, comment) {
  return {
    name: `packages: ${name} only in ${home}`,
    comment,
    severity: "error",
    from: { path: HOUSE, pathNot: anyOf([home]) },
    to: { path: `(^|/)node_modules/${name}/` },
  };
}

module.exports = {
  forbidden: [
    ...floorRules,
    ...servedRules,
    {
      name: "floors: a file outside every room",
      comment: "New folders in lib/ get their floor in .dependency-cruiser.cjs",
      severity: "error",
      from: { path: "^lib/", pathNot: everyRoom },
      to: {},
    },
    {
      name: "floors: a file outside every room (imported)",
      comment: "New folders in lib/ get their floor in .dependency-cruiser.cjs",
      severity: "error",
      from: {},
      to: { path: "^lib/", pathNot: everyRoom },
    },
    {
      name: "floors: the house does not know its scaffolding",
      comment: "lib, actors and supervisors are what is published",
      severity: "error",
      from: { path: HOUSE },
      to: { path: OUTSIDE },
    },
    {
      name: "floors: no cycles",
      comment: "Two files of a room may name each other's types; at run time no file needs itself",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "ports: the core does not import the world",
      comment: "Take Clock, Random, Transport or Disk instead",
      severity: "error",
      from: { path: anyOf(CORE) },
      to: { dependencyTypes: ["core"], path: `^(node:)?(${WORLD})(/|$)` },
    },
    packageRule("nats", "lib/transport/nats", "one adapter hides the client and its types"),
    packageRule("winston", "lib/telemetry/logger.ts", "everyone else takes the Logger interface"),
    packageRule("msgpackr", "lib/wire/", "everyone else takes the codec"),
    {
      name: "imports: not found",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    // Also sees `import type`.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "types", "default"],
      extensions: [".ts", ".mjs", ".js", ".json"],
    },
    skipAnalysisNotInRules: true,
  },
};
