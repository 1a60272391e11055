// The texts of the page in the viewer's language. `fetch_assets.py` replaces each key with its text.

const LANGUAGE = globalThis.document?.documentElement.lang || "en";
/** What numbers and times are written by. */
export const LOCALE = LANGUAGE === "en" ? "en-GB" : LANGUAGE;

const plurals = new Intl.PluralRules(LOCALE);
const whole = new Intl.NumberFormat(LOCALE);

/**
 * A text with values for its {names}. `count` is written as the language writes numbers, and chooses the plural.
 * @param {string|Record<string, string>} text  its key in languages/en.json; when it runs, the text, or one for each plural
 * @param {Record<string, unknown>} [values]
 * @returns {string}
 */
export function t(text, values = {}) {
  const { count } = values;
  const form = typeof text === "string" ? text : (text[plurals.select(Number(count))] ?? text.other);
  return form.replace(/\{(\w+)\}/g, (_, name) =>
    name === "count" && typeof count === "number" ? whole.format(count) : String(values[name]),
  );
}

/** What there is of some words. @param {(string|number|false|null|undefined)[]} parts @param {string} [between] */
export const joined = (parts, between = " · ") => parts.filter(Boolean).join(between);

/** A name within a sentence, where English writes it small. @param {string} name */
export const inSentence = (name) => (LANGUAGE === "en" ? name.toLowerCase() : name);
