// Queries of addresses and requests.

/** @typedef {string|number|null|undefined} Value */

/**
 * A query in which these values stand, and nothing else under their names; empty ones are taken out.
 * @param {string|URLSearchParams} query
 * @param {Record<string, Value|Value[]>} values  a list stands there once for each
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
