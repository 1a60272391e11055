// What the pages ask the server about jobs, and what they send.

import { get, send } from "frametally/js/shared/api.js";

/**
 * @param {URLSearchParams} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<Page.Jobs>}
 */
export const askJobs = (query, signal) => /** @type {Promise<any>} */ (get(JOBS, query, signal));

/**
 * Has a failed or cancelled job done again.
 * @param {string} id
 * @returns {Promise<Page.Job>}
 */
export const sendAgain = (id) => send("POST", `jobs/${encodeURIComponent(id)}/retry`, {});

/**
 * @param {string} id
 * @returns {Promise<Page.Job>}
 */
export const sendCancel = (id) => send("POST", `jobs/${encodeURIComponent(id)}/cancel`, {});

const JOBS = /** @type {Api.Route} */ ("jobs");
