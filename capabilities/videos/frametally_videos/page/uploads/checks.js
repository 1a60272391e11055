// Checks of a file before and during its upload: the time in its container, the JSON of its region and
// calibration, how it is recognised after a reload, and its speed.

import { t } from "frametally/js/shared/texts.js";

const MOOV_BYTES = 256 * 1024;
const MATROSKA_BYTES = 256 * 1024;
const MOST_BOXES = 1000;
const MS_1904 = Date.UTC(1904, 0, 1);
const MS_2001 = Date.UTC(2001, 0, 1);
/** Before that, a clock was not set. */
const FIRST_MS = Date.UTC(1990, 0, 1);

/**
 * @param {Blob} file
 * @returns {Promise<number|null>} ms since 1970; null: it does not say, or not in a way known here
 */
export async function containerTime(file) {
  try {
    const ms = (await isMatroska(file)) ? await timeOfMatroska(file) : await timeOfMovie(file);
    return ms !== null && ms >= FIRST_MS && ms < Date.now() + 86_400_000 ? ms : null;
  } catch {
    return null; // cut, or no such file at all
  }
}

/** @param {Blob} file @param {number} from @param {number} length */
const read = async (file, from, length) => new DataView(await file.slice(from, from + length).arrayBuffer());

/** @param {Blob} file */
const isMatroska = async (file) => (await read(file, 0, 4)).getUint32(0) === 0x1a45dfa3;

/** MP4 and MOV: `moov`, wherever in the file it lies, begins with `mvhd`. @param {Blob} file */
async function timeOfMovie(file) {
  let at = 0;
  for (let count = 0; count < MOST_BOXES && at + 16 <= file.size; count += 1) {
    const head = await read(file, at, 16);
    const isLong = head.getUint32(0) === 1;
    const size = isLong ? Number(head.getBigUint64(8)) : head.getUint32(0);
    if (nameAt(head, 4) === "moov") return timeInMoov(await read(file, at + (isLong ? 16 : 8), MOOV_BYTES));
    if (size < 8) return null;
    at += size;
  }
  return null;
}

/** @param {DataView} moov */
function timeInMoov(moov) {
  for (let at = 0; at + 8 <= moov.byteLength; at += Math.max(moov.getUint32(at), 8)) {
    if (nameAt(moov, at + 4) !== "mvhd") continue;
    const isLong = moov.getUint8(at + 8) === 1;
    const seconds = isLong ? Number(moov.getBigUint64(at + 12)) : moov.getUint32(at + 12);
    return seconds ? MS_1904 + seconds * 1000 : null;
  }
  return null;
}

/** Matroska and WebM: DateUTC, in nanoseconds since 2001, near the beginning. @param {Blob} file */
async function timeOfMatroska(file) {
  const head = await read(file, 0, MATROSKA_BYTES);
  for (let at = 0; at + 11 <= head.byteLength; at += 1) {
    if (head.getUint16(at) === 0x4461 && head.getUint8(at + 2) === 0x88) {
      return MS_2001 + Number(head.getBigInt64(at + 3) / 1_000_000n);
    }
  }
  return null;
}

/** @param {DataView} data @param {number} at */
const nameAt = (data, at) => String.fromCharCode(...[0, 1, 2, 3].map((offset) => data.getUint8(at + offset)));

const MOST_BYTES = 64 * 1024;
const MOST_REGIONS = 32;
const MOST_POINTS = 64;
const MOST_PX = 100_000;
const LEAST_FOR_SPEED = 4;
const RECTANGLE = ["x", "y", "width", "height"];

/**
 * What is wrong with a text, as one sentence, or what is said of it when it is right.
 * @typedef {{isRight: boolean, words: string}} Verdict
 */

/** @param {string} text */
export const checkRegion = (text) => check(text, regionVerdict);

/** @param {string} text */
export const checkCalibration = (text) => check(text, calibrationVerdict);

class Wrong extends Error {}

/** @param {boolean} isRight @param {() => string} words  why not */
function need(isRight, words) {
  if (!isRight) throw new Wrong(words());
}

/**
 * @param {string} text
 * @param {(value: Record<string, unknown>) => string} verdict  throws Wrong
 * @returns {Verdict}
 */
function check(text, verdict) {
  if (!text.trim()) return { isRight: true, words: "" };
  try {
    need(new Blob([text]).size <= MOST_BYTES, () => t("videos.it_has_more_than_64_kb"));
    const value = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    need(isObject, () => t("videos.it_has_to_be_one_object"));
    return { isRight: true, words: verdict(value) };
  } catch (error) {
    if (error instanceof Wrong) return { isRight: false, words: error.message };
    if (!(error instanceof SyntaxError)) throw error;
    return { isRight: false, words: t("videos.it_is_no_json", { part: error.message }) };
  }
}

/** @param {Record<string, any>} roi */
function regionVerdict(roi) {
  if (!("regions" in roi)) return checkOne(roi, "");
  const { regions } = roi;
  const isList = Object.keys(roi).length === 1 && Array.isArray(regions);
  need(isList, () => t("videos.regions_has_to_be_a_list"));
  const isSome = regions.length > 0 && regions.length <= MOST_REGIONS;
  need(isSome, () => t("videos.there_have_to_be_1_to", { MOST_REGIONS }));
  regions.forEach((/** @type {unknown} */ region, /** @type {number} */ at) =>
    checkOne(region, `regions[${at}].`),
  );
  return regions.length === 1 ? t("videos.one_region") : t("videos.regions", { length: regions.length });
}

/** @param {any} region @param {string} place */
function checkOne(region, place) {
  const names = Object.keys(region ?? {});
  if (RECTANGLE.every((name) => names.includes(name)) && names.length === RECTANGLE.length) {
    for (const name of RECTANGLE) checkNumber(region[name], `${place}${name}`, 0);
    need(region.width > 0 && region.height > 0, () => t("videos.width_and_height_have_to_be", { place }));
    return t("videos.a_rectangle_of_pixels", { width: region.width, height: region.height });
  }
  if (names.includes("points") && names.every((name) => name === "points" || name === "name")) {
    checkPoints(region.points, `${place}points`, 0);
    return t("videos.a_region_of_points", { length: region.points.length });
  }
  throw new Wrong(
    place ? t("videos.has_to_be_a_region", { place: place.slice(0, -1) }) : t("videos.it_has_to_be_a_region"),
  );
}

/** @param {Record<string, any>} calibration */
function calibrationVerdict({ points, metres, ...others }) {
  const unknown = Object.keys(others).find((name) => name !== "name");
  need(points !== undefined && !unknown, () => t("videos.it_has_to_have_points_and"));
  checkPoints(points, "points", 0);
  if (metres !== undefined && !(Array.isArray(metres) && !metres.length))
    checkPoints(metres, "metres", -MOST_PX);
  const lengths = { length: points.length, length2: metres?.length };
  need(!metres?.length || metres.length === points.length, () =>
    t("videos.it_has_points_and_metres_of", lengths),
  );
  if (points.length >= LEAST_FOR_SPEED && metres?.length)
    return t("videos.points_with_metres", { length: points.length });
  const known = metres?.length ? t("videos.all_with_metres") : t("videos.none_with_metres");
  return t("videos.of_at_least_points_no_speed", { length: points.length, LEAST_FOR_SPEED, known });
}

/** @param {any} points @param {string} place @param {number} least */
function checkPoints(points, place, least) {
  const isList = Array.isArray(points) && points.length > 0 && points.length <= MOST_POINTS;
  need(isList, () => t("videos.has_to_be_a_list_of", { place, MOST_POINTS }));
  points.forEach((/** @type {any} */ point, /** @type {number} */ at) => {
    need(Array.isArray(point) && point.length === 2, () => t("videos.has_to_be_x_y", { place, at }));
    point.forEach((/** @type {unknown} */ value, /** @type {number} */ axis) =>
      checkNumber(value, `${place}[${at}][${axis}]`, least),
    );
  });
}

/** @param {unknown} value @param {string} place @param {number} least */
function checkNumber(value, place, least) {
  const isRight = typeof value === "number" && value >= least && value <= MOST_PX;
  need(isRight, () => t("videos.has_to_be_a_number_from", { place, least, MOST_PX }));
}

const FIRST_BYTES = 1024 * 1024;

/** Of its name, its size, when it was changed last, and its first MiB. @param {File} file */
export async function fingerprint(file) {
  const first = new Uint8Array(await file.slice(0, FIRST_BYTES).arrayBuffer());
  return ["frametally", file.name, file.size, file.lastModified, hash(first)].join("-");
}

/**
 * FNV-1a twice, from two beginnings: told apart must be a handful of files, not what somebody makes on purpose. (What
 * browsers have for that they do not have on pages without TLS.)
 * @param {Uint8Array} data
 */
export function hash(data) {
  let [one, other] = [0x811c9dc5, 0x9dc5811c];
  for (const byte of data) {
    one = Math.imul(one ^ byte, 0x01000193);
    other = Math.imul(other ^ byte, 0x01000193);
  }
  return [one, other].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}

const WINDOW_MS = 6000;
const LEAST_MS = 800;

export class Speed {
  constructor() {
    /** @type {[ms: number, bytes: number][]} */
    this.seen = [];
  }

  /** It stood still, or went back: what was before tells nothing. */
  forget() {
    this.seen = [];
  }

  /** @param {number} now  ms @param {number} bytes  sent so far */
  note(now, bytes) {
    if (bytes < (this.seen.at(-1)?.[1] ?? 0)) this.forget();
    this.seen.push([now, bytes]);
    while (this.seen.length > 2 && now - this.seen[0][0] > WINDOW_MS) this.seen.shift();
  }

  /** Bytes a second; null while it is too early to tell. */
  get rate() {
    const [first, last] = [this.seen[0], this.seen.at(-1)];
    if (!first || !last || last[0] - first[0] < LEAST_MS) return null;
    return ((last[1] - first[1]) * 1000) / (last[0] - first[0]);
  }

  /** Milliseconds until `total` bytes are sent; null while it is too early to tell. @param {number} total */
  left(total) {
    const { rate } = this;
    return rate ? ((total - (this.seen.at(-1)?.[1] ?? 0)) / rate) * 1000 : null;
  }
}
