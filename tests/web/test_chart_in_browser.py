"""Use of the chart: zoom, metrics, intervals, time zones, comparisons, and its texts about gaps."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.web.browser import Place, Visits, expect
from tests.web.conftest import REST
from tests.web.counted_footage import make_lines, publish_lines, put_manifest

from frametally.records import Coverage, IntervalCount

pytestmark = pytest.mark.thorough


START_MS = 1_714_550_400_000  # 2024-05-01T08:00:00Z
HOUR_S = 3600
DAY_MS = 86_400_000


def test_each_metric_has_its_numbers_and_its_own_way_of_adding_up(place: Place, visit: Visits) -> None:
    records, coverage = place.film({"car": 6, "bus": 2}, intervals=12, interval_s=5, frames=10)
    cars = {one.interval_start_ms: one for one in records if one.label == "car"}
    starts = [one.interval_start_ms for one in coverage]
    window = visit(place)
    page = window.open("?interval=5")
    page.get_by_role("button", name=re.compile("^Peak in one frame")).click()
    expect(page).to_have_url(re.compile(r"metric=peak"))
    window.settled()
    assert window.chart_values()["car"] == [cars[at].peak if at in cars else 0 for at in starts]
    expect(page.locator(".key", has_text="car").locator(".count")).to_have_text(
        str(max(one.peak for one in cars.values()))
    )
    page.locator("#view-table").click()
    expect(page.locator("#table-area tfoot th")).to_contain_text("Maximum")
    highest = max(one.peak for one in records)
    expect(page.locator("#table-area tfoot td").nth(2)).to_have_text(str(highest))  # never a sum
    window.choose_more("metric", "mean_per_frame")
    window.settled()
    expect(page.locator("#chart-title")).to_have_text("Mean per frame over time")
    page.locator("#view-lines").click()
    means = [round(cars[at].detections / 10, 4) if at in cars else 0 for at in starts]
    assert window.chart_values()["car"] == means
    expect(page.locator("#view-lines")).to_have_attribute("aria-pressed", "true")


def test_objects_that_were_not_tracked_are_not_measured_and_the_page_says_why(
    place: Place, visit: Visits
) -> None:
    publish_minutes(place, [(0, 6.0, 2), (1, 6.0, 3), (2, 1.0, None), (3, 6.0, 0)])
    window = visit(place)
    page = window.open("?metric=objects&interval=60")
    assert window.chart_values()["car"] == [2, 3, None, 0]
    expect(window.headline).to_contain_text("at least 5 unique objects (measured in part of the footage)")
    expect(page.locator("#objects-note")).to_contain_text("in 1 of 4 intervals")
    expect(page.locator(".key", has_text="not measured").last).to_be_visible()
    page.locator("#view-table").click()
    expect(page.locator("#table-area tbody tr").nth(2)).to_contain_text("not measured")
    expect(page.locator("#table-area tbody tr").nth(3).locator("td").first).to_have_text("0")


def publish_minutes(place: Place, minutes: list[tuple[int, float | None, int | None]]) -> None:
    """A minute each: its number, its rate of analysis in frames a second, and its unique cars."""
    shared: dict[str, Any] = {"model": "m", "source": "gate", "interval_s": 60}
    counts, coverage = [], []
    for minute, fps, objects in minutes:
        at_ms = START_MS + minute * 60_000
        coverage.append(Coverage(**shared, interval_start_ms=at_ms, frames=60, analysed_fps=fps))
        counts.append(
            IntervalCount(
                **shared,
                interval_start_ms=at_ms,
                label="car",
                frames=60,
                detections=9,
                peak=1,
                objects=objects,
                evidence=[],
            )
        )
    place.publish(counts, coverage, interval_s=60, model="m")


def test_days_follow_the_time_zone_even_when_the_clocks_change(place: Place, visit: Visits) -> None:
    # 30 March 2024, 00:00 in Berlin; in the night to the 31st its clocks go forward.
    place.film({"car": 6}, start_ms=1_711_753_200_000, intervals=71, interval_s=HOUR_S)
    window = visit(place)
    window.open("?interval=86400")
    assert [(end - start) / 3_600_000 for start, end in window.chart_spans()] == [24, 23, 24]
    page = window.page
    window.choose_zone("Asia/Kolkata")
    expect(page.locator("#notice")).to_contain_text("stored")  # hours cannot make days of a half-hour zone
    window.choose_zone("America/New_York")
    expect(page).to_have_url(re.compile("timezone=America/New_York"))
    window.settled()
    expect(page.locator("#explanation")).to_contain_text("America/New_York (UTC-04:00)")
    page.locator("#range-chip").click()
    expect(page.locator("#from")).to_have_value("2024-03-29T19:00")
    window.choose_zone("Mars/Olympus")
    assert page.locator("#timezone").evaluate("(input) => input.validationMessage")


def test_any_multiple_of_the_stored_interval_can_be_chosen(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=60, interval_s=60)
    window = visit(place)
    page = window.open()
    page.locator("#more-chip").click()
    page.locator("#interval").select_option("other")
    page.locator("#interval-count").fill("7")
    page.locator("#interval-unit").select_option("60")
    expect(page).to_have_url(re.compile(r"interval=420" + REST))
    window.settled()
    expect(page.locator("#interval")).to_have_value("420")
    assert len(window.chart_values()["car"]) == 9


def test_presets_count_back_from_the_end_of_the_footage(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=24 * 10, interval_s=HOUR_S)
    window = visit(place)
    page = window.open()
    window.choose_range("Last 7 days of footage")
    # The footage ends on 11 May at 10:00 in Berlin: whole days of Berlin, up to that one.
    expect(page).to_have_url(re.compile(r"\?from=2024-05-04T22:00:00Z&to=2024-05-11T22:00:00Z" + REST))
    window.settled()
    page.locator("#range-chip").click()
    named = page.locator(".named button")
    expect(named).to_contain_text(["All the footage", "Last hour of footage", "Last 7 days of footage"])
    expect(page.locator(".named [aria-pressed=true]")).to_have_text("Last 7 days of footage")
    expect(named.filter(has_text="30 days")).to_have_count(0)  # there are only ten


def test_a_week_earlier_is_shown_beside_the_same_weekdays_with_the_difference_in_numbers(
    place: Place, visit: Visits
) -> None:
    records, _ = place.film({"car": 6, "bus": 2}, intervals=24 * 15, interval_s=HOUR_S)
    window = visit(place)
    second_week = START_MS + 7 * DAY_MS
    page = window.open(f"?from={second_week}&to={second_week + DAY_MS}&interval=3600&metric=detections")
    window.choose_more("compare", "week")
    expect(page).to_have_url(re.compile(r"compare=week"))
    window.settled()

    def in_day(start_ms: int, label: str | None = None) -> list[int]:
        return [
            sum(
                one.detections
                for one in records
                if one.interval_start_ms == start_ms + hour * HOUR_S * 1000 and label in (None, one.label)
            )
            for hour in range(24)
        ]

    assert window.chart_values()["a week earlier"] == in_day(START_MS)
    cars = page.locator("#compare-area .compare-labels tbody tr", has_text="car")
    now, then = sum(in_day(second_week, "car")), sum(in_day(START_MS, "car"))
    expect(cars.locator("td")).to_have_text(
        [f"{now:,}", f"{then:,}", re.compile(rf"^[+-]?{abs(now - then):,}$"), re.compile(r"%$")]
    )
    expect(page.locator("#compare-area")).to_contain_text("240 frames here, 240 there.")


def test_another_source_or_model_is_compared_and_never_added(place: Place, visit: Visits) -> None:
    a = place.film({"car": 6}, source="east", name="East Road", seed=1)
    west, _ = place.film({"car": 3}, source="west", name="West Road", seed=2, also=a)
    place.film({"car": 2}, source="east", model="second-model", seed=3)
    window = visit(place)
    first = "yolov4-tiny-opencv-fp32-1a2b3c4d"
    page = window.open(f"?model={first}&source=east&interval=5&metric=detections")
    window.choose_more("compare", label="West Road")
    window.settled()
    beside = {one.interval_start_ms: one.detections for one in west}
    expected = [beside.get(START_MS + n * 5000, 0) for n in range(24)]
    assert window.chart_values()["West Road"] == expected
    east = sum(one.detections for one in a[0])
    expect(window.headline.locator(".value")).to_have_text(f"{east:,} detections")
    window.choose_more("compare", label="second-model")
    window.settled()
    expect(page.locator("#compare-area h3")).to_have_text("Compared with second-model")
    values = window.chart_values()
    assert sum(values["second-model"]) < sum(values["car"]) == east  # type: ignore[arg-type]


def test_a_comparison_with_a_time_without_footage_says_so(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=24, interval_s=5)
    page = visit(place).open("?compare=previous")
    expect(page.locator("#compare-area")).to_contain_text("Nothing was filmed on the other side.")
    expect(page.locator("#compare-area table")).to_have_count(0)
    area = page.locator("#compare-area").bounding_box()
    assert area["height"] < 150, "no more room than its words need"
    expect(page.locator(".key", has_text="the period before: no footage")).to_be_visible()


def test_even_a_tiny_mean_or_difference_is_shown_with_its_digits(
    place: Place, visit: Visits, picture: Callable[..., None]
) -> None:
    shared: dict[str, Any] = {"model": "m", "source": "gate", "interval_s": HOUR_S, "frames": 1_000_000}
    found = {START_MS: 100, START_MS + HOUR_S * 1000: 46}
    counts = [
        IntervalCount(
            **shared, interval_start_ms=at, label="car", detections=boxes, peak=1, objects=None, evidence=[]
        )
        for at, boxes in found.items()
    ]
    coverage = [Coverage(**shared, interval_start_ms=at) for at in found]
    place.publish(counts, coverage, interval_s=HOUR_S, model="m")
    window = visit(place)
    query = f"?metric=mean_per_frame&interval=3600&from={START_MS + HOUR_S * 1000}&compare=previous"
    page = window.open(query + f"&to={START_MS + 2 * HOUR_S * 1000}")
    expect(window.headline).to_contain_text("0.000046 detections in a frame on average")
    car = page.locator("#compare-area .compare-labels tbody tr", has_text="car").locator("td")
    expect(car).to_have_text(["0.000046", "0.0001", "\u22120.000054", "\u221254%"])
    expect(page.locator("#busiest")).to_contain_text("0.000046")
    picture(page, "small-mean")
    page.locator("#view-table").click()
    expect(page.locator("#table-area tbody td").first).to_have_text("0.000046")


def test_an_axis_over_years_shows_the_years_and_one_over_days_the_dates(place: Place, visit: Visits) -> None:
    midnight_ms = START_MS // 86_400_000 * 86_400_000
    place.film({"car": 6}, start_ms=midnight_ms, intervals=800, interval_s=86_400)
    window = visit(place)  # in Berlin, where days that were stored as a whole do not begin
    page = window.open()
    page.locator("#range-chip").click()
    expect(page.locator("#timezone")).to_have_value("UTC")
    page.keyboard.press("Escape")
    expect(page.locator("#explanation")).to_contain_text(
        "cannot be combined into bars for the time zone Europe/Berlin"
    )
    shown = " | ".join(window.chart_ticks())
    for year in ("2024", "2025", "2026"):
        assert year in shown
    page = window.open("?from=2024-06-01T00:00:00Z&to=2024-06-09T00:00:00Z")
    ticks = window.chart_ticks()
    assert any("Jun 2024" in one for one in ticks), ticks


def test_the_page_shows_the_requested_range_and_not_whole_bars(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=120, interval_s=5)
    page = visit(place).open("?interval=300&from=2024-05-01T08:00:30Z&to=2024-05-01T08:08:00Z")
    expect(page.locator("#chart-subtitle")).to_contain_text(re.compile("1 May 2024, 10:00:30.{1,3}10:08:00"))
    expect(page.locator("#busiest > p")).to_have_text(re.compile("10:00:30.{1,3}10:08:00"))


def test_an_hour_of_the_week_says_why_its_objects_are_not_measured(place: Place, visit: Visits) -> None:
    place.film({"car": 6}, intervals=50, interval_s=HOUR_S)
    page = visit(place).open("?metric=objects")
    cell = page.locator("#heatmap tbody td.unmeasured").first
    expect(cell.locator("button")).to_have_attribute(
        "aria-label", re.compile(r": not measured \(objects were not tracked\)$")
    )
    expect(page.locator("#breakdown .bar")).to_have_count(0)
    expect(page.locator("#heatmap .heat-scale")).to_contain_text("not measured")


def test_breakdown_week_and_sources_show_what_the_index_has(place: Place, visit: Visits) -> None:
    east = place.film({"car": 6, "bus": 2}, source="east", name="East", intervals=60, interval_s=HOUR_S)
    west = place.film(
        {"car": 3}, source="west", name="West", intervals=20, interval_s=HOUR_S, seed=2, also=east
    )
    window = visit(place)
    page = window.open("?metric=detections")
    records = east[0] + west[0]
    cars = sum(one.detections for one in records if one.label == "car")
    row = page.locator("#breakdown tbody tr", has_text="car")
    expect(row.locator("td.number").first).to_have_text(f"{cars:,}")
    # 1 May 2024 was a Wednesday; 08:00 UTC is 10 o'clock in Berlin.
    first_hour = sum(one.detections for one in records if one.interval_start_ms == START_MS)
    cell = page.locator("#heatmap tbody tr").nth(2).locator("td").nth(10)
    expect(cell).to_have_text(f"{first_hour:,}")
    expect(page.locator("#heatmap tbody tr").nth(5).locator("td.gap")).to_have_count(24)
    of_west = sum(one.detections for one in west[0])
    line = page.locator("#sources .multiples tbody tr", has_text="West")
    expect(line.locator("td.number").first).to_have_text(f"{of_west:,}")
    expect(line.locator("svg rect.no-footage")).to_have_count(1)
    # The table below has the data of the small bars.
    page.locator("#sources summary").click()
    rows = page.locator("#sources details tbody tr")
    expect(rows).to_have_count(60)
    for number in (0, 19):
        at_ms = START_MS + number * HOUR_S * 1000
        for column, of in enumerate((east, west)):
            value = sum(one.detections for one in of[0] if one.interval_start_ms == at_ms)
            expect(rows.nth(number).locator("td").nth(column)).to_have_text(f"{value:,}")
    assert rows.nth(20).locator("td").nth(1).inner_text() == "no footage"
    line.locator("button").click()
    expect(page).to_have_url(re.compile(r"\?source=west&metric=detections" + REST))
    expect(page.locator("#headline")).to_be_in_viewport(ratio=1)
    window.settled()
    expect(page.locator("#sources-card")).to_be_hidden()


def test_only_the_marked_part_of_a_source_is_timed_by_files(place: Place, visit: Visits) -> None:
    gate = make_lines("gate", frames=60)
    yard = make_lines("yard", frames=12, seed=4, time_source="file_time")
    publish_lines(place, gate + yard)
    put_manifest(place, gate[0], gate[-1], "Gate")
    put_manifest(place, yard[0], yard[-1], "Yard")
    window = visit(place)
    page = window.open("?interval=60")
    expect(page.locator("#time-warning")).to_contain_text("times of Yard are guessed from a file's date")
    expect(page.locator(".key", has_text="time guessed")).to_be_visible()
    below_axis = """() => {
      const canvas = document.getElementById("chart");
      const { area: { left, right, bottom }, width } = canvas.timeChart.layout;
      const scale = canvas.width / width;
      const { data } = canvas.getContext("2d").getImageData(0, (bottom + 4) * scale, canvas.width, 1);
      const at = (share) => Math.round((left + (right - left) * share) * scale);
      return [0.1, 0.5].map((share) => [...data.slice(4 * at(share), 4 * at(share) + 4)]);
    }"""
    assert page.evaluate(below_axis) == [[0xD9, 0xA4, 0, 255], [0, 0, 0, 0]]
    page.locator("#view-table").click()
    expect(page.locator("#table-area tbody tr", has_text="time guessed")).to_have_count(1)
    expect(page.locator("#table-area tbody tr")).to_have_count(5)
    window.open("?interval=60&from=2024-05-01T08:02:00Z")
    expect(page.locator("#time-warning")).to_be_hidden()
    window.open("?interval=60&source=yard")
    remarks = page.locator("button.frame-card .remark")
    expect(remarks.first).to_have_text("Time guessed from the file date")
    window.open("?interval=60&source=gate")
    expect(remarks).to_have_count(0)


def test_overlapping_media_are_marked_at_the_top_and_named_in_a_line(place: Place, visit: Visits) -> None:
    gate = make_lines("gate", frames=60)
    publish_lines(place, gate)
    first_ms, last_ms = gate[0].captured_at_ms, gate[-1].captured_at_ms
    put_manifest(place, gate[0], gate[-1], "Gate", runs=[(first_ms, last_ms)])
    put_manifest(place, gate[1], gate[10], "Gate", sha256="ef" * 32, frames_announced=10)
    window = visit(place)
    page = window.open("?interval=60")
    expect(page.locator("#overlap-warning")).to_contain_text("Gate.mp4 (")
    expect(page.locator("#overlap-warning")).to_contain_text("Gate.mp4 (efefefefefef) does not")
    expect(page.locator(".key", has_text="recordings overlap")).to_be_visible()
    page.locator("#view-table").click()
    expect(page.locator("#table-area tbody tr", has_text="recordings overlap")).not_to_have_count(0)
    window.open("?interval=60&from=2024-05-01T08:04:00Z")
    expect(page.locator("#overlap-warning")).to_be_hidden()


@pytest.mark.parametrize("locale", ["fr-FR", "ar-EG"])
def test_numbers_and_dates_are_english_like_the_text_if_the_browsers_language_is_not_supported(
    place: Place, visit: Visits, locale: str
) -> None:
    place.film({"car": 60}, intervals=24, interval_s=5)
    window = visit(place, locale=locale)
    page = window.open()
    expect(window.tile("Detections").locator(".value")).to_have_text(re.compile(r"^\d,\d{3}$"))
    expect(page.locator("#chart-subtitle")).to_contain_text("1 May 2024, 10:00")
    expect(page.locator("#chart-subtitle")).to_contain_text("intervals of 5 secs")
