"""Names stay readable next to numbers of nine digits on every page: a camera has these after a year."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.accounts.people import PASSWORD, give_accounts
from tests.web.browser import Page, Place, Visit, Visits
from tests.web.test_pages_in_browser import paths_of_pages

from frametally.plugins import plugins
from frametally.records import Coverage, IntervalCount

pytestmark = pytest.mark.thorough

NAMES = [
    "Camera-01",
    "Camera-02",
    "Market Square, camera 2 on the north side (temporary, until the works are over)",
    "Bahnhofstraße/Ecke Lindenallee Fahrradzählstelle",
]
LABELS = ["car", "person", "articulated lorry with a trailer of more than 3.5 t"]
CUT = """(most) => {
  const canvas = document.createElement("canvas").getContext("2d");
  const isSeen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const cut = [];
  for (const element of document.body.querySelectorAll("*")) {
    const words = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    const text = words.map((node) => node.data).join("").trim();
    if (!text || !isSeen(element) || element.closest("canvas, svg, .visually-hidden")) continue;
    const style = getComputedStyle(element);
    // The browser draws an ellipsis in place of the whole of a button that is too long for its line.
    const line = element.parentElement;
    const isOver = element.getBoundingClientRect().right > line.getBoundingClientRect().right + 1;
    if (getComputedStyle(line).textOverflow === "ellipsis" && style.display !== "inline" && isOver)
      cut.push(`${element.className || element.tagName}: ${text} (0 px)`);
    if (style.overflowX === "visible" || element.scrollWidth <= element.clientWidth + 1) continue;
    canvas.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    const asked = canvas.measureText(text.slice(0, most)).width;
    const inner = element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (inner + 1 < asked) cut.push(`${element.className}: ${text} (${inner} of ${asked} px)`);
  }
  return [...new Set(cut)];
}"""
"""Finds texts with fewer than `most` visible characters."""
OPEN = """() => {
  for (const one of document.querySelectorAll("details")) one.open = true;
}"""


@pytest.fixture
def year(place: Place) -> Place:
    """Four sources of 160,000,000 frames each, with short and long names."""
    also: tuple[list[IntervalCount], list[Coverage]] = ([], [])
    for number, name in enumerate(NAMES):
        counts, coverage = place.film(
            dict.fromkeys(LABELS, 6.0),
            source=name.lower()[:40].strip(" (") if number < 2 else f"source-{number}",
            name=name,
            intervals=4,
            frames=40_000_000,
            also=also,
            seed=number,
        )
        also = ([*also[0], *counts], [*also[1], *coverage])
    return place


def fill_capabilities(place: Place, page: Page) -> None:
    """Add videos and cameras with such names and numbers, if those capabilities are installed."""
    here = {plugin.name for plugin in plugins()}
    if "videos" in here:
        from tests.videos.made_up_videos import Shelf, make_video, uncounted

        frames = dict.fromkeys(("expected", "announced", "detected", "counted"), 160_000_000)
        known: dict[str, Any] = {"labels": dict.fromkeys(LABELS, 158_112_000), "duration_s": 31_622_400.0}
        Shelf(
            *(
                make_video(number, name=name, source_name=name, frames=frames, **known)
                for number, name in enumerate(NAMES)
            ),
            uncounted(7, "detecting", name=NAMES[2], frames=frames | {"detected": 158_112_000}),
        ).serve(page)
    if "live" in here:
        from tests.live.watching import Scene

        scene = Scene(place)
        for name in NAMES:
            scene.tell(scene.camera(name), state="running", lag_ms=158_112_000, packets_lost=158_112_000)


def cut(page: Page) -> list[str]:
    """Texts that are truncated to fewer than 12 characters."""
    found: list[str] = page.evaluate(CUT, 12)
    return found


@pytest.mark.parametrize("width_px", [1440, 390])
def test_no_page_shortens_a_name_below_a_readable_width(
    year: Place, visit: Visits, picture: Callable[[Page, str], None], width_px: int
) -> None:
    give_accounts(year)
    paths = paths_of_pages(year.app())
    window: Visit = visit(year, viewport={"width": width_px, "height": 900})
    page = window.page
    fill_capabilities(year, page)
    page.goto(f"{window.url}/sign-in")
    page.locator("#name").fill("lukas")
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    window.settled()
    found = {}
    for path in paths:
        page.goto(f"{window.url}{path}", wait_until="load")
        page.wait_for_load_state("networkidle") if path != "/" else window.settled()
        page.evaluate(OPEN)
        page.mouse.wheel(0, 20_000)  # loaded on display
        page.wait_for_timeout(300)
        picture(page, f"long-names{path.replace('/', '-')}-{width_px}")
        found[path] = cut(page)
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width_px:
            found[path].append(f"the page is {wide} px wide")
    page.goto(f"{window.url}/")
    window.settled()
    for noun in ("sources", "labels"):
        page.locator(f"#{noun}-chip").click()
        for number in range(1, 4):
            page.locator(f"#{noun}-list [role=option]").nth(number).hover()
            found[f"{noun} {number}"] = cut(page)
        picture(page, f"long-names-{noun}-{width_px}")
        page.keyboard.press("Escape")
    assert "\n".join(f"{where}: {text}" for where, texts in found.items() for text in texts) == ""
