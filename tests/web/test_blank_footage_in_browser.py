"""Footage that shows nothing is a separate state on the page, with its reason: in a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.web.browser import Place, Visits, expect
from tests.web.test_coverage_in_browser import MINUTE_MS, START_MS

from frametally.records import Coverage, IntervalCount

pytestmark = pytest.mark.thorough

BARS = 25
QUERY = "?timezone=UTC&interval=60&from=2024-05-01T08:00Z&to=2024-05-01T08:25Z&metric=mean_per_frame"
BLACK, FROZEN = range(10, 15), (17, 18)


def film(place: Place, **sources: Any) -> None:
    """Publish 25 minutes with a car in each frame, some of them black; two are frozen, one is half black."""
    counts: list[IntervalCount] = []
    coverage: list[Coverage] = []
    for source, black in (sources or {"gate": BLACK}).items():
        _add(counts, coverage, source, black)
    place.publish(counts, coverage, interval_s=60, model="m")


def _add(counts: list[IntervalCount], coverage: list[Coverage], source: str, black: Any) -> None:
    for minute in range(BARS):
        where: dict[str, Any] = {
            "model": "m",
            "source": source,
            "interval_s": 60,
            "interval_start_ms": START_MS + minute * MINUTE_MS,
        }
        blank: list[Any] = []
        if minute in black:
            blank = [("black", 300, 60_000)]
        elif minute in FROZEN:
            blank = [("frozen", 300, 60_000)]
        elif minute == 20:
            blank = [("black", 150, 30_000)]
        frames = 300 - sum(part[1] for part in blank)
        covered_ms = MINUTE_MS - sum(part[2] for part in blank)
        coverage.append(
            Coverage(
                **where,
                frames=frames,
                detections=frames,
                objects=1 if frames else None,
                analysed_fps=5.0,
                covered_ms=covered_ms,
                blank=blank,
            )
        )
        if frames:
            of_label: dict[str, Any] = {"label": "car", "detections": frames, "peak": 1, "evidence": []}
            counts.append(
                IntervalCount(**where, frames=frames, objects=1, tracked_detections=frames, **of_label)
            )


def test_the_chart_marks_blank_footage_with_the_reason(
    place: Place, visit: Visits, picture: Callable[..., None]
) -> None:
    film(place)
    window = visit(place)
    page = window.open(QUERY)
    names = ["car", "shows nothing (black)", "shows nothing (frozen)", "filmed in part"]
    expect(page.locator("#legend .key .name")).to_have_text(names)
    expect(window.headline).to_contain_text("1.00 detections in a frame on average")
    filmed = page.locator('[data-fact="filmed"]')
    expect(filmed).to_have_text(
        re.compile(r"18 mins usable \(70% of 25 mins\), [56] mins black, \d mins frozen")
    )
    assert "The footage shows nothing (black)" in window.tooltip(12, of=BARS)
    assert "The footage shows nothing (frozen)" in window.tooltip(17, of=BARS)
    assert "30 secs black" in window.tooltip(20, of=BARS)
    assert "Some of the footage shows nothing." in (page.locator("#chart").get_attribute("aria-label") or "")
    expect(page.locator("#lanes .lanes-key")).to_contain_text("filmed, in no number")
    expect(page.locator("#lanes .lane-share span").first).to_have_text("70% of 25 mins usable")
    picture(page, "blank-footage-wide")
    page.locator("#view-table").click()
    rows = page.locator("#table-area tbody tr.gap td")
    expect(rows).to_have_text(["shows nothing (black)", "shows nothing (frozen)"])


def test_a_blank_range_has_no_number(place: Place, visit: Visits) -> None:
    film(place)
    page = visit(place).open(QUERY.replace("08:00Z", "08:10Z").replace("08:25Z", "08:15Z"))
    expect(page.locator("#headline, #sentence").first).to_contain_text("shows nothing (black)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width_px", [390, 1440])
def test_blank_footage_is_pictured_at_every_width_and_in_every_colour_scheme(
    place: Place, visit: Visits, picture: Callable[..., None], width_px: int, scheme: Any
) -> None:
    film(place, gate=BLACK, yard=range(BARS))
    page = visit(place).open(QUERY)
    page.set_viewport_size({"width": width_px, "height": 1000})
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("#lanes .lane")).to_have_count(2)
    expect(page.locator(".sparkline").last.locator("rect.nothing").first).to_be_attached()
    picture(page, f"blank-footage-{width_px}-{scheme}")
