// The editor: you draw lines, zones and calibrations over a picture of a source.

import { areSame, askDrawing, askPicture, Calibrating, save } from "./editor/saving.js";
import { Details } from "./editor/details.js";
import {
  fits,
  KIND_NAMES,
  freeName,
  History,
  mayShrink,
  newShape,
  shapesOf,
  withoutPoint,
} from "./editor/shapes.js";
import { askPaths, choosePicture, layerOf, pathsWords, shapeList } from "./editor/pictures.js";
import { Stage } from "./editor/stage.js";
import { holdsAt } from "frametally/js/frames/shapes_over.js";
import { withValues } from "frametally/js/shared/address.js";
import { get } from "frametally/js/shared/api.js";
import { byId, control, fillSelect, refill } from "frametally/js/shared/dom.js";
import { moment } from "frametally/js/shared/format.js";
import { colorsOf } from "frametally/js/shared/palette.js";
import { has } from "frametally/js/shell/navigation.js";
import { answeredOf, formatWhole, parseState } from "frametally/js/shared/state.js";
import { useZone, zoneOf } from "frametally/js/shared/time.js";
import { askForStrip } from "frametally/js/status/live.js";
import { hideNotice, showFailed, showFault, wordsOf } from "frametally/js/status/notices.js";
import { showNothingYet } from "frametally/js/status/nothing.js";
import { t } from "frametally/js/shared/texts.js";

const state = parseState(location.search);
useZone(zoneOf(state));

const NO_PICTURE = { width_px: 1280, height_px: 720 };
const TOOLS = { line: "draw-line", zone: "draw-zone", calibration: "draw-calibration" };

/** @type {History<Page.Shape[]>} */
let history = new History(/** @type {Page.Shape[]} */ ([]));
/** The stored drawing, from which the current one was made. */
let stored = { shapes: /** @type {Page.Shape[]} */ ([]), revision: 0 };
let source = "";
/** @type {number|null} */
let chosenId = null;
/** @type {Api.StoredPicture|null} */
let picture = null;
let shownPicture = { url: /** @type {string|null} */ (null), alt: "", ...NO_PICTURE };
let isSaving = false;

const chosen = () => history.now.find(({ id }) => id === chosenId) ?? null;
const isChanged = () => !areSame(history.now, stored.shapes);

/** @param {string} words  for screen readers */
const say = (words) => (byId("spoken").textContent = words);

/** @param {Page.Shape[]} shapes @param {string} [key] */
function put(shapes, key) {
  history.put(shapes, key);
  render();
}

/** @param {Page.Shape} shape @param {string} [key] */
function change(shape, key) {
  const shapes = history.now.map((one) => (one.id === shape.id ? shape : one));
  put(shapes, key);
}

/** @param {Page.Shape} shape */
function remove(shape) {
  put(history.now.filter(({ id }) => id !== shape.id));
  say(t("traffic.is_removed", { kind: KIND_NAMES[shape.kind], name: shape.name }));
  stage.focus();
}

/** @param {number|null} id */
function choose(id) {
  chosenId = id;
  render();
}

const stage = new Stage({
  choose,
  change,
  removePoint: (at) => {
    const shape = chosen();
    if (shape && mayShrink(shape)) change(withoutPoint(shape, at));
  },
  finish: (kind, points) => {
    const shape = newShape(kind, freeName(kind, history.now), points, shownPicture);
    chosenId = shape.id;
    put([...history.now, shape]);
    say(t("traffic.is_drawn_give_it_a_name", { name: shape.name }));
    // On a touch screen, the keyboard would cover the new shape.
    if (!matchMedia("(pointer: coarse)").matches) details.focus();
  },
  drafted: renderTools,
  say,
});
const details = new Details(byId("details"), {
  change,
  remove,
  pictureMs: () => picture?.captured_at_ms ?? null,
});
const calibrating = new Calibrating(render);
const pictures = choosePicture((ms) => showPicture(ms));

function render() {
  const shape = chosen();
  const atMs = picture?.captured_at_ms ?? null;
  calibrating.show(shape);
  stage.show({
    shapes: history.now.filter((one) => one === shape || (holdsAt(one, atMs) && fits(one, shownPicture))),
    chosen: shape,
    picture: shownPicture,
    errorsPx: calibrating.errorsPx,
  });
  details.show(shape);
  refill(byId("shapes"), shapeList(history.now, shape, { ...shownPicture, atMs }, choose));
  renderTools();
}

function renderTools() {
  const { draft } = stage;
  for (const [kind, id] of Object.entries(TOOLS)) {
    byId(id).setAttribute("aria-pressed", String(draft?.kind === kind));
  }
  byId("drafting").hidden = !draft;
  control("finish", HTMLButtonElement).disabled = !stage.mayFinish;
  const isSame = !isChanged();
  control("undo", HTMLButtonElement).disabled = !history.past.length;
  control("redo", HTMLButtonElement).disabled = !history.future.length;
  control("save", HTMLButtonElement).disabled = isSame || isSaving;
  showZoneChart(isSame ? chosen() : null);
  const { revision } = stored;
  const saved = revision ? t("traffic.saved_revision", { revision }) : "";
  byId("saved").textContent =
    (isSaving && t("traffic.saving")) || (isSame ? saved : t("traffic.not_saved_yet"));
}

/** Links a stored zone to its chart. @param {Page.Shape|null} shape */
function showZoneChart(shape) {
  const link = byId("zone-chart");
  link.hidden = shape?.kind !== "zone" || !has("all");
  if (link.hidden || !(link instanceof HTMLAnchorElement)) return;
  const one = { ...state, sources: [source], zone: shape?.name ?? null, at: null };
  link.search = formatWhole(one, answeredOf(one));
}

/** @param {Api.SourceDrawing} drawing */
function setStored(drawing) {
  stored = { shapes: shapesOf(drawing), revision: drawing.revision };
}

/** @param {number|null} ms */
async function showPicture(ms) {
  try {
    picture = await askPicture(source, ms);
  } catch (error) {
    return fail(error);
  }
  const { width_px, height_px, image_url: url, captured_at_ms: at } = picture;
  const first = stored.shapes[0] ?? NO_PICTURE;
  shownPicture = {
    url,
    alt: at === null ? "" : `${byId("source-name").textContent}, ${moment(at)}`,
    width_px: width_px ?? first.width_px,
    height_px: height_px ?? first.height_px,
  };
  pictures.show(picture);
  render();
  showPaths();
}

async function showPaths() {
  const isWanted = control("show-paths", HTMLInputElement).checked;
  const at = picture?.captured_at_ms ?? null;
  if (!isWanted || at === null) {
    byId("paths-words").textContent = "";
    return stage.showPaths(null);
  }
  try {
    const paths = await askPaths(source, at, state.model);
    const labels = [...new Set(paths.paths.map(({ label }) => label))].sort();
    const colorOf = colorsOf(labels, labels);
    stage.showPaths((unit) => layerOf(paths, shownPicture, unit, colorOf));
    byId("paths-words").textContent = pathsWords(paths);
  } catch (error) {
    byId("paths-words").textContent = wordsOf(error);
  }
}

/** @param {unknown} error */
const fail = (error) => showFault(t("web.this_cannot_be_shown_title"), wordsOf(error));

async function load() {
  const { sources } = await get("sources", withValues("", { model: state.model }));
  hideNotice();
  source = state.sources[0] ?? sources[0]?.source ?? "";
  if (!source) {
    byId("editor").dataset.state = "empty";
    return showNothingYet(t("traffic.lines_are_drawn_over_pictures_of"));
  }
  const one = { ...state, sources: [source] };
  useZone(zoneOf(one));
  const drawing = await askDrawing(source);
  const select = control("source", HTMLSelectElement);
  const names = sources.map(({ source: slug, name }) => [slug, name]);
  if (!names.some(([slug]) => slug === source)) names.push([source, drawing.source_name]);
  fillSelect(select, names, source);
  byId("source-name").textContent = drawing.source_name;
  const counts = byId("counts");
  if (counts instanceof HTMLAnchorElement) counts.search = formatWhole({ ...one, at: null }, answeredOf(one));
  counts.hidden = !has("all");
  setStored(drawing);
  history = new History(stored.shapes);
  await showPicture(state.at ?? state.from);
  byId("desk").hidden = false; // only now is there a picture to draw over
  byId("editor").dataset.state = "ready";
}

function start() {
  load().catch((error) => showFailed(byId("editor"), error, start));
}

function listen() {
  for (const [kind, id] of Object.entries(TOOLS)) {
    byId(id).addEventListener("click", () => {
      stage.begin(/** @type {Page.ShapeKind} */ (kind));
      stage.drawing.focus();
      say(t("traffic.drawing_arrow_keys_move_the_cross"));
    });
  }
  byId("finish").addEventListener("click", () => stage.finish());
  byId("cancel").addEventListener("click", () => stage.cancel());
  byId("undo").addEventListener("click", undo);
  byId("redo").addEventListener("click", redo);
  byId("save").addEventListener("click", store);
  byId("show-paths").addEventListener("change", showPaths);
  byId("source").addEventListener("change", ({ target }) => {
    if (!(target instanceof HTMLSelectElement)) return;
    location.search = String(withValues(location.search, { source: target.value, at: null }));
  });
  addEventListener("beforeunload", (event) => {
    if (isChanged()) event.preventDefault();
  });
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "s") store();
    else if (event.target instanceof HTMLInputElement) return;
    else if (key === "z" && !event.shiftKey) undo();
    else if (key === "y" || key === "z") redo();
    else return;
    event.preventDefault();
  });
}

function undo() {
  if (stage.draft) return stage.takeBack();
  history.undo();
  render();
  say(t("traffic.undone"));
}

function redo() {
  history.redo();
  render();
  say(t("traffic.done_again"));
}

async function store() {
  if (isSaving || !isChanged()) return;
  isSaving = true;
  renderTools();
  try {
    await save(source, {
      shapes: () => history.now,
      stored: () => stored,
      choose,
      saved: (drawing) => {
        setStored(drawing);
        say(t("traffic.saved_revision_sentence", { revision: drawing.revision }));
      },
      merge: (drawing, shapes) => {
        setStored(drawing);
        put(shapes);
        say(t("traffic.look_at_it_and_save_it"));
      },
    });
  } finally {
    isSaving = false;
    render();
  }
}

listen();
hideNotice();
askForStrip();
start();
