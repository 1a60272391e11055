// A socket to the server, which tells this browser alone of the videos that it has uploaded. Each message carries all
// that there is to know of its thing, and each connection begins with the whole: nothing is lost by a cut.

import { tellJob, tellNews } from "./news.js";

const SHORTEST_MS = 1000;
const LONGEST_MS = 30_000;
/** Whoever is silent for so long is gone: the server speaks every 20 s. */
const SILENCE_MS = 45_000;
/** The server takes no socket of this browser. */
const REFUSED = 1008;

/**
 * How long to wait before the next try.
 * @param {number} failures  tries in a row that came to nothing
 */
export const backoff = (failures) => Math.min(SHORTEST_MS * 2 ** Math.max(failures - 1, 0), LONGEST_MS);

/**
 * Holds a socket while the page is seen.
 * @param {string} clientId
 */
export function holdSocket(clientId) {
  /** @type {WebSocket|null} */
  let socket = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  let failures = 0;
  let isRefused = false;

  function open() {
    clearTimeout(timer);
    if (socket || document.hidden || isRefused) return;
    const address = new URL(`/ws/${encodeURIComponent(clientId)}`, location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const mine = new WebSocket(address);
    socket = mine;
    listenForSilence(mine);
    mine.addEventListener("message", ({ data }) => {
      listenForSilence(mine);
      if (typeof data === "string" && take(JSON.parse(data))) failures = 0;
    });
    mine.addEventListener("close", ({ code }) => {
      if (socket === mine) end(code === REFUSED);
    });
  }

  /** @param {boolean} refused */
  function end(refused) {
    socket = null;
    isRefused = refused;
    failures += 1;
    clearTimeout(timer);
    timer = setTimeout(open, backoff(failures));
  }

  /** @param {WebSocket} mine */
  function listenForSilence(mine) {
    clearTimeout(timer);
    timer = setTimeout(() => {
      mine.close();
      if (socket === mine) end(false);
    }, SILENCE_MS);
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return open();
    clearTimeout(timer);
    const old = socket;
    socket = null;
    old?.close();
  });
  addEventListener("online", () => {
    failures = 0;
    open();
  });
  open();
}

/**
 * Takes a message in; whether it is the first of a connection.
 * @param {{type: string} & Partial<Page.ToldJob>} message
 */
function take(message) {
  if (message.type === "job") tellJob(/** @type {Page.ToldJob} */ (/** @type {unknown} */ (message)));
  if (message.type === "hello" || message.type === "video") tellNews();
  return message.type === "hello";
}
