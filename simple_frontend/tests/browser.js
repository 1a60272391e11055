// What the page's pure modules take from a browser, in Node.js; imported before them.

Object.assign(globalThis, {
  document: { documentElement: { className: "" }, body: { dataset: {} }, getElementById: () => null },
  location: { search: "" },
  IntersectionObserver: class {},
  addEventListener() {},
  matchMedia: () => ({ matches: false }),
  getComputedStyle: () => ({ getPropertyValue: (/** @type {string} */ name) => name }),
});
