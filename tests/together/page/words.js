// Writes what pages show of the API's answers, which it reads by source from a file.

import "../../../simple_frontend/tests/browser.js";

import { readFileSync } from "node:fs";
import process from "node:process";

import { wordsOf } from "../../../capabilities/frametally_traffic/page/lines/areas.js";
import { knownVisits, visitWords } from "../../../capabilities/frametally_traffic/page/lines/turns.js";
import { countsOf, lackOf, sumWords } from "../../../capabilities/frametally_traffic/page/report/tables.js";
import { describe } from "../../../simple_frontend/frametally_web/static/js/chart/tooltip.js";
import {
  knownWords,
  METRICS,
  WHY_NOT,
} from "../../../simple_frontend/frametally_web/static/js/shared/metrics.js";
import {
  allIn,
  allKnownIn,
  knownIn,
  viewOf,
} from "../../../simple_frontend/frametally_web/static/js/shared/series.js";
import { DEFAULT } from "../../../simple_frontend/frametally_web/static/js/shared/state.js";

/** Each bar in numbers and in one sentence. @param {Api.Counts} counts @param {Page.Metric} metric */
function barsOf(counts, metric) {
  if (!counts.coverage.length) return []; // pages show no chart then
  const view = viewOf(DEFAULT, counts, metric, () => "");
  return view.rows.map((row) => ({
    start_ms: row.start,
    numbers: Object.fromEntries(
      view.series.map(({ label }) => [label, knownWords(metric, knownIn(row, label, metric))]),
    ),
    all: knownWords(metric, allKnownIn(row, metric)),
    words: describe(view, row),
  }));
}

/** @param {{counts: Api.Counts, zones: Api.ZoneStays, movements: Api.JunctionMovements, traffic?: Api.Traffic}} one */
const wordsOfSource = ({ counts, zones, movements, traffic }) => ({
  bars: Object.fromEntries(Object.entries(METRICS).map(([id, metric]) => [id, barsOf(counts, metric)])),
  totals: Object.fromEntries(
    Object.entries(METRICS).map(([id, metric]) => [id, knownWords(metric, allIn(counts, metric))]),
  ),
  zones: zones.zones.map((zone) => wordsOf(zone.name, zone)),
  turns: movements.legs.map(({ name }) =>
    visitWords(
      movements,
      knownVisits(movements, (one) => one.from_leg === name),
    ),
  ),
  quarters: (traffic?.quarters ?? []).map((quarter) => ({
    lack: lackOf(quarter, traffic?.columns),
    counts:
      countsOf(
        quarter,
        (traffic?.columns ?? []).map((_, at) => at),
      )?.map((count) => sumWords(count, null)) ?? null,
  })),
});

/** @type {Record<string, Parameters<typeof wordsOfSource>[0]>} */
const answers = JSON.parse(readFileSync(process.argv[2], "utf8"));
const sources = Object.entries(answers).map(([source, one]) => [source, wordsOfSource(one)]);
process.stdout.write(JSON.stringify({ reasons: WHY_NOT, sources: Object.fromEntries(sources) }));
