// The wall: all cameras, asked for again and again while the page is seen; one of them may be open, large.

import { ApiError } from "frametally/js/shared/api.js";
import { byId, control, withCode } from "frametally/js/shared/dom.js";
import { plural } from "frametally/js/shared/format.js";
import { wordsOf } from "frametally/js/shell/saying.js";
import { showFault, showFresh, showOutage } from "frametally/js/status/notices.js";
import { askCameras, sendCamera } from "./asking.js";
import { CameraCard } from "./camera.js";
import { askCounted } from "./counted.js";
import { LargeCamera } from "./large.js";
import { standing } from "./words.js";

const LOOK_EVERY_MS = 2000;
/** New counts are told of; that time goes by without any is not. */
const COUNT_EVERY_MS = 30_000;
const OPEN = "camera";

const page = byId("live-page");
const wall = byId("cameras");
const place = byId("large");
const form = control("add", HTMLFormElement);
const fields = {
  source: control("add-source", HTMLInputElement),
  address: control("add-address", HTMLInputElement),
  transport: control("add-transport", HTMLSelectElement),
};

/** By source. @type {Map<string, CameraCard>} */
const cards = new Map();
/** @type {LargeCamera|null} */
let large = null;
/** As they were last told. @type {Api.LiveCamera[]} */
let cameras = [];
/** What was counted of a source, as it was last asked for. @type {((source: string) => import("./counted.js").Counted)|null} */
let counted = null;
/** When what is shown was loaded. @type {number|null} */
let since = null;
let isAsking = false;

/** @returns {{look: () => void, count: () => void}} to look at once, at all or at what was counted */
export function startWall() {
  const opener = byId("add-open");
  opener.addEventListener("click", () => {
    form.hidden = !form.hidden;
    byId("add-tried").hidden = true;
    opener.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) fields.source.focus();
  });
  form.addEventListener("submit", add);
  setInterval(() => document.hidden || look(), LOOK_EVERY_MS);
  setInterval(() => document.hidden || count(), COUNT_EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || look());
  addEventListener("popstate", showLarge);
  look();
  return { look, count };
}

async function count() {
  if (!cards.size) return;
  try {
    counted = await askCounted();
    showCounted();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error; // what is shown stays; the page's notice speaks of who is away
  }
}

function showCounted() {
  if (!counted) return;
  for (const [source, card] of cards) card.hour.show(counted(source), false);
  large?.hour.show(counted(large.source), true);
}

async function look() {
  if (isAsking) return;
  isAsking = true;
  try {
    show(await askCameras());
    since = Date.now();
    showFresh(since);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (since === null) page.dataset.state = "failed";
    if (error.passes) showOutage(error, since, look, "The cameras are out of reach");
    else showFault("The cameras cannot be shown", `${error.message} ${error.remedy}`);
  } finally {
    isAsking = false;
    page.setAttribute("aria-busy", "false");
  }
}

/** @param {Api.LiveCameras} answer */
function show({ cameras: told, live_allowed: isAllowed, remedy }) {
  cameras = told;
  page.dataset.state = cameras.length ? "ready" : "empty";
  byId("add-open").hidden = !isAllowed;
  byId("live-off").hidden = isAllowed;
  byId("live-off").textContent = `Cameras cannot be changed here. ${remedy ?? ""}`;
  byId("nothing").hidden = cameras.length > 0;
  const nothing = isAllowed
    ? "There is no camera yet: add one by its address, or with `frametally live add`."
    : "There is no camera yet.";
  byId("nothing").replaceChildren(...withCode(nothing));
  const live = cameras.filter((camera) => standing(camera) === "live").length;
  byId("live-said").textContent = cameras.length ? `${plural(cameras.length, "camera")}, ${live} live` : "";
  const there = new Set(cameras.map(({ source }) => source));
  for (const [source, card] of cards) {
    if (there.has(source)) continue;
    card.element.remove();
    cards.delete(source);
  }
  const isMore = cameras.some(({ source }) => !cards.has(source));
  cameras.forEach((camera, position) => {
    const card = cards.get(camera.source) ?? new CameraCard(camera, look, open);
    cards.set(camera.source, card);
    card.show(camera, isAllowed);
    if (wall.children[position] !== card.element) wall.insertBefore(card.element, wall.children[position]);
  });
  showLarge();
  if (isMore) count();
}

/** Which one is open stands in the address. */
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

/** @param {string|null} source  null: none */
function open(source) {
  const address = new URL(location.href);
  const before = address.searchParams.get(OPEN);
  if (source) address.searchParams.set(OPEN, source);
  else address.searchParams.delete(OPEN);
  history.pushState(null, "", address);
  showLarge();
  if (source) {
    place.focus({ preventScroll: true });
    place.scrollIntoView({ block: "nearest" });
  } else cards.get(before ?? "")?.open.focus();
}

/** @param {SubmitEvent} event */
async function add(event) {
  event.preventDefault();
  const said = byId("add-said");
  said.hidden = true;
  const button = form.querySelector("button");
  if (button) button.disabled = true;
  const tried = byId("add-tried");
  tried.textContent = "Trying the camera, for up to 10 s…";
  tried.hidden = false;
  try {
    const { name, trial } = await sendCamera({
      source: fields.source.value,
      address: fields.address.value,
      transport: fields.transport.value,
    });
    form.reset();
    form.hidden = true;
    byId("add-open").setAttribute("aria-expanded", "false");
    byId("add-open").focus();
    tried.textContent = `${name} is added. ${trial ?? ""}`.trim();
    await look();
  } catch (error) {
    tried.hidden = true;
    said.textContent = wordsOf(error);
    said.hidden = false;
  }
  if (button) button.disabled = false;
}
