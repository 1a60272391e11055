// Two who have drawn at one time: what both have left, and what only one of them can have.

import { bodyOf } from "./shapes.js";

/** @typedef {{shapes: Page.Shape[], both: string[]}} Merged */

/**
 * Their drawing with what I have changed in it.
 * @param {Page.Shape[]} base  what both began with
 * @param {Page.Shape[]} mine
 * @param {Page.Shape[]} theirs
 * @returns {Merged}  `both` has the names of what both have changed, each to something else: there it is mine
 */
export function merged(base, mine, theirs) {
  const [before, own, other] = [base, mine, theirs].map(byKey);
  /** @type {string[]} */
  const both = [];
  /** @type {Page.Shape[]} */
  const shapes = [];
  for (const key of new Set([...other.keys(), ...own.keys()])) {
    const [was, my, their] = [before.get(key), own.get(key), other.get(key)];
    const isMine = textOf(my) !== textOf(was);
    const isTheirs = textOf(their) !== textOf(was);
    if (isMine && isTheirs && textOf(my) !== textOf(their)) both.push((my ?? their)?.name ?? "");
    const chosen = isMine ? my : their;
    if (chosen) shapes.push(chosen);
  }
  return { shapes, both };
}

/**
 * Whether two drawings are the same, in whatever order.
 * @param {Page.Shape[]} one
 * @param {Page.Shape[]} other
 */
export function areSame(one, other) {
  const texts = [one, other].map((shapes) => JSON.stringify(shapes.map(textOf).sort()));
  return texts[0] === texts[1];
}

/** @param {Page.Shape[]} shapes */
const byKey = (shapes) => new Map(shapes.map((one) => [`${one.kind} ${one.from_ms} ${one.name}`, one]));

/** @param {Page.Shape|undefined} shape */
const textOf = (shape) => (shape ? `${shape.kind} ${JSON.stringify(bodyOf(shape))}` : "");
