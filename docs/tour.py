#!/usr/bin/env python3
"""Makes the README's animated picture: counts the demo clip, and films its page in Chromium.

python docs/tour.py     needs Chromium and FFmpeg; writes docs/pictures/tour.gif
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pictures import COMMAND, ROOT, launched, served

if TYPE_CHECKING:
    from playwright.sync_api import Page

TOUR = ROOT / "docs/pictures/tour.gif"
SIZE = {"width": 1100, "height": 820}
WIDTH_PX, FRAMES_S, COLOURS = 820, 5, 112
AT_MOST_BYTES = 3_000_000
POINTER = """() => {
  const pointer = document.createElement("div");
  Object.assign(pointer.style, {position: "fixed", width: "18px", height: "18px", borderRadius: "50%",
    zIndex: "9999", background: "rgb(220 60 40 / 70%)", border: "2px solid white", pointerEvents: "none",
    left: "-30px"});
  document.body.append(pointer);
  addEventListener("mousemove", ({clientX, clientY}) => Object.assign(pointer.style,
    {left: `${clientX - 9}px`, top: `${clientY - 9}px`}), true);
}"""


class _Camera:
    """Takes pictures of a page, one after the other."""

    def __init__(self, page: Page, folder: Path) -> None:
        self._page, self._folder, self._taken = page, folder, 0

    def film(self, seconds: float) -> None:
        """Take pictures for that long, in the GIF's time."""
        for _ in range(round(seconds * FRAMES_S)):
            self._page.screenshot(path=self._folder / f"{self._taken:04}.png")
            self._taken += 1
            self._page.wait_for_timeout(40)


def tour(page: Page, url: str, folder: Path) -> None:
    """Move over the bars, open one, and play its frames."""
    page.goto(f"{url}/?metric=detections")
    page.wait_for_timeout(3000)
    page.evaluate(POINTER)
    camera = _Camera(page, folder)
    camera.film(2)
    page.locator("#chart").evaluate("(chart) => chart.scrollIntoView({block: 'center'})")
    chart = page.locator("#chart").bounding_box()
    assert chart is not None  # noqa: S101 - for the type checker
    middle = chart["y"] + chart["height"] * 0.6
    for share in (0.15, 0.3, 0.45, 0.6):
        page.mouse.move(chart["x"] + chart["width"] * share, middle, steps=5)
        camera.film(0.8)
    page.mouse.click(chart["x"] + chart["width"] * 0.6, middle)
    play = page.get_by_role("button", name="Play", exact=True)
    play.wait_for()
    page.locator("#frames").evaluate("(frames) => frames.scrollIntoView({block: 'end'})")
    page.wait_for_timeout(1500)
    camera.film(1.6)
    play.click()
    camera.film(6)


def main() -> None:
    """Take the pictures and assemble them."""
    with tempfile.TemporaryDirectory() as name, launched() as browser:
        folder = Path(name)
        demo = [COMMAND, "demo", "--no-serve", "--data-dir", f"{folder}/data"]
        subprocess.run(demo, check=True)  # noqa: S603
        with served(folder, "serve", "--alone") as url:
            tour(browser.new_page(viewport=SIZE, locale="en-GB", timezone_id="UTC"), url, folder)
        filters = (
            f"scale={WIDTH_PX}:-1:flags=lanczos,split[a][b];[a]palettegen=max_colors={COLOURS}:stats_mode=diff[p];"
            "[b][p]paletteuse=dither=none:diff_mode=rectangle"
        )
        pictures = ["-framerate", str(FRAMES_S), "-i", f"{folder}/%04d.png"]
        command = ["ffmpeg", "-y", "-loglevel", "error", *pictures, "-vf", filters, str(TOUR)]
        subprocess.run(command, check=True)  # noqa: S603
    size = TOUR.stat().st_size
    if size > AT_MOST_BYTES:
        raise SystemExit(f"{TOUR} has {size} bytes, more than {AT_MOST_BYTES}: take fewer pictures")


if __name__ == "__main__":
    main()
