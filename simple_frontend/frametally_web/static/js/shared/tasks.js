// Long work in short tasks: between them the browser answers hands, and paints.

/** @type {{yield?: () => Promise<void>}|undefined} */
const scheduler = /** @type {any} */ (globalThis).scheduler;

/** @returns {Promise<void>} what comes after it is a task of its own */
export const nextTask = () => scheduler?.yield?.() ?? new Promise((resolve) => setTimeout(resolve));

/**
 * When the page is laid out and painted: who asks for places and sizes then has them for nothing.
 * @param {() => void} then
 */
export const afterFrame = (then) => requestAnimationFrame(() => setTimeout(then));
