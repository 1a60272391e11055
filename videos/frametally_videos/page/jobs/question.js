// Which jobs the page shows, and its form in the page's address: a link shows others the same.

import { KINDS } from "./words.js";

/**
 * @typedef {Object} Question
 * @property {string} state  one of SECTIONS; empty: all
 * @property {string} kind  empty: all
 */

/** What stands together, in this order. @type {[name: string, title: string, states: Page.JobState[]][]} */
export const SECTIONS = [
  ["running", "Running", ["running"]],
  ["failed", "Failed", ["failed"]],
  ["queued", "Waiting", ["queued"]],
  ["ended", "Ended", ["done", "cancelled"]],
];

/** Jobs that a section shows before more are asked for. */
export const PAGE_SIZE = 50;

/** @param {string} search @returns {Question} */
export function parseQuestion(search) {
  const query = new URLSearchParams(search);
  const state = query.get("state") ?? "";
  const kind = query.get("kind") ?? "";
  return {
    state: SECTIONS.some(([name]) => name === state) ? state : "",
    kind: Object.hasOwn(KINDS, kind) ? kind : "",
  };
}

/**
 * The address of a question; what else stands in the address stays.
 * @param {Question} question
 * @param {string} search
 */
export function addressOf({ state, kind }, search) {
  const query = new URLSearchParams(search);
  query.delete("state");
  query.delete("kind");
  if (state) query.set("state", state);
  if (kind) query.set("kind", kind);
  return `?${query}`;
}

/**
 * The same as the API's query.
 * @param {string} kind
 * @param {Page.JobState[]} states
 * @param {string} cursor  empty: the first page
 */
export function queryOf(kind, states, cursor) {
  const query = new URLSearchParams({ limit: String(PAGE_SIZE) });
  for (const state of states) query.append("state", state);
  if (kind) query.set("kind", kind);
  if (cursor) query.set("cursor", cursor);
  return query;
}
