// Looking closer at a picture: by wheel, pinch, double tap, buttons and keys; and moving it, where it is larger than
// its place. The picture grows in the page's own layout, so that names stay legible and it is moved by scrolling.

const MOST = 8;
const DOUBLE_TAP = { within_ms: 350, within_px: 30, zoom: 2.5 };
const PAN_PX = 80;

export class Zoom {
  /** @param {HTMLElement} stage  shows a picture as large as its own custom property --zoom says */
  constructor(stage) {
    this.stage = stage;
    this.times = 1;
    /** @type {Map<number, PointerEvent>} */
    this.pointers = new Map();
    this.tapped = { at_ms: -Infinity, x: 0, y: 0 };
    /** @type {{x: number, y: number}} */
    this.began = { x: 0, y: 0 };
    stage.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        // A pinch on a touch pad comes as a wheel with "Ctrl", in smaller steps.
        this.by(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), event);
      },
      { passive: false },
    );
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", (event) => this.#up(event));
    stage.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
  }

  /** The whole picture. */
  reset() {
    this.#set(1);
  }

  /**
   * @param {number} factor
   * @param {{clientX: number, clientY: number}} [at]  what lies there stays there; default: the middle
   */
  by(factor, at = this.#middle()) {
    this.#set(this.times * factor, at);
  }

  /**
   * @param {number} across  so many steps
   * @param {number} down
   */
  pan(across, down) {
    this.stage.scrollBy(across * PAN_PX, down * PAN_PX);
  }

  #middle() {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return { clientX: left + width / 2, clientY: top + height / 2 };
  }

  /**
   * @param {number} times
   * @param {{clientX: number, clientY: number}} [at]
   */
  #set(times, at = this.#middle()) {
    const picture = this.stage.firstElementChild;
    const before = picture?.getBoundingClientRect();
    this.times = Math.min(Math.max(times, 1), MOST);
    this.stage.style.setProperty("--zoom", String(this.times));
    this.stage.classList.toggle("closer", this.times > 1);
    if (!picture || !before?.width) return;
    const after = picture.getBoundingClientRect();
    const [right, down] = [
      (at.clientX - before.left) / before.width,
      (at.clientY - before.top) / before.height,
    ];
    this.stage.scrollBy(
      after.left + right * after.width - at.clientX,
      after.top + down * after.height - at.clientY,
    );
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 1) this.began = { x: event.clientX, y: event.clientY };
    if (event.pointerType === "mouse") this.stage.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const [other] = [...this.pointers.values()].filter((one) => one.pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (other) {
      const between = (/** @type {PointerEvent} */ one) =>
        Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
      this.by(between(event) / between(before), {
        clientX: (event.clientX + other.clientX) / 2,
        clientY: (event.clientY + other.clientY) / 2,
      });
    } else if (this.times > 1) {
      this.stage.scrollBy(before.clientX - event.clientX, before.clientY - event.clientY);
    }
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const isTap =
      this.pointers.size === 1 &&
      Math.hypot(event.clientX - this.began.x, event.clientY - this.began.y) < DOUBLE_TAP.within_px / 3;
    this.pointers.delete(event.pointerId);
    if (!isTap) return;
    const { at_ms: last, x, y } = this.tapped;
    this.tapped = { at_ms: event.timeStamp, x: event.clientX, y: event.clientY };
    const isNear = Math.hypot(event.clientX - x, event.clientY - y) < DOUBLE_TAP.within_px;
    if (!isNear || event.timeStamp - last > DOUBLE_TAP.within_ms) return;
    this.tapped.at_ms = -Infinity;
    if (this.times > 1) this.reset();
    else this.#set(DOUBLE_TAP.zoom, event);
  }
}
