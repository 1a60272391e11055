// What the page's pure modules take from a browser, in Node.js; imported before them.

import * as luxon from "luxon";

Object.defineProperty(globalThis, "navigator", { value: { language: "en" } });
Object.assign(globalThis, {
  window: { luxon },
  document: { documentElement: null },
  getComputedStyle: () => ({ getPropertyValue: (/** @type {string} */ name) => name }),
});
