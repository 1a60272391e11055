// The colour of each label: Okabe and Ito's colours (2008), which colour-blind people can distinguish; the style
// sheet has their values for light and dark.

const COLORS = 6;

/** When the style sheet uses its dark values; never on paper. */
const DARK = "screen and (prefers-color-scheme: dark)";
/** @type {Map<string, string>} */
const known = new Map();

/**
 * A custom property's current value (light or dark). Values are cached, because reading one recalculates all styles.
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
 * Colours for the labels in view. A label keeps its colour in every filter; only a label beyond the six most frequent
 * takes a free colour, and the rest is grey.
 * @param {string[]} ranked  all labels, most frequent first
 * @param {string[]} shown  labels in the chart
 * @returns {Page.ColorOf}
 */
export function colorsOf(ranked, shown) {
  const top = ranked.slice(0, COLORS);
  const late = shown.filter((label) => !top.includes(label));
  const free = [...Array(COLORS).keys()].filter((slot) => !shown.includes(top[slot]));
  const slots = new Map(
    shown.map((label) => [label, top.includes(label) ? top.indexOf(label) : free[late.indexOf(label)]]),
  );
  return (label) => {
    const slot = label === null ? undefined : slots.get(label);
    return themeColor(slot === undefined ? "series-other" : `series-${slot}`);
  };
}
