// The filter form: shows the state, and tells what the viewer changes.

import { comparisonsFor } from "../shared/compare.js";
import { byId, control, fillSelect } from "../shared/dom.js";
import { bigNumber, plural } from "../shared/format.js";
import { METRICS } from "../shared/metrics.js";
import { DEFAULT, isUnfiltered } from "../shared/state.js";
import { zoneOf } from "../shared/zones.js";
import { IntervalFilter } from "./interval.js";
import { Picker } from "./picker.js";
import { RangeFilter } from "./range.js";
import { ZoneFilter } from "./zone.js";

export class Filters {
  /** @param {(change: Partial<Page.State>) => void} onChange  gets the parts of the state that change */
  constructor(onChange) {
    this.labels = new Picker(byId("label-filter"), "labels", (labels) => onChange({ labels }));
    this.sources = new Picker(byId("source-filter"), "sources", (sources) => onChange({ sources }));
    this.range = new RangeFilter(onChange);
    this.interval = new IntervalFilter((interval) => onChange({ interval }));
    this.zone = new ZoneFilter((timezone) => onChange({ timezone }));
    this.metric = control("metric", HTMLSelectElement);
    this.model = control("model", HTMLSelectElement);
    this.compare = control("compare", HTMLSelectElement);
    byId("filters").addEventListener("submit", (event) => {
      event.preventDefault();
      this.range.read();
    });
    this.metric.addEventListener("change", () =>
      onChange({ metric: /** @type {Api.Metric} */ (this.metric.value) }),
    );
    this.model.addEventListener("change", () => onChange({ model: this.model.value }));
    this.compare.addEventListener("change", () => onChange({ compare: this.compare.value || null }));
    byId("reset").addEventListener("click", () => {
      const { labels, sources, from, to, interval, compare } = DEFAULT;
      onChange({ labels, sources, from, to, interval, compare });
    });
  }

  /**
   * @param {Page.State} state
   * @param {Page.Answers} answers
   * @param {Page.ColorOf} colorOf
   */
  show(state, answers, colorOf) {
    const { models, labels, sources, counts } = answers;
    this.labels.show(
      labels.map(({ label, detections }) => ({
        value: label,
        name: label,
        detail: bigNumber(detections),
        color: colorOf(label),
      })),
      state.labels,
    );
    this.sources.show(
      sources.map(({ source, name, frames, timed_by_file: byFile }) => ({
        value: source,
        name,
        detail: plural(frames, "frame"),
        remark: byFile ? "file dates" : null,
      })),
      state.sources,
    );
    this.range.show(state, counts, sources);
    this.interval.show(state, counts);
    this.zone.show(zoneOf(state));
    fillSelect(
      this.metric,
      Object.values(METRICS).map(({ id, name }) => [id, name]),
      counts.metric,
    );
    byId("model-field").hidden = models.length < 2;
    fillSelect(
      this.model,
      models.map((one, position) => [one.model, position ? one.model : `${one.model} (newest)`]),
      counts.model ?? "",
    );
    fillSelect(
      this.compare,
      [["", "Nothing"], ...comparisonsFor(state, answers).map(({ id, name }) => /** @type {[string, string]} */ ([id, name]))],
      state.compare ?? "",
    ); // prettier-ignore
    control("reset", HTMLButtonElement).disabled = isUnfiltered(state);
  }
}
