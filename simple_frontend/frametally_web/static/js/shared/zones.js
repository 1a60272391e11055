// Time zones: the browser's own, and the one in which times are shown. Imports nothing: time.js needs it.

/** The time zone that this browser is in. */
export const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

let unchosen = OWN_ZONE;

/** Where none is chosen, UTC: bars of the browser's zone cannot be made of what is stored. */
export function giveUpOwnZone() {
  unchosen = "UTC";
}

/** Whether the browser's own zone can be shown. */
export const hasOwnZone = () => unchosen === OWN_ZONE;

/** @param {Page.State} state */
export const zoneOf = (state) => state.timezone ?? unchosen;

/** @param {string|null} name */
export function isZone(name) {
  if (!name) return false;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return !/^[+-]/.test(name);
  } catch {
    return false;
  }
}
