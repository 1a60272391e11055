// Takes the place of the package `url-parse` in the library of uploads, with what each browser has.

/** An address as seen from another one, which may be relative to the page. @param {string} link @param {string} base */
export default function Address(link, base) {
  return new URL(link, new URL(base, location.href));
}
