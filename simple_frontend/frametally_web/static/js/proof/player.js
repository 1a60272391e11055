// Playing through frames: each stands as long as the footage says, within bounds, and until the next one is here.

const LEAST_MS = 60;
const MOST_MS = 800;

export class Player {
  /**
   * @param {Object} on
   * @param {() => Promise<{wait_ms: number}|null>} on.prepare  fetches the next frame; null: there is none
   * @param {() => void} on.step
   * @param {(isPlaying: boolean) => void} on.change
   */
  constructor(on) {
    this.on = on;
    this.isPlaying = false;
    this.round = 0;
  }

  toggle() {
    if (this.isPlaying) this.stop();
    else this.#play();
  }

  stop() {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    this.round += 1;
    this.on.change(false);
  }

  async #play() {
    this.isPlaying = true;
    const mine = (this.round += 1);
    this.on.change(true);
    while (this.round === mine) {
      const shownAt = performance.now();
      const next = await this.on.prepare();
      if (this.round !== mine) return;
      if (!next) break;
      const wait = Math.min(Math.max(next.wait_ms, LEAST_MS), MOST_MS) - (performance.now() - shownAt);
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (this.round !== mine) return;
      this.on.step();
    }
    this.stop();
  }
}
