// The colour of each label. Okabe and Ito's colours (2008), which colour-blind people can distinguish; the
// style sheet has their values for light and dark.

const COLORS = 6;

/** When the style sheet has its dark values, but not on paper. */
const DARK = "screen and (prefers-color-scheme: dark)";
/** @type {Map<string, string>} */
const known = new Map();

/**
 * A custom property of the style sheet, as it stands now (light or dark). Each is read once: to read one, the browser
 * styles the page anew.
 * @param {string} name
 */
export function themeColor(name) {
  const root = document.documentElement;
  const key = `${name} ${matchMedia(DARK).matches} ${root.className}`;
  const color = known.get(key) ?? getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  known.set(key, color);
  return color;
}

/**
 * Colours for the labels that are shown. A label keeps its colour whatever is filtered; only one beyond the
 * six most frequent takes a colour that is free, and the rest is grey.
 * @param {string[]} ranked  all labels, most frequent first
 * @param {string[]} shown  labels in the chart
 * @returns {Page.ColorOf}
 */
export function colorsOf(ranked, shown) {
  /** @type {Map<string, number>} */
  const slots = new Map();
  const rank = new Map(ranked.map((label, position) => [label, position]));
  /** @type {string[]} */
  const late = [];
  for (const label of shown) {
    const position = rank.get(label) ?? Infinity;
    if (position < COLORS) slots.set(label, position);
    else late.push(label);
  }
  const taken = new Set(slots.values());
  const free = [...Array(COLORS).keys()].filter((slot) => !taken.has(slot));
  late.forEach((label, position) => {
    if (position < free.length) slots.set(label, free[position]);
  });
  return (label) => {
    const slot = label === null ? undefined : slots.get(label);
    return themeColor(slot === undefined ? "series-other" : `series-${slot}`);
  };
}
