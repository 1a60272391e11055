"""The page's summary: how much, when most, compared with the week before, the most at once."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from tests.web.browser import Place, Visits, expect
from tests.web.counted_footage import MODEL

from frametally.records import Coverage, IntervalCount

START_MS = 1_714_550_400_000  # Wednesday 2024-05-01T08:00:00Z, 10:00 in Berlin
MINUTE_MS = 60_000
WEEK_MS = 7 * 24 * 60 * MINUTE_MS


def test_the_busiest_interval_shows_its_day_and_one_click_leads_to_its_frames(
    place: Place, visit: Visits
) -> None:
    counts, _ = place.film({"car": 6, "bus": 2}, intervals=10, interval_s=60)
    by_start: Counter[int] = Counter()
    for one in counts:
        by_start[one.interval_start_ms] += one.detections
    ranked = sorted(by_start.items(), key=lambda one: (-one[1], one[0]))
    window = visit(place)
    page = window.open("?interval=60&metric=detections")
    (start_ms, most), minute = ranked[0], (ranked[0][0] - START_MS) // MINUTE_MS
    answer = window.headline
    expect(answer).to_have_text(
        re.compile(rf"^{sum(by_start.values()):,} detections, busiest 10:0{minute}.* \({most}\)$")
    )
    expect(page.locator("#busiest > p")).to_have_text(re.compile("^1 May 2024"))
    rows = page.locator("#busiest tbody tr")
    expect(rows).to_have_count(10)
    expect(rows.locator("td:nth-child(2)")).to_have_text([str(value) for _, value in ranked])
    expect(rows.first).to_contain_text(re.compile(f"^10:0{minute}"))
    answer.get_by_role("button").click()
    at = f"at=2024-05-01T08:0{minute}:00Z"
    expect(page).to_have_url(re.compile(at))
    expect(page.locator(".proof-viewer")).to_be_focused()
    second = (ranked[1][0] - START_MS) // MINUTE_MS
    rows.nth(1).get_by_role("button").click()
    expect(page).to_have_url(re.compile(f"at=2024-05-01T08:0{second}:00Z"))
    assert start_ms != ranked[1][0]


@pytest.mark.thorough
def test_one_click_changes_the_length_of_the_busiest_intervals_and_the_focus_stays(
    place: Place, visit: Visits
) -> None:
    place.film({"car": 6}, intervals=120, interval_s=60)
    window = visit(place)
    page = window.open()
    lengths = page.get_by_role("group", name="Length of the intervals")
    expect(lengths.locator("[aria-pressed=true]")).to_have_count(1)
    lengths.get_by_role("button", name="15 mins").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("interval=900"))
    expect(window.headline).to_contain_text(re.compile(r"busiest \d\d:(00|15|30|45)"))
    expect(lengths.locator("[aria-pressed=true]")).to_have_text("15 mins")
    expect(lengths.locator("[aria-pressed=true]")).to_be_focused()


@pytest.mark.thorough
@pytest.mark.parametrize("metric", ["detections", "objects"])
def test_the_peak_shows_its_moment_and_one_click_leads_to_that_exact_frame(
    place: Place, visit: Visits, metric: str
) -> None:
    counts, _ = place.film({"car": 6, "bus": 2}, intervals=10, interval_s=60)
    [best, *_] = sorted(counts, key=lambda one: (-one.peak, one.interval_start_ms))
    [shown] = best.evidence
    window = visit(place)
    page = window.open(f"?interval=600&metric={metric}")
    answer = window.fact("peak")
    expect(window.tile("Peak in one frame").locator(".value")).to_have_text(str(best.peak))
    minute = (best.interval_start_ms - START_MS) // MINUTE_MS
    expect(answer).to_contain_text(f"busiest frame: {best.label}, 10:0{minute}:00.200")
    answer.get_by_role("button").click()
    expect(page).to_have_url(re.compile(re.escape(f"frame={shown.image_path}")))
    expect(page.locator("#spoken")).to_contain_text(f"10:0{minute}:00.200")


@pytest.mark.thorough
def test_a_week_is_compared_by_the_hours_filmed_in_both_weeks(place: Place, visit: Visits) -> None:
    before, _ = place.film(
        {"car": 9}, start_ms=START_MS - WEEK_MS, intervals=10, interval_s=60, filmed=lambda n: n < 5, seed=3
    )
    now, _ = place.film({"car": 6}, intervals=10, interval_s=60)
    same = sum(one.detections for one in now if one.interval_start_ms < START_MS + 5 * MINUTE_MS)
    then = sum(one.detections for one in before)
    window = visit(place)
    page = window.open("?interval=60&metric=detections&from=2024-05-01T08:00:00Z")
    answer = window.fact("week")
    expect(answer.locator(".value")).to_have_text(
        f"{round(100 * (same / then - 1)):+}%".replace("-", "\N{MINUS SIGN}")
    )
    expect(answer).to_contain_text(f"{same} now, {then} then")
    expect(answer).to_contain_text("5 of 10 intervals filmed both times")
    expect(answer).to_contain_text("24 Apr 2024")
    answer.get_by_role("button").click()
    expect(page).to_have_url(re.compile("compare=week"))
    expect(page.locator("#compare-area")).to_contain_text("a week earlier")


@pytest.mark.thorough
def test_if_nothing_was_filmed_the_week_before_no_number_is_shown(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=10, interval_s=60)
    window = visit(place)
    window.open()
    expect(window.fact("frames")).to_be_visible()
    expect(window.fact("week")).to_have_count(0)


def publish_two_cameras(place: Place) -> None:
    """The gate is filmed for 8 of 10 minutes and tracked; the lapse has single pictures."""
    counts: list[IntervalCount] = []
    coverage: list[Coverage] = []
    for source, minutes, objects in (("gate", 8, 16), ("lapse", 10, None)):
        for minute in range(minutes):
            at: dict[str, Any] = {
                "model": MODEL,
                "source": source,
                "interval_start_ms": START_MS + minute * MINUTE_MS,
                "interval_s": 60,
                "frames": 300 if objects else 2,
            }
            tracked = None if objects is None else 40
            counts.append(
                IntervalCount(
                    **at,
                    label="person",
                    detections=40,
                    peak=4,
                    objects=objects,
                    tracked_detections=tracked,
                    evidence=[],
                )
            )
            coverage.append(
                Coverage(
                    **at,
                    objects=objects,
                    analysed_fps=5.0 if objects else None,
                    covered_ms=60_000 if objects else 0,
                )
            )
    place.publish(counts, coverage, interval_s=60, model=MODEL)


@pytest.mark.thorough
def test_objects_measured_in_some_sources_are_shown_with_the_number_of_sources(
    place: Place, visit: Visits
) -> None:
    publish_two_cameras(place)
    window = visit(place)
    window.open("?interval=60&metric=objects")
    answer = window.headline
    expect(answer.locator(".value")).to_have_text("at least 128 unique objects")
    expect(answer).to_contain_text("(measured in 1 of 2 sources)")
    expect(window.fact("filmed")).to_have_text(
        "8 mins filmed (80% of 10 mins), single pictures from 1 source"
    )
    window.open("?interval=60&metric=detections")
    expect(window.tile("Unique objects")).to_contain_text(re.compile("128.*measured in 1 of 2 sources"))
    hidden_px = window.page.locator("#measures").evaluate("tiles => tiles.scrollWidth - tiles.clientWidth")
    assert hidden_px <= 0, "a tile is cut at its end"
    window.open("?interval=60&metric=objects&source=gate")
    expect(answer.locator(".value")).to_have_text("128 unique objects")
    expect(answer).not_to_contain_text("measured in")
    window.open("?interval=60&metric=objects&source=gate&to=2024-05-01T08:10:00Z")
    expect(window.fact("filmed")).to_have_text("8 mins filmed (80% of 10 mins)")
    expect(window.fact("frames")).to_have_text("2,400 frames analysed")
    window.open("?interval=60&metric=objects&hours=10:00-11:00")
    expect(window.fact("filmed")).to_contain_text("8 mins filmed (80% of 10 mins)")


@pytest.mark.thorough
def test_several_sources_footage_is_shown_with_their_number_and_range_not_the_sum_of_their_ranges(
    place: Place, visit: Visits
) -> None:
    """Six minutes each: of a gate, and of a yard ten days later."""
    coverage = [
        Coverage(
            model=MODEL,
            source=source,
            interval_start_ms=START_MS + days * 86_400_000 + minute * MINUTE_MS,
            interval_s=60,
            frames=300,
            objects=0,
            analysed_fps=5.0,
            covered_ms=60_000,
        )
        for source, days in (("gate", 0), ("yard", 10))
        for minute in range(6)
    ]
    place.publish([], coverage, interval_s=60, model=MODEL)
    window = visit(place)
    window.open("?interval=3600&metric=detections")
    answer = window.fact("filmed")
    expect(answer).to_contain_text(re.compile(r"12 mins filmed \(<1% of 2 . 10 days\)"))
    window.open("?interval=3600&metric=detections&source=gate")
    expect(answer).to_contain_text("6 mins filmed")
    window.open("?interval=60&metric=detections&to=2024-05-01T08:06:00Z")
    expect(answer).to_contain_text("6 mins filmed")


@pytest.mark.thorough
def test_bars_show_what_was_measured_in_some_sources_and_say_so(place: Place, visit: Visits) -> None:
    publish_two_cameras(place)
    window = visit(place)
    page = window.open("?interval=60&metric=objects")
    assert sum(value or 0 for value in window.chart_values()["person"]) == 128
    expect(page.locator("#legend")).to_contain_text(re.compile("person ?at least 128.*measured in part"))
    page.locator("#chart").focus()
    page.keyboard.press("Home")
    expect(page.locator(".chart-tip")).to_contain_text(
        "measured in part of the footage (elsewhere objects were not tracked)"
    )
    page.locator("#view-table").click()
    expect(page.locator("#table-area tbody tr", has_text="measured in part").first).to_be_visible()


@pytest.mark.thorough
def test_bars_based_on_very_different_footage_warn_and_offer_a_metric_that_does_not_depend_on_it(
    place: Place, visit: Visits
) -> None:
    publish_two_cameras(place)
    window = visit(place)
    page = window.open("?interval=60&metric=detections")
    warning = page.locator("#frames-warning")
    expect(warning).to_contain_text("Each bar is based on 2 to 302 frames: ")
    warning.get_by_role("button", name="Mean per frame").click()
    expect(page).to_have_url(re.compile("metric=mean_per_frame"))
    expect(warning).to_be_hidden()
    window.open("?interval=60&metric=detections&source=gate")
    expect(warning).to_be_hidden()


@pytest.mark.thorough
def test_a_long_source_name_takes_one_line_and_moves_nothing(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, name="Gate", intervals=10, interval_s=60)
    window = visit(place)
    page = window.open()
    heights = "[...document.querySelectorAll('#summary, .measure')].map((one) => one.offsetHeight)"
    usual = page.evaluate(heights)
    place.film(
        {"car": 6}, source="b", name="The camera at the long way round " * 6, intervals=10, interval_s=60
    )
    window.open("?source=b")
    expect(window.fact("source")).to_contain_text("The camera at the long way")
    assert max(page.evaluate(heights)) <= max(usual) + 30


@pytest.mark.thorough
def test_an_unmeasured_number_is_never_shown_as_nothing(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=10, interval_s=60)  # never followed
    window = visit(place)
    page = window.open("?interval=60&metric=objects")
    expect(window.headline).to_have_text("Unique objects: not measured (objects were not tracked)")
    expect(page.locator("#busiest")).to_have_text("not measured")
    expect(page.locator("#breakdown tbody tr")).to_contain_text("not measured")
    expect(page.locator("#breakdown .bar")).to_have_count(0)
    window.open("?metric=objects&from=2031-01-01T00:00:00Z")
    expect(window.headline).to_have_text("no footage")
    expect(page.locator("#facts")).to_be_empty()
    expect(page.locator("#heatmap-card")).to_be_hidden()


@pytest.mark.thorough
@pytest.mark.parametrize("width", [390, 820, 1280])
def test_a_tile_says_why_its_number_is_not_measured(place: Place, visit: Visits, width: int) -> None:
    place.film({"car": 6}, intervals=10, interval_s=60)  # never followed
    window = visit(place, viewport={"width": width, "height": 900})
    window.open("?interval=60&metric=detections")
    reason = window.tile("Unique objects").locator(".detail", has_text="objects were not tracked")
    reason.scroll_into_view_if_needed()
    expect(reason).to_be_in_viewport(ratio=1)


@pytest.mark.thorough
def test_without_a_choice_the_page_counts_objects_where_they_are_known_or_else_the_mean(
    place: Place, visit: Visits
) -> None:
    publish_two_cameras(place)
    window = visit(place)
    page = window.open("?source=gate")
    expect(page.locator("#chart-title")).to_contain_text("Unique objects")
    window.open()
    expect(page.locator("#chart-title")).to_contain_text("Mean per frame")
    expect(page).to_have_url(f"{window.url}/?timezone=Europe/Berlin")
