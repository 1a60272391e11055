// A video in a hundred small pictures, which play while its card is pointed at or has the keyboard.

const TILES_A_SECOND = 8;

/** @typedef {{x: number, y: number, width: number, height: number}} Tile */

/** @type {Map<string, Promise<Tile[]>>} */
const known = new Map();
const MOST_KNOWN = 200;

/**
 * Where the small pictures lie, by what leads to them (WebVTT: a line `…#xywh=x,y,width,height` each).
 * @param {string} text
 * @returns {Tile[]}
 */
export const tilesIn = (text) =>
  [...text.matchAll(/#xywh=(\d+),(\d+),(\d+),(\d+)\s*$/gm)].map(([, ...numbers]) => {
    const [x, y, width, height] = numbers.map(Number);
    return { x, y, width, height };
  });

/** @param {string} url */
function tilesAt(url) {
  let asked = known.get(url);
  if (!asked) {
    asked = fetch(url).then(async (answer) => (answer.ok ? tilesIn(await answer.text()) : []));
    asked.catch(() => known.delete(url)); // away for now
    known.set(url, asked);
    const [oldest] = known.keys();
    if (known.size > MOST_KNOWN) known.delete(oldest);
  }
  return asked;
}

/**
 * Plays over a poster, as long as `area` is pointed at or has the keyboard; not for whom motion is too much.
 * @param {HTMLElement} area
 * @param {HTMLCanvasElement} canvas
 * @param {() => Page.Video["links"]} linksNow
 */
export function playSprite(area, canvas, linksNow) {
  /** @type {number|undefined} */
  let timer;
  let turn = 0;

  async function begin() {
    const { sprite, sprite_vtt: vtt } = linksNow();
    const mine = ++turn;
    if (!sprite || !vtt || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const sheet = new Image();
    sheet.src = sprite;
    try {
      const [tiles] = await Promise.all([tilesAt(vtt), sheet.decode()]);
      if (mine === turn && tiles.length) play(sheet, tiles);
    } catch {
      // Without it the poster stands there as before.
    }
  }

  /** @param {HTMLImageElement} sheet @param {Tile[]} tiles */
  function play(sheet, tiles) {
    const pen = canvas.getContext("2d");
    let at = 0;
    canvas.width = tiles[0].width;
    canvas.height = tiles[0].height;
    canvas.dataset.tiles = String(tiles.length);
    const draw = () => {
      const { x, y, width, height } = tiles[at % tiles.length];
      pen?.drawImage(sheet, x, y, width, height, 0, 0, canvas.width, canvas.height);
      canvas.dataset.tile = String(at % tiles.length);
      at += 1;
    };
    clearInterval(timer);
    timer = setInterval(draw, 1000 / TILES_A_SECOND);
    draw();
    canvas.hidden = false;
  }

  function end() {
    turn += 1;
    clearInterval(timer);
    canvas.hidden = true;
  }

  area.addEventListener("pointerenter", begin);
  area.addEventListener("pointerleave", end);
  area.addEventListener("focusin", begin);
  area.addEventListener("focusout", end);
  return end;
}
