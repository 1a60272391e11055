// Regions and calibrations as pasted JSON, checked while they are typed, by the rules of the server, which has the
// last word.

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

/** @param {string} text @returns {Verdict} */
export const checkRegion = (text) => check(text, regionVerdict);

/** @param {string} text @returns {Verdict} */
export const checkCalibration = (text) => check(text, calibrationVerdict);

class Wrong extends Error {}

/**
 * @param {string} text
 * @param {(value: Record<string, unknown>) => string} verdict  throws Wrong
 * @returns {Verdict}
 */
function check(text, verdict) {
  if (!text.trim()) return { isRight: true, words: "" };
  try {
    if (new TextEncoder().encode(text).length > MOST_BYTES) throw new Wrong("It has more than 64 kB.");
    const value = parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new Wrong("It has to be one object: { … }.");
    }
    return { isRight: true, words: verdict(/** @type {Record<string, unknown>} */ (value)) };
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    return { isRight: false, words: error.message };
  }
}

/** @param {string} text */
function parse(text) {
  try {
    return /** @type {unknown} */ (JSON.parse(text));
  } catch (error) {
    throw new Wrong(`It is no JSON: ${error instanceof Error ? error.message : error}`);
  }
}

/** @param {Record<string, unknown>} roi */
function regionVerdict(roi) {
  if (!("regions" in roi)) return checkOne(roi, "");
  const { regions } = roi;
  if (Object.keys(roi).length > 1 || !Array.isArray(regions))
    throw new Wrong("“regions” has to be a list, alone.");
  if (!regions.length || regions.length > MOST_REGIONS)
    throw new Wrong(`There have to be 1 to ${MOST_REGIONS} regions.`);
  regions.forEach((region, at) => checkOne(region, `regions[${at}].`));
  return regions.length === 1 ? "One region." : `${regions.length} regions.`;
}

/** @param {any} region @param {string} place */
function checkOne(region, place) {
  const names = Object.keys(region ?? {});
  if (RECTANGLE.every((name) => names.includes(name)) && names.length === RECTANGLE.length) {
    for (const name of RECTANGLE) checkNumber(region[name], `${place}${name}`, 0);
    if (!(region.width > 0 && region.height > 0))
      throw new Wrong(`${place}width and height have to be over 0.`);
    return `A rectangle of ${region.width} × ${region.height} pixels.`;
  }
  if (names.includes("points") && names.every((name) => name === "points" || name === "name")) {
    checkPoints(region.points, `${place}points`, 0);
    return `A region of ${region.points.length} points.`;
  }
  throw new Wrong(`${place || "It "}has to be x, y, width and height, or points.`.replace(".has", " has"));
}

/** @param {Record<string, any>} calibration */
function calibrationVerdict({ points, metres, ...others }) {
  const unknown = Object.keys(others).find((name) => name !== "name");
  if (points === undefined || unknown) throw new Wrong("It has to have points, and may have metres.");
  checkPoints(points, "points", 0);
  if (metres !== undefined && !(Array.isArray(metres) && !metres.length))
    checkPoints(metres, "metres", -MOST_PX);
  if (metres?.length && metres.length !== points.length) {
    throw new Wrong(`It has ${points.length} points and metres of ${metres.length}.`);
  }
  if (points.length >= LEAST_FOR_SPEED && metres?.length) return `${points.length} points with metres.`;
  const known = metres?.length ? "all with metres" : "none with metres";
  return `${points.length} of at least ${LEAST_FOR_SPEED} points, ${known}: no speed.`;
}

/** @param {unknown} points @param {string} place @param {number} least */
function checkPoints(points, place, least) {
  if (!Array.isArray(points) || !points.length || points.length > MOST_POINTS) {
    throw new Wrong(`${place} has to be a list of 1 to ${MOST_POINTS} points.`);
  }
  points.forEach((point, at) => {
    if (!Array.isArray(point) || point.length !== 2) throw new Wrong(`${place}[${at}] has to be [x, y].`);
    point.forEach((value, axis) => checkNumber(value, `${place}[${at}][${axis}]`, least));
  });
}

/** @param {unknown} value @param {string} place @param {number} least */
function checkNumber(value, place, least) {
  if (typeof value !== "number" || !Number.isFinite(value) || value < least || value > MOST_PX) {
    throw new Wrong(`${place} has to be a number from ${least} to ${MOST_PX}.`);
  }
}
