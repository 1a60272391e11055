// What the viewer has chosen, and its form in the page's address: a link reproduces the view.

export const DEFAULT = Object.freeze({
  labels: [], // empty: all
  sources: [], // empty: all
  from: null, // ms since 1970; null: where the data begins
  to: null, // ms, exclusive; null: where the data ends
  interval: null, // seconds; null: the server chooses
  model: null, // null: the newest
  at: null, // ms, start of the bar whose frames are shown; null: all bars
  view: "chart", // or "table"
  boxes: true,
});

/** The state in a query string; what cannot be read is left at its default. */
export function parseState(search) {
  const query = new URLSearchParams(search);
  return {
    labels: unique(query.getAll("label")),
    sources: unique(query.getAll("source")),
    from: parseMoment(query.get("from")),
    to: parseMoment(query.get("to")),
    interval: /^[1-9]\d{0,11}$/.test(query.get("interval") ?? "") ? Number(query.get("interval")) : null,
    model: query.get("model") || null,
    at: parseMoment(query.get("at")),
    view: query.get("view") === "table" ? "table" : "chart",
    boxes: query.get("boxes") !== "off",
  };
}

/** The query string of a state, without what is at its default. */
export function formatState(state) {
  const query = new URLSearchParams();
  if (state.model) query.set("model", state.model);
  state.labels.forEach((label) => query.append("label", label));
  state.sources.forEach((source) => query.append("source", source));
  for (const name of ["from", "to", "at"]) {
    if (state[name] !== null) query.set(name, formatMoment(state[name]));
  }
  if (state.interval) query.set("interval", state.interval);
  if (state.view === "table") query.set("view", "table");
  if (!state.boxes) query.set("boxes", "off");
  // Colons are legible, and need no escape in a query.
  return String(query).replaceAll("%3A", ":");
}

/** Whether the state asks for everything. */
export function isUnfiltered(state) {
  return (
    !state.labels.length && !state.sources.length && state.from === null && state.to === null && !state.interval
  );
}

function unique(values) {
  return [...new Set(values.filter((value) => value))];
}

function parseMoment(text) {
  if (!text) return null;
  const moment = /^-?\d+$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isSafeInteger(moment) && Math.abs(moment) <= 8.64e15 ? moment : null;
}

function formatMoment(ms) {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
