/** Writes docs/charts.md. Runs in the root of the clone. */
import { writeFileSync } from "node:fs";
import { CHART_PAGE, chartPage } from "./chart-page.ts";

writeFileSync(CHART_PAGE, chartPage());
console.log(`${CHART_PAGE} is written`);
