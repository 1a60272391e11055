// Replaces the package `url-parse` for the upload library, with the browser's own URL.

/**
 * Resolves an address against another one, which may be relative to the page.
 * @param {string} link
 * @param {string} base
 */
export default function Address(link, base) {
  return new URL(link, new URL(base, location.href));
}
