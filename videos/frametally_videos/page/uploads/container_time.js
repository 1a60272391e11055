// When a file says that it was filmed, as a hint before it is uploaded. What counts is what the server reads in it.

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
