"""Zero, no footage, not measured, and filmed but not analysed are shown differently: in a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.fakes.records import make_count, make_coverage, make_manifest
from tests.web.browser import Place, Visit, Visits, expect

from frametally import keys
from frametally.records import encode

pytestmark = pytest.mark.thorough


START_MS = 1_714_550_400_000  # 2024-05-01T08:00:00Z
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
BARS = 7
QUERY = "?timezone=UTC&interval=60&from=2024-05-01T08:00Z&to=2024-05-01T08:07Z"


def tell_apart(place: Place) -> None:
    """Fill minutes: cars, a zero, a gap, 3 s of footage, a waiting one, too weak to follow, too slow."""
    where: dict[str, Any] = {"model": "m", "source": "gate", "interval_s": 60}

    def count(minute: int, label: str, detections: int, objects: int | None, tracked: int | None) -> Any:
        return make_count(
            **where,
            label=label,
            interval_start_ms=START_MS + minute * MINUTE_MS,
            frames=300,
            detections=detections,
            peak=2,
            objects=objects,
            tracked_detections=tracked,
            evidence=[],
        )

    def cover(minute: int, frames: int, objects: int | None, fps: float, covered_ms: int) -> Any:
        return make_coverage(
            **where,
            interval_start_ms=START_MS + minute * MINUTE_MS,
            frames=frames,
            objects=objects,
            analysed_fps=fps,
            covered_ms=covered_ms,
        )

    counts = [
        count(0, "car", 300, 4, 290),
        count(3, "car", 15, 1, 15),
        count(5, "car", 9, 0, 2),
        count(6, "car", 30, None, None),
    ]
    coverage = [
        cover(0, 300, 4, 5.0, MINUTE_MS),
        cover(1, 300, 0, 5.0, MINUTE_MS),
        cover(3, 15, 1, 5.0, 3_000),
        cover(5, 300, 0, 5.0, MINUTE_MS),
        cover(6, 60, None, 1.0, MINUTE_MS),
    ]
    place.publish(counts, coverage, interval_s=60, model="m")
    for number, start_ms in enumerate((START_MS + 4 * MINUTE_MS, START_MS + 5 * HOUR_MS)):
        medium = f"{number:064x}"
        waiting = make_manifest(
            300, media=medium, source="gate", span_ms=(start_ms, start_ms + MINUTE_MS - 200)
        )
        place.store.put(keys.media_key(medium), encode(waiting))


def tooltip(window: Visit, bar: int) -> str:
    return window.tooltip(bar, of=BARS)


def test_zero_gap_not_measured_and_not_analysed_each_have_their_mark_and_words(
    place: Place, visit: Visits, picture: Callable[..., None]
) -> None:
    tell_apart(place)
    window = visit(place)
    page = window.open(QUERY)
    legend = page.locator("#legend .key .name")
    expect(legend).to_have_text(["car", "no footage", "filmed, not analysed", "filmed in part"])
    picture(page, "coverage-wide")
    assert "5% of 1 min filmed" in tooltip(window, 3)
    assert "filmed" not in tooltip(window, 0)
    assert "Filmed but not analysed: not in the counts yet" in tooltip(window, 4)
    assert "No footage from Gate." in tooltip(window, 2)
    assert "Click for the reason." in tooltip(window, 2)
    assert "300 frames analysed" in tooltip(window, 1)
    canvas = page.locator("#chart")
    assert "Some of the footage is not analysed." in (canvas.get_attribute("aria-label") or "")
    page.locator("#view-table").click()
    expect(page.locator("#table-area tbody tr.gap td")).to_have_text(["no footage", "filmed, not analysed"])
    expect(page.locator("#table-area tbody .remark")).to_have_text(["5% of 1 min filmed"])


def test_objects_seen_too_weakly_or_too_slowly_are_not_shown_as_0(
    place: Place, visit: Visits, picture: Callable[..., None]
) -> None:
    tell_apart(place)
    window = visit(place)
    page = window.open(f"{QUERY}&metric=objects")
    assert window.chart_values() == {"car": [4, 0, 1, None, None]}
    expect(page.locator("#legend .key .name")).to_have_text(
        ["car", "no footage", "filmed, not analysed", "filmed in part", "not measured"]
    )
    picture(page, "coverage-objects-wide")
    assert "car: seen, but too uncertain to track" in tooltip(window, 5)
    assert "car: too few frames per second" in tooltip(window, 6)
    expect(window.headline).to_contain_text("5 unique objects (measured in part of the footage)")
    page = window.open(QUERY.replace("08:07", "08:06").replace("08:00Z&", "08:05Z&") + "&metric=objects")
    expect(window.headline).to_have_text("Unique objects: not measured (seen, but too uncertain to track)")
    expect(page.locator("#objects-note")).to_contain_text("car are unknown: the detector saw them too rarely")


def test_hours_of_the_week_and_sources_show_what_was_not_analysed(place: Place, visit: Visits) -> None:
    tell_apart(place)
    window = visit(place)
    two_days = QUERY.replace("05-01T08:07", "05-03T14:00").replace("interval=60", "interval=3600")
    page = window.open(two_days)
    cell = page.locator(".heatmap td.unanalysed")
    expect(cell).to_have_count(1)
    expect(cell).to_have_attribute("title", "Wednesday, 13: filmed, not analysed")
    expect(page.locator(".heat-scale")).to_contain_text("filmed, not analysed")
    page = window.open("?timezone=UTC&from=2024-05-01T13:00Z&to=2024-05-01T13:01Z&interval=60")
    expect(page.locator("#chart-message")).to_contain_text("Filmed, not analysed")
    expect(window.headline).to_have_text("Filmed, not analysed yet")
    expect(page.locator("#busiest")).to_have_text("not analysed")
    expect(page.locator("#spoken")).to_have_text("Filmed, not analysed.")
    expect(page.get_by_text("The footage here is not analysed, so there are no frames.")).to_be_visible()


def test_a_phone_shows_the_marks_too(place: Place, visit: Visits, picture: Callable[..., None]) -> None:
    tell_apart(place)
    page = visit(place, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).open(
        f"{QUERY}&metric=mean_per_frame"
    )
    expect(page.locator("#legend .key .name")).to_have_count(4)
    picture(page, "coverage-phone")
    heights = "[...document.querySelectorAll('.busiest tbody tr')].map((row) => row.offsetHeight)"
    assert max(page.evaluate(heights)) < 60, "an interval takes two lines"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
