// Browser globals that the page's pure modules need in Node.js; import this before them.

Object.assign(globalThis, {
  document: { documentElement: { className: "" }, body: { dataset: {} }, getElementById: () => null },
  location: { search: "" },
  IntersectionObserver: class {},
  addEventListener() {},
  matchMedia: () => ({ matches: false }),
  getComputedStyle: () => ({ getPropertyValue: (/** @type {string} */ name) => name }),
});
