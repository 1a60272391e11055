// A button that copies a text, and says whether it could.

/**
 * @param {string} text
 * @param {Element} button
 * @param {{done?: string, otherwise?: string}} [says]  what the button says then; where the browser refuses
 * @returns {Promise<boolean>} whether it was copied
 */
export async function copyText(text, button, { done = "Copied", otherwise = "Not copied" } = {}) {
  const usual = button.textContent;
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    isCopied = false;
  }
  button.textContent = isCopied ? done : otherwise;
  setTimeout(() => (button.textContent = usual), 2500);
  return isCopied;
}
