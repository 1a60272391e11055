// The choice of the page's language in its header. A cookie stores it, so it does not need an account.

const YEAR_S = 31_536_000;

const choice = /** @type {HTMLSelectElement | null} */ (
  globalThis.document?.getElementById?.("language") ?? null
);
if (choice)
  choice.addEventListener("change", () => {
    document.cookie = `language=${choice.value}; path=/; max-age=${YEAR_S}; SameSite=Lax`;
    location.reload();
  });
