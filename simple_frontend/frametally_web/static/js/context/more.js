// What is chosen less often: the metric, the length of bars, what to compare with, the zone, the model.

import { comparisonsFor } from "../shared/compare.js";
import { el, fillSelect } from "../shared/dom.js";
import { METRICS } from "../shared/metrics.js";
import { field } from "./field.js";
import { IntervalField } from "./interval.js";
import { zonesOf } from "./picture_zones.js";
import { Panel } from "./popover.js";

export class More {
  /** @param {(change: Partial<Page.State>) => void} onChange */
  constructor(onChange) {
    const select = (/** @type {string} */ id, /** @type {(value: string) => Partial<Page.State>} */ part) => {
      const made = el("select", { id });
      made.addEventListener("change", () => onChange(part(made.value)));
      return made;
    };
    this.metric = select("metric", (value) => ({ metric: /** @type {Api.Metric} */ (value) || null }));
    this.compare = select("compare", (value) => ({ compare: value || null }));
    this.zone = select("picture-zone", (value) => ({ zone: value || null }));
    this.model = select("model", (value) => ({ model: value || null }));
    this.interval = new IntervalField((interval) => onChange({ interval }));
    this.zoneField = field("Within the zone", this.zone);
    this.modelField = field("Model", this.model);
    this.panel = new Panel("more-panel", "More", { focus: () => this.metric });
    this.panel.body.append(
      el(
        "div",
        { class: "fields" },
        field("Metric", this.metric),
        this.interval.element,
        field("Compare with", this.compare),
        this.zoneField,
        this.modelField,
      ),
    );
  }

  /**
   * @param {Page.State} state
   * @param {import("./bar.js").Known} known
   */
  show(state, { models, sources, counts }) {
    const metric = counts && METRICS[counts.metric].name.toLowerCase();
    fillSelect(
      this.metric,
      [
        ["", state.metric || !metric ? "Auto" : `Auto (${metric})`],
        ...Object.values(METRICS).map(({ id, name }) => /** @type {[string, string]} */ ([id, name])),
      ],
      state.metric ?? "",
    );
    this.interval.show(state, counts);
    const others = counts ? comparisonsFor(state, { models, sources, counts }) : [];
    fillSelect(
      this.compare,
      [["", "Nothing"], ...others.map(({ id, name }) => /** @type {[string, string]} */ ([id, name]))],
      state.compare ?? "",
    );
    this.#showZones(state, sources);
    this.modelField.hidden = models.length < 2;
    fillSelect(
      this.model,
      models.map((one, position) => [position ? one.model : "", position ? one.model : `${one.model} (newest)`]),
      state.model === models[0]?.model ? "" : (state.model ?? ""),
    ); // prettier-ignore
  }

  /**
   * @param {Page.State} state
   * @param {Api.SourceRange[]} sources
   */
  #showZones(state, sources) {
    const zones = zonesOf(state, sources);
    this.zoneField.hidden = !zones.length;
    fillSelect(
      this.zone,
      [["", "None: the whole picture"], ...zones.map(({ name, title }) => /** @type {[string, string]} */ ([name, title]))],
      state.zone ?? "",
    ); // prettier-ignore
  }
}
