"""On paper and in the system's colours: nothing is clipped, and meaningful colours stay."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.examples import first_quick
from tests.web.browser import Page, Place, Visits, expect

# A4 without its margins of 12 mm, in CSS pixels.
PAPERS = {"portrait": (703, 1031), "landscape": (1031, 703)}
SCHEMES = {"portrait": "light", "landscape": "dark"}
COLOURED = [".key .swatch", "#breakdown .bar", "#heatmap tbody td:not(.gap)"]


def colours(page: Page) -> list[str]:
    """The fill colour of the first of each coloured element."""
    found = [
        page.locator(one).first.evaluate("(element) => getComputedStyle(element).backgroundColor")
        for one in COLOURED
    ]
    return found if all(found) else colours(page)  # one has none because it was just redrawn


@pytest.mark.parametrize("paper", first_quick(SCHEMES))
def test_a_printed_page_has_the_whole_chart_its_colours_and_its_query(
    place: Place, visit: Visits, picture: Callable[..., None], paper: str
) -> None:
    place.film({"car": 6, "bus": 2}, name="Gate", intervals=24 * 9, interval_s=3600)
    scheme = SCHEMES[paper]
    page = visit(place, color_scheme=scheme, viewport={"width": 1440, "height": 900}).open(
        "?metric=detections&label=car&label=bus&interval=10800"
    )
    width, height = PAPERS[paper]
    page.emulate_media(media="print")
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    box = page.locator("#chart").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    measures = page.locator(".measures")
    assert measures.evaluate("(row) => row.scrollWidth - row.clientWidth") == 0, "a number is cut off"
    # Neither distorted nor coarse: original proportions, and print resolution.
    drawn = page.evaluate("[document.getElementById('chart').width, document.getElementById('chart').height]")
    assert drawn[0] >= 2 * width
    assert abs(drawn[0] / drawn[1] - box["width"] / box["height"]) < 0.02
    for hidden in ("#context", "#unzoom", "#copy-link", "#export", "#health-strip"):
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.locator("#question")).to_have_text(
        re.compile(
            r"^Gate · car, bus · detections · 1 May 2024, 10:00 . 10 May 2024, 10:00 · bars of 3 hrs · "
            r"Europe/Berlin \(UTC\+02:00\) · yolov4-tiny-opencv-fp32-1a2b3c4d$"
        )
    )
    assert page.evaluate("getComputedStyle(document.documentElement).printColorAdjust") == "exact"
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink')") == "#14202b"
    expect(page.locator("#heatmap .heat-value").first).to_be_visible()
    picture(page, f"paper-{paper}-{scheme}")
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#question")).to_be_hidden()


@pytest.mark.thorough
def test_with_forced_colours_the_data_keeps_its_own_and_the_selection_is_visible(
    place: Place, visit: Visits, picture: Callable[..., None]
) -> None:
    place.film({"car": 6, "bus": 2}, name="Gate", intervals=24 * 9, interval_s=3600)
    page = visit(place).open()
    before = colours(page)
    expect(page.locator("#heatmap .heat-value").first).to_be_hidden()
    page.emulate_media(forced_colors="active")
    assert colours(page) == before
    expect(page.locator("#heatmap .heat-value").first).to_be_visible()
    picture(page, "forced-colours")
    background = "(one) => getComputedStyle(one).backgroundColor"
    chosen, other = (page.locator(f"#view-{one}").evaluate(background) for one in ("bars", "lines"))
    assert chosen != other
    assert (
        page.locator(".measure[aria-pressed=true]").evaluate("(one) => getComputedStyle(one).outlineStyle")
        == "solid"
    )
