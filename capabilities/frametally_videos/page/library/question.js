// The filter of the list, in its form and in the page's address: a link shows the same videos.

import { withValues } from "frametally/js/shared/address.js";
import { IN_WORK } from "./words.js";
import { t } from "frametally/js/shared/texts.js";

/** Videos on a page of the list. */
export const PAGE_SIZE = 48;

/**
 * @typedef {Object} Question
 * @property {string} text  part of a name; empty means all
 * @property {string[]} sources  slugs; empty means all
 * @property {string} state  one of `STATE_GROUPS`; empty means all
 * @property {string} order  one of `ORDERS`
 */

/** @type {Record<string, Api.LibraryVideo["state"][]>} */
export const STATE_GROUPS = {
  work: IN_WORK,
  ready: ["ready"],
  needs_time: ["needs_time"],
  failed: ["failed"],
  deleting: ["deleting"],
};

/**
 * Sort keys with their direction and name, default first.
 * @type {[order: string, direction: string, name: string][]}
 */
export const ORDERS = [
  ["uploaded", "desc", t("videos.newest_upload_first")],
  ["uploaded", "asc", t("videos.oldest_upload_first")],
  ["filmed", "desc", t("videos.filmed_last_first")],
  ["filmed", "asc", t("videos.filmed_first_first")],
  ["name", "asc", t("videos.name_a_to_z")],
  ["name", "desc", t("videos.name_z_to_a")],
  ["length", "desc", t("videos.longest_first")],
  ["length", "asc", t("videos.shortest_first")],
  ["size", "desc", t("videos.largest_first")],
  ["size", "asc", t("videos.smallest_first")],
];

const USUAL = "uploaded:desc";

/** @param {string} search @returns {Question} */
export function parseQuestion(search) {
  const query = new URLSearchParams(search);
  const state = query.get("state") ?? "";
  const order = `${query.get("order") ?? "uploaded"}:${query.get("direction") ?? "desc"}`;
  return {
    text: query.get("q") ?? "",
    sources: [...new Set(query.getAll("source").filter(Boolean))],
    state: Object.hasOwn(STATE_GROUPS, state) ? state : "",
    order: ORDERS.some(([by, way]) => `${by}:${way}` === order) ? order : USUAL,
  };
}

/**
 * The address of a filter; it keeps the other parameters, so that links to other pages keep the selection.
 * @param {Question} question
 * @param {string} search
 */
export function addressOf({ text, sources, state, order }, search) {
  const [by, direction] = order === USUAL ? [] : order.split(":");
  return `?${withValues(search, { q: text, source: sources, state, order: by, direction })}`;
}

/**
 * The filter as the API's query.
 * @param {Question} question
 * @param {string} cursor  empty for the first page
 */
export function queryOf({ text, sources, state, order }, cursor) {
  const [by, direction] = order.split(":");
  const asked = { order: by, direction, limit: PAGE_SIZE, q: text, source: sources };
  return withValues("", { ...asked, state: STATE_GROUPS[state], cursor });
}

/** Whether the filter excludes any videos. @param {Question} question */
export const isNarrow = ({ text, sources, state }) => Boolean(text || sources.length || state);
