// The chart as a picture for a slide: with its title, question, legend and footage.

import { byId, control } from "../shared/dom.js";
import { duration, span, zoneName } from "../shared/format.js";
import { themeColor } from "../shared/palette.js";
import { totalWords } from "./tooltip.js";
import { checkLines } from "../shared/checked.js";
import { t } from "../shared/texts.js";

const MARGIN = 24;
const LINE = 22;

/** @param {Page.View} view @param {Api.Counts} counts @returns {Promise<Blob>} a PNG */
export function chartPicture(view, counts) {
  const chart = control("chart", HTMLCanvasElement);
  const scale = chart.width / chart.clientWidth;
  const width = chart.clientWidth + 2 * MARGIN;
  const canvas = document.createElement("canvas");
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const keys = keysOf(view, pen, width - 2 * MARGIN);
  const top = MARGIN + 3 * LINE + keys.lines * LINE;
  canvas.width = width * scale;
  const checked = checkLines(counts, view.metric).filter(({ isStale }) => !isStale);
  canvas.height = (top + chart.clientHeight + (1 + checked.length) * LINE + MARGIN) * scale;
  pen.scale(scale, scale);
  pen.fillStyle = themeColor("surface");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.textBaseline = "middle";
  const write = (/** @type {string} */ text, /** @type {number} */ y, font = "13px", color = "muted") => {
    pen.font = `${font} system-ui, sans-serif`;
    pen.fillStyle = themeColor(color);
    pen.fillText(text, MARGIN, y, width - 2 * MARGIN);
  };
  write(byId("chart-title").textContent ?? "", MARGIN + 8, "600 18px", "ink");
  const range = span(counts.from_ms ?? view.from, counts.to_ms ?? view.to);
  write(
    t("web.bars_of", { range, interval: duration(view.interval), from: zoneName(view.from) }),
    MARGIN + 8 + LINE * 1.2,
  );
  for (const { name, color, x, line } of keys.places) {
    const y = MARGIN + 2.6 * LINE + line * LINE;
    pen.fillStyle = color;
    pen.fillRect(MARGIN + x, y - 6, 12, 12);
    pen.font = "13px system-ui, sans-serif";
    pen.fillStyle = themeColor("ink");
    pen.fillText(name, MARGIN + x + 18, y);
  }
  pen.drawImage(chart, MARGIN, top, chart.clientWidth, chart.clientHeight);
  const without = [
    view.gaps.length && t("web.no_footage"),
    view.notAnalysed.length && t("web.filmed_not_analysed"),
    ...new Set(view.nothing.map((one) => one.kind)),
  ].filter(Boolean);
  const hatched = without.length ? t("web.hatched", { without: without.join("; ") }) : "";
  const { frames: count, model } = counts;
  const rests = t("web.frames_analysed_by_made_with_frametally", { count, model, hatched });
  write(rests, top + chart.clientHeight + LINE);
  checked.forEach(({ text }, line) => write(`${text}.`, top + chart.clientHeight + (line + 2) * LINE));
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png"),
  );
}

/**
 * Positions of the legend's keys, in as many lines as needed.
 * @param {Page.View} view
 * @param {CanvasRenderingContext2D} pen
 * @param {number} width
 */
function keysOf({ series, metric, other }, pen, width) {
  pen.font = "13px system-ui, sans-serif";
  const named = series.map((one) => ({ name: `${one.name} ${totalWords(metric, one)}`, color: one.color }));
  if (other) named.push({ name: t("web.dashed", { name: other.name }), color: themeColor("ink") });
  let x = 0;
  let line = 0;
  const places = named.map((one) => {
    const wide = pen.measureText(one.name).width + 36;
    if (x && x + wide > width) {
      x = 0;
      line += 1;
    }
    const place = { ...one, x, line };
    x += wide;
    return place;
  });
  return { places, lines: line + 1 };
}
