// The choice of the page's language in its header. A cookie stores it, so it does not need an account.

const YEAR_S = 31_536_000;

globalThis.document?.getElementById?.("language")?.addEventListener("change", ({ target }) => {
  const { value } = /** @type {HTMLSelectElement} */ (target);
  document.cookie = `language=${value}; path=/; max-age=${YEAR_S}; SameSite=Lax`;
  location.reload();
});
