// The zones that are drawn over the sources' pictures: one of them narrows all that is shown to what stands in it.

/**
 * What can be chosen of the sources that are shown, by name; what is chosen is among them, counted or not.
 * @param {Page.State} state
 * @param {Api.SourceRange[]} sources
 * @returns {{name: string, title: string}[]}
 */
export function zonesOf(state, sources) {
  const shown = sources.filter(({ source }) => !state.sources.length || state.sources.includes(source));
  const names = [
    ...new Set([...shown.flatMap(({ zones }) => zones), ...(state.zone ? [state.zone] : [])]),
  ].sort();
  return names.map((name) => {
    const where = shown.filter(({ zones }) => zones.includes(name)).map((one) => one.name);
    return { name, title: sources.length > 1 && where.length ? `${name} (${where.join(", ")})` : name };
  });
}

/**
 * The choice of sources; a zone that none of them has is none any more.
 * @param {string[]} chosen  empty: all
 * @param {Page.State} state
 * @param {Api.SourceRange[]} sources
 * @returns {Partial<Page.State>}
 */
export function withSources(chosen, state, sources) {
  const stays = sources.some(
    ({ source, zones }) =>
      (!chosen.length || chosen.includes(source)) && zones.some((name) => name === state.zone),
  );
  return state.zone && !stays ? { sources: chosen, zone: null } : { sources: chosen };
}
