// What the account that a page was made for may do, as the page says. It asks for nothing else; the server decides.

const told = globalThis.document?.body.dataset.rights?.split(" ");

/**
 * Whether it has the role, or sees all sources.
 * @param {"look"|"correct"|"run"|"all"} right
 */
export const has = (right) => told?.includes(right) ?? true;

/** Whether a plug-in is here. @param {string} name */
export const isHere = (name) => globalThis.document?.body.dataset.plugins?.split(" ").includes(name) ?? false;
