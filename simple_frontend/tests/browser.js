// What the page's pure modules take from a browser, in Node.js; imported before them.

Object.assign(globalThis, {
  document: { documentElement: null },
  getComputedStyle: () => ({ getPropertyValue: (/** @type {string} */ name) => name }),
});
