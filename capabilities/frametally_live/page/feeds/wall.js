// The wall: all cameras, requested repeatedly while the page is visible; one of them may be open and large.

import { withValues } from "frametally/js/shared/address.js";
import { ApiError, get } from "frametally/js/shared/api.js";
import { arrange, byId, control } from "frametally/js/shared/dom.js";
import { hideNothing, showNothing } from "frametally/js/status/nothing.js";
import { press, showFault, showFresh, showOutage, wordsOf } from "frametally/js/status/notices.js";
import { isStreaming } from "frametally/js/status/live.js";
import { askPreview, sendCamera } from "./requests.js";
import { isRunning, standing } from "./words.js";
import { askCounted, CameraCard } from "./card.js";
import { LargeCamera } from "./large.js";
import { drawImage } from "./picture.js";
import { startSearch } from "./search.js";
import { t } from "frametally/js/shared/texts.js";

const LOOK_EVERY_MS = 2000;
/** The server announces new counts, but says nothing while there are none. */
const COUNT_EVERY_MS = 30_000;
const OPEN = "camera";

const page = byId("live-page");
const wall = byId("cameras");
const place = byId("large");
const form = control("add", HTMLFormElement);
const picture = control("add-picture", HTMLCanvasElement);
const fields = {
  source: control("add-source", HTMLInputElement),
  address: control("add-address", HTMLInputElement),
  transport: control("add-transport", HTMLSelectElement),
};

const ADD = { words: t("live.add_a_camera"), onclick: () => openForm(true), primary: true };
/** @type {Map<string, CameraCard>} */
const cards = new Map();
/** @type {LargeCamera|null} */
let large = null;
/** The cameras of the last answer. @type {Api.LiveCamera[]} */
let cameras = [];
/** The last requested counts of a source. @type {((source: string) => import("./card.js").Counted)|null} */
let counted = null;
/** When the cameras in view were loaded. @type {number|null} */
let since = null;
let isAsking = false;

/** @returns {{look: () => void, count: () => void}}  requests everything again, or only the counts */
export function startWall() {
  byId("add-open").addEventListener("click", () => openForm(form.hidden));
  startSearch((source, address) => {
    openForm(true);
    fields.source.value = source;
    fields.address.value = address;
    form.scrollIntoView({ block: "nearest" });
  });
  form.addEventListener("submit", add);
  byId("add-preview").addEventListener("click", preview);
  // Rates and pictures change while a camera runs; the event stream announces all other changes.
  const isAsked = () => !document.hidden && (cameras.some(isRunning) || !isStreaming());
  setInterval(() => isAsked() && look(), LOOK_EVERY_MS);
  setInterval(() => isAsked() && count(), COUNT_EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || look());
  addEventListener("popstate", showLarge);
  look();
  return { look, count };
}

/** @param {boolean} isOpen */
function openForm(isOpen) {
  form.hidden = !isOpen;
  byId("add-tried").hidden = byId("add-said").hidden = picture.hidden = true;
  byId("add-open").setAttribute("aria-expanded", String(isOpen));
  if (isOpen) fields.source.focus();
}

async function count() {
  if (!cards.size) return;
  try {
    counted = await askCounted();
    showCounted();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // keep the cameras in view; the page's notice names the part that is not responding
  }
}

function showCounted() {
  if (!counted) return;
  for (const [source, card] of cards) if (!card.camera?.simulated) card.showCounted(counted(source));
  if (large && !large.camera.simulated) large.hour.show(counted(large.source), true);
}

async function look() {
  if (isAsking) return;
  isAsking = true;
  try {
    show(await get("cameras"));
    since = Date.now();
    showFresh(since);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (since === null) page.dataset.state = "failed";
    if (error.passes) showOutage(error, since, look, t("live.the_cameras_are_out_of_reach"));
    else showFault(t("live.the_cameras_cannot_be_shown"), wordsOf(error));
  } finally {
    isAsking = false;
    page.setAttribute("aria-busy", "false");
  }
}

/** @param {Api.LiveCameras} answer */
function show({ cameras: told, live_allowed: isAllowed, remedy }) {
  cameras = told;
  page.dataset.state = cameras.length ? "ready" : "empty";
  byId("add-open").hidden = byId("search").hidden = !isAllowed;
  byId("live-off").hidden = isAllowed;
  byId("live-off").textContent = t("live.cameras_cannot_be_changed_here", { remedy: remedy ?? "" });
  const hint = isAllowed ? t("live.there_is_no_camera_yet_add") : t("live.cameras_appear_here");
  if (cameras.length) hideNothing();
  else showNothing(t("live.there_is_no_camera_yet"), hint, isAllowed ? ADD : null);
  const live = cameras.filter((camera) => standing(camera) === "live").length;
  byId("live-said").textContent = cameras.length
    ? t("live.cameras_live", { length: t("live.count_cameras", { count: cameras.length }), live })
    : "";
  const there = new Set(cameras.map(({ source }) => source));
  for (const source of cards.keys()) if (!there.has(source)) cards.delete(source);
  const isMore = cameras.some(({ source }) => !cards.has(source));
  const elements = cameras.map((camera) => {
    const card = cards.get(camera.source) ?? new CameraCard(camera, look, open);
    cards.set(camera.source, card);
    card.show(camera, isAllowed);
    return card.element;
  });
  arrange(wall, elements);
  // Open the only camera.
  if (since === null && cameras.length === 1 && !new URLSearchParams(location.search).has(OPEN))
    history.replaceState(null, "", addressOf(cameras[0].source));
  showLarge();
  if (isMore) count();
}

/** @param {string|null} source  `null` if none is open */
const addressOf = (source) => `?${withValues(location.search, { [OPEN]: source })}`;

/** The address names the open camera. */
function showLarge() {
  const source = new URLSearchParams(location.search).get(OPEN);
  const camera = cameras.find((one) => one.source === source);
  if (large && large.source !== camera?.source) {
    large.end();
    large = null;
    place.replaceChildren();
  }
  place.hidden = !camera;
  if (camera && !large) {
    large = new LargeCamera(camera, () => open(null));
    place.replaceChildren(large.element);
    showCounted();
  } else if (camera) large?.show(camera);
}

/** @param {string|null} source  `null` for none */
function open(source) {
  const before = new URLSearchParams(location.search).get(OPEN);
  history.pushState(null, "", addressOf(source));
  showLarge();
  if (source) {
    place.focus({ preventScroll: true });
    place.scrollIntoView({ block: "nearest" });
  } else cards.get(before ?? "")?.open.focus();
}

/** Sends a form and shows the result. @param {() => Promise<string>} ask  returns the result in words */
async function trying(ask) {
  const tried = byId("add-tried");
  picture.hidden = true;
  tried.textContent = t("live.trying_the_camera_for_up_to");
  tried.hidden = false;
  const isDone = await press([...form.querySelectorAll("button")], byId("add-said"), async () => {
    for (const input of Object.values(fields)) input.removeAttribute("aria-invalid");
    try {
      tried.textContent = await ask();
    } catch (error) {
      const { parameter } = /** @type {{parameter?: string}} */ (error);
      const input = Object.entries(fields).find(([name]) => name === parameter)?.[1];
      input?.setAttribute("aria-invalid", "true");
      input?.focus();
      throw error;
    }
  });
  tried.hidden = !isDone;
}

const wantedCamera = () => ({
  source: fields.source.value,
  address: fields.address.value,
  transport: fields.transport.value,
});

/** @param {SubmitEvent} event */
function add(event) {
  event.preventDefault();
  return trying(async () => {
    const { name, trial } = await sendCamera(wantedCamera());
    form.reset();
    form.hidden = true;
    byId("add-open").ariaExpanded = "false";
    byId("add-open").focus();
    look();
    return `${t("live.is_added", { name })} ${trial ?? ""}`.trim();
  });
}

function preview() {
  if (!form.reportValidity()) return;
  trying(async () => {
    const { trial, picture: jpeg } = await askPreview(wantedCamera());
    if (!jpeg) throw new ApiError(0, trial, "", { parameter: "address" });
    await drawPicture(jpeg);
    return trial;
  });
}

/** @param {string} jpeg  in base64 */
async function drawPicture(jpeg) {
  const bytes = Uint8Array.from(atob(jpeg), (character) => character.charCodeAt(0));
  drawImage(picture, await createImageBitmap(new Blob([bytes], { type: "image/jpeg" })));
  picture.hidden = false;
}
