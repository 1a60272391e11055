// Buttons by which a person has something done to a job.

import { speak, wordsOf } from "frametally/js/shell/saying.js";
import { tellNews } from "../library/news.js";

/**
 * Sends for the job whenever the button is pressed; what went wrong stands in `said`.
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} said
 * @param {() => string|undefined} idNow  of the job that is shown
 * @param {(id: string) => Promise<Page.Job>} send
 * @param {string} done  what is spoken then
 */
export function sendOnPress(button, said, idNow, send, done) {
  button.addEventListener("click", async () => {
    const id = idNow();
    if (id === undefined) return;
    button.disabled = true;
    said.hidden = true;
    try {
      await send(id);
      speak(done);
    } catch (error) {
      said.textContent = wordsOf(error);
      said.hidden = false;
    }
    button.disabled = false;
    tellNews();
  });
}
