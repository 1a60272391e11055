// A camera on the wall: its newest frame, how it stands, and what can be done with it.

import { el, withCode } from "frametally/js/shared/dom.js";
import { speak, wordsOf } from "frametally/js/shell/saying.js";
import { visible } from "frametally_videos/library/words.js";
import { sendCameraRemoval, sendTurn } from "./asking.js";
import { LastHour } from "./counted.js";
import { cameraFacts, cameraWords, standing } from "./words.js";

export class CameraCard {
  /**
   * @param {Api.LiveCamera} camera
   * @param {() => void} onChange  something was changed here
   * @param {(source: string) => void} onOpen  it is to be seen large
   */
  constructor(camera, onChange, onOpen) {
    this.onChange = onChange;
    /** @type {Api.LiveCamera|null} */
    this.camera = null;
    this.image = el("img", { alt: "", decoding: "async", hidden: true });
    this.image.addEventListener("error", () => (this.image.hidden = true));
    this.image.addEventListener("load", () => (this.image.hidden = false));
    this.sign = el("p", { class: "video-stamp live-sign" });
    this.name = el("bdi");
    this.facts = el("p", { class: "muted small live-facts" });
    this.reason = el("p", { class: "small live-reason", hidden: true });
    this.open = el(
      "button",
      { type: "button", class: "live-open", onclick: () => onOpen(this.camera?.source ?? "") },
      this.name,
    );
    this.turn = el("button", { type: "button", class: "button", onclick: () => this.#turn() });
    this.remove = el("button", {
      type: "button",
      class: "button danger",
      text: "Remove",
      onclick: () => this.#remove(),
    });
    this.hour = new LastHour(camera);
    this.tools = el("div", { class: "live-tools" }, this.turn, this.remove);
    this.fault = el("p", { class: "form-said", role: "alert", hidden: true });
    this.element = el(
      "li",
      { class: "live-camera" },
      el("div", { class: "poster" }, this.image, this.sign),
      el("h2", {}, this.open),
      this.facts,
      this.reason,
      this.hour.element,
      this.tools,
      this.fault,
    );
  }

  /** @param {Api.LiveCamera} camera @param {boolean} isAllowed  whether it may be changed */
  show(camera, isAllowed) {
    const before = this.camera;
    this.camera = camera;
    const { name, frame_url: url, reason } = camera;
    if (url && url !== before?.frame_url) this.image.src = `${url}&w=640`;
    this.element.dataset.standing = standing(camera);
    this.element.dataset.source = camera.source;
    this.name.textContent = visible(name);
    this.sign.textContent = cameraWords(camera);
    this.facts.textContent = cameraFacts(camera);
    this.reason.replaceChildren(...withCode(visible(reason ?? "")));
    this.reason.hidden = !reason;
    this.isOn = camera.state !== "ended" && camera.state !== "failed" && camera.wanted !== "stop";
    this.turn.textContent = this.isOn ? "Stop" : "Start";
    this.turn.setAttribute("aria-label", `${this.isOn ? "Stop" : "Start"} ${name}`);
    this.remove.setAttribute("aria-label", `Remove ${name}`);
    this.remove.hidden = this.isOn || camera.state === "stopping";
    this.tools.hidden = !isAllowed;
  }

  #turn() {
    const what = this.isOn ? "stop" : "start";
    this.#do(() => sendTurn(this.camera?.source ?? "", what), what === "stop" ? "is stopped" : "is started");
  }

  #remove() {
    this.#do(() => sendCameraRemoval(this.camera?.source ?? ""), "is removed; its counts stay");
  }

  /** @param {() => Promise<unknown>} what @param {string} words */
  async #do(what, words) {
    this.fault.hidden = true;
    this.turn.disabled = this.remove.disabled = true;
    try {
      await what();
      speak(`${this.camera?.name} ${words}`);
      this.onChange();
    } catch (error) {
      this.fault.textContent = wordsOf(error);
      this.fault.hidden = false;
    }
    this.turn.disabled = this.remove.disabled = false;
  }
}
