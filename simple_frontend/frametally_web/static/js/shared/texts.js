// The page's texts in the viewer's language. `fetch_assets.py` replaces each key with its text.

const LANGUAGE = globalThis.document?.documentElement.lang || "en";
/** The locale of numbers and times. */
export const LOCALE = LANGUAGE === "en" ? "en-GB" : LANGUAGE;

const plurals = new Intl.PluralRules(LOCALE);
const whole = new Intl.NumberFormat(LOCALE);

/**
 * A text with values for its {names}. `count` is formatted in the language, and chooses the plural form.
 * @param {string|Record<string, string>} text  its key in languages/en.json; at run time the text, or one per plural
 *   form
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

/** Joins the existing parts. @param {(string|number|false|null|undefined)[]} parts @param {string} [between] */
export const joined = (parts, between = " · ") => parts.filter(Boolean).join(between);

/** A name for use within a sentence: English needs lower case. @param {string} name */
export const inSentence = (name) => (LANGUAGE === "en" ? name.toLowerCase() : name);
