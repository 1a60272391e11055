// Facts about a file before and during its upload: the time in its container, its region and calibration, its
// fingerprint after a reload, and its speed.

import { t } from "frametally/js/shared/texts.js";

/** The creation time is within this many bytes. */
const HEAD_BYTES = 256 * 1024;
const MOST_BOXES = 1000;
const MS_1904 = Date.UTC(1904, 0, 1);
const MS_2001 = Date.UTC(2001, 0, 1);
/** An earlier time means that a clock was not set. */
const FIRST_MS = Date.UTC(1990, 0, 1);

/**
 * @param {Blob} file
 * @returns {Promise<number|null>}  ms since 1970; `null` if the file does not contain it in a supported form
 */
export async function containerTime(file) {
  try {
    const ms = (await isMatroska(file)) ? await timeOfMatroska(file) : await timeOfMovie(file);
    return ms !== null && ms >= FIRST_MS && ms < Date.now() + 86_400_000 ? ms : null;
  } catch {
    return null; // truncated, or not a video file
  }
}

/** @param {Blob} file @param {number} from @param {number} length */
const read = async (file, from, length) => new DataView(await file.slice(from, from + length).arrayBuffer());

/** @param {Blob} file */
const isMatroska = async (file) => (await read(file, 0, 4)).getUint32(0) === 0x1a45dfa3;

/** MP4 and MOV: `moov`, anywhere in the file, begins with `mvhd`. @param {Blob} file */
async function timeOfMovie(file) {
  let at = 0;
  for (let count = 0; count < MOST_BOXES && at + 16 <= file.size; count += 1) {
    const head = await read(file, at, 16);
    const isLong = head.getUint32(0) === 1;
    const size = isLong ? Number(head.getBigUint64(8)) : head.getUint32(0);
    if (nameAt(head, 4) === "moov") return timeInMoov(await read(file, at + (isLong ? 16 : 8), HEAD_BYTES));
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
  const head = await read(file, 0, HEAD_BYTES);
  for (let at = 0; at + 11 <= head.byteLength; at += 1) {
    if (head.getUint16(at) === 0x4461 && head.getUint8(at + 2) === 0x88) {
      return MS_2001 + Number(head.getBigInt64(at + 3) / 1_000_000n);
    }
  }
  return null;
}

/** @param {DataView} data @param {number} at */
const nameAt = (data, at) => String.fromCharCode(...[0, 1, 2, 3].map((offset) => data.getUint8(at + offset)));

const LEAST_FOR_SPEED = 4;
const RECTANGLE = ["x", "y", "width", "height"];

/** Whether this is a list of [x, y]. @param {any} points */
const arePoints = (points) =>
  Array.isArray(points) &&
  points.every((one) => Array.isArray(one) && one.length === 2 && one.every(Number.isFinite));

/** A region, or a list of regions, in words; `null` if invalid. @param {any} value @returns {string|null} */
export function regionWords(value) {
  const { regions, points, width, height } = value ?? {};
  if (Array.isArray(regions)) {
    if (!regions.length || !regions.every(regionWords)) return null;
    return regions.length === 1 ? t("videos.one_region") : t("videos.regions", { length: regions.length });
  }
  if (arePoints(points)) return t("videos.a_region_of_points", { length: points.length });
  const isRectangle = RECTANGLE.every((name) => Number.isFinite(value?.[name]));
  return isRectangle ? t("videos.a_rectangle_of_pixels", { width, height }) : null;
}

/** What a calibration provides, in words; `null` if invalid. @param {any} value */
export function calibrationWords(value) {
  const { points, metres = [] } = value ?? {};
  if (!arePoints(points) || !arePoints(metres)) return null;
  const { length } = points;
  if (length >= LEAST_FOR_SPEED && metres.length) return t("videos.points_with_metres", { length });
  const known = metres.length ? t("videos.all_with_metres") : t("videos.none_with_metres");
  return t("videos.of_at_least_points_no_speed", { length, LEAST_FOR_SPEED, known });
}

/**
 * @param {string} text
 * @param {(value: any) => string|null} wordsFor
 * @param {string} otherwise
 * @returns {[said: string, fault: string]}  neither property if nothing was typed
 */
export function verdictOn(text, wordsFor, otherwise) {
  if (!text.trim()) return ["", ""];
  try {
    const said = wordsFor(JSON.parse(text));
    return said === null ? ["", otherwise] : [said, ""];
  } catch (error) {
    return ["", t("videos.it_is_no_json", { part: /** @type {Error} */ (error).message })];
  }
}

const FIRST_BYTES = 1024 * 1024;

/** Identifies a file by its name, size, modification time and first MiB. @param {File} file */
export async function fingerprint(file) {
  const first = new Uint8Array(await file.slice(0, FIRST_BYTES).arrayBuffer());
  return ["frametally", file.name, file.size, file.lastModified, hash(first)].join("-");
}

/**
 * FNV-1a with two seeds. It only needs to distinguish a handful of files and need not resist attacks; Web Crypto is
 * not available on pages without TLS.
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

  /** Discards earlier measurements after a pause or a step back. */
  forget() {
    this.seen = [];
  }

  /** @param {number} now  ms @param {number} bytes  sent so far */
  note(now, bytes) {
    if (bytes < (this.seen.at(-1)?.[1] ?? 0)) this.forget();
    this.seen.push([now, bytes]);
    while (this.seen.length > 2 && now - this.seen[0][0] > WINDOW_MS) this.seen.shift();
  }

  /** Bytes per second; `null` until it can be measured. */
  get rate() {
    const [first, last] = [this.seen[0], this.seen.at(-1)];
    if (!first || !last || last[0] - first[0] < LEAST_MS) return null;
    return ((last[1] - first[1]) * 1000) / (last[0] - first[0]);
  }

  /** Milliseconds until `total` bytes are sent; `null` until it can be estimated. @param {number} total */
  left(total) {
    const { rate } = this;
    return rate ? ((total - (this.seen.at(-1)?.[1] ?? 0)) / rate) * 1000 : null;
  }
}
