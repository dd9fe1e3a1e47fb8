/** What the figures were taken on: a line for the table and for `--json`. */
import { spawnSync } from "node:child_process";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { findNatsServer } from "../../lib/transport/nats-server.ts";

const GIB = 1024 ** 3;

export function describeMachine(): string {
  const [cpu] = cpus();
  return [
    `${cpus().length} x ${cpu?.model.trim() ?? "unknown processor"}`,
    `${(totalmem() / GIB).toFixed(0)} GiB`,
    `${platform()} ${release()} ${arch()}`,
    `Node ${process.version}`,
    natsServerVersion(),
  ].join(", ");
}

function natsServerVersion(): string {
  const search = findNatsServer();
  if (!search.found) {
    return "no nats-server";
  }
  const { stdout } = spawnSync(search.path, ["--version"], { encoding: "utf8" });
  return stdout.trim().replace(/:\s*/, " ");
}
