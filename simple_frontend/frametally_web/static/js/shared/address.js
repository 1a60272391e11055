// Query strings of addresses and requests.

/** @typedef {string|number|null|undefined} Value */

/**
 * A query with these values instead of its own under the same names; empty values are removed.
 * @param {string|URLSearchParams} query
 * @param {Record<string, Value|Value[]>} values  a list is repeated once per item
 */
export function withValues(query, values) {
  const changed = new URLSearchParams(query);
  for (const [name, value] of Object.entries(values)) {
    changed.delete(name);
    for (const one of [value].flat())
      if (one !== null && one !== undefined && one !== "") changed.append(name, String(one));
  }
  return changed;
}
