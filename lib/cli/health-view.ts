/** Health rounds and alerts as text. */
import { z } from "zod";
import type { ClusterHealth } from "../../actors/health-protocol.ts";
import { type Colours, duration, printable, status, table } from "./output.ts";

/** What is published on the health-alert subject. */
export const alertSchema = z.object({
  state: z.enum(["raised", "cleared"]),
  node: z.string(),
  at: z.string(),
  check: z.string(),
  severity: z.string(),
  message: z.string(),
});
export type HealthAlert = z.infer<typeof alertSchema>;

const COLUMNS = [
  { title: "NODE" },
  { title: "STATUS" },
  { title: "ROUND TRIP", align: "right" },
  { title: "LOOP LAG", align: "right" },
  { title: "ERRORS", align: "right" },
  { title: "CRASHES", align: "right" },
] as const;

export function drawHealth(health: ClusterHealth, cluster: string, colours: Colours): string {
  const age = health.roundAgeMs === null ? "no round yet" : `round of ${duration(health.roundAgeMs)} ago`;
  const title = `cluster ${colours.bold(cluster)} ${status(health.status, colours)}`;
  const from = colours.dim(`seen from ${printable(health.node)}, ${age}`);
  const rows = health.nodes.map((each) => [
    colours.bold(printable(each.node)),
    status(each.status, colours),
    each.rttMs === null ? "-" : `${each.rttMs.toFixed(1)} ms`,
    each.eventLoopLagMs === null ? "-" : `${each.eventLoopLagMs.toFixed(0)} ms`,
    each.errorRate === null ? "-" : `${(100 * each.errorRate).toFixed(1)} %`,
    each.crashes === null ? "-" : String(each.crashes),
  ]);
  const breaches = health.nodes.flatMap(({ breaches: all }) =>
    all.map(
      ({ severity, check, message }) =>
        `  ${severityMark(severity, colours)} ${check}: ${printable(message)}`,
    ),
  );
  const parts = [`${title}  ${from}`, "", table(COLUMNS, rows, colours)];
  return [...parts, ...(breaches.length === 0 ? [] : ["", ...breaches])].join("\n");
}

export function severityMark(severity: string, colours: Colours): string {
  const colour =
    severity === "critical" ? colours.red : severity === "unknown" ? colours.magenta : colours.yellow;
  return colour(`! ${printable(severity)}`);
}

/** One line of an alert; `publisher` is the node that raised it. */
export function alertLine(alert: HealthAlert, publisher: string, colours: Colours): string {
  const mark = alert.state === "raised" ? severityMark(alert.severity, colours) : colours.green("✓ cleared");
  return `${mark} ${printable(alert.message)} ${colours.dim(`(${alert.check}, says ${printable(publisher)})`)}`;
}
