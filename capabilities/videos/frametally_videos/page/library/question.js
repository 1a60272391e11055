// The question of the list, and its form in the page's address: a link shows others the same videos.

import { IN_WORK } from "./words.js";
import { t } from "frametally/js/shared/texts.js";

/** Videos on a page of the list. */
export const PAGE_SIZE = 48;

/**
 * @typedef {Object} Question
 * @property {string} text  found in names; empty: all
 * @property {string[]} sources  slugs; empty: all
 * @property {string} state  one of STATE_GROUPS; empty: all
 * @property {string} order  one of ORDERS
 */

/** @type {Record<string, Api.LibraryVideo["state"][]>} */
export const STATE_GROUPS = {
  work: IN_WORK,
  ready: ["ready"],
  needs_time: ["needs_time"],
  failed: ["failed"],
  deleting: ["deleting"],
};

/** By what, which way, and how that is called; the first is the usual one. @type {[order: string, direction: string, name: string][]} */
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
 * The address of a question; what else stands in the address stays, so that other pages are asked for the same.
 * @param {Question} question
 * @param {string} search
 */
export function addressOf({ text, sources, state, order }, search) {
  const query = new URLSearchParams(search);
  for (const name of ["q", "source", "state", "order", "direction"]) query.delete(name);
  if (text) query.set("q", text);
  for (const source of sources) query.append("source", source);
  if (state) query.set("state", state);
  if (order !== USUAL) {
    const [by, way] = order.split(":");
    query.set("order", by);
    query.set("direction", way);
  }
  return `?${query}`;
}

/**
 * The same as the API's query.
 * @param {Question} question
 * @param {string} cursor  empty: the first page
 */
export function queryOf({ text, sources, state, order }, cursor) {
  const [by, way] = order.split(":");
  const query = new URLSearchParams({ order: by, direction: way, limit: String(PAGE_SIZE) });
  if (text) query.set("q", text);
  for (const source of sources) query.append("source", source);
  for (const one of STATE_GROUPS[state] ?? []) query.append("state", one);
  if (cursor) query.set("cursor", cursor);
  return query;
}

/** Whether it leaves anything out. @param {Question} question */
export const isNarrow = ({ text, sources, state }) => Boolean(text || sources.length || state);
