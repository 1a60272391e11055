// Which picture is drawn over: the first of the source from a time on.

import { byId, control } from "frametally/js/shared/dom.js";
import { fromInput, moment, toInput } from "frametally/js/shared/format.js";
import { plus } from "frametally/js/shared/time.js";

/** @type {Record<string, Parameters<typeof plus>[1]>} */
const STEPS = {
  second: { seconds: 1 },
  minute: { minutes: 1 },
  hour: { hours: 1 },
  day: { days: 1 },
};

/** @param {(ms: number) => void} onChoose */
export function choosePicture(onChoose) {
  const time = control("picture-time", HTMLInputElement);
  const step = control("picture-step", HTMLSelectElement);
  /** @type {number|null} */
  let now = null;
  time.addEventListener("change", () => {
    const ms = fromInput(time.value);
    if (ms !== null) onChoose(ms);
  });
  /** @param {1|-1} sign */
  const go = (sign) => {
    if (now === null) return;
    const by = Object.entries(STEPS[step.value] ?? STEPS.minute).map(([unit, count]) => [unit, count * sign]);
    onChoose(plus(now, Object.fromEntries(by)));
  };
  byId("picture-earlier").addEventListener("click", () => go(-1));
  byId("picture-later").addEventListener("click", () => go(1));
  return {
    /** @param {Api.StoredPicture} picture */
    show(picture) {
      now = picture.captured_at_ms;
      time.value = now === null ? "" : toInput(now);
      byId("picture-words").textContent = now === null ? "" : `Picture of ${moment(now)}`;
    },
  };
}
