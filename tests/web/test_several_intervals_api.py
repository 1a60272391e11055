"""Footage that was counted with one base interval and not with another is in every answer nevertheless."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from tests.kit.api import get
from tests.web.conftest import Place
from tests.web.counted_footage import START_MS, make_lines, publish_lines

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def boxes(chart: dict[str, Any]) -> int:
    return sum(total["detections"] for total in chart["totals"])


@pytest.fixture
def behind(place: Place) -> Place:
    """`run a.mp4`, which counts with 60 s, then `run b.mp4 --interval 1`, which counts both again."""
    a = make_lines("a", frames=60)
    publish_lines(place, a, interval_s=60)
    publish_lines(place, [*a, *make_lines("b", frames=60, seed=2)], interval_s=1)
    return place


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("asked", "bars"),
    [
        ("", ""),
        (f"from={START_MS - HOUR_MS}&to={START_MS + 3 * HOUR_MS}", ""),  # with bars that 60 s divides
        (f"from={START_MS}&to={START_MS + HOUR_MS}", "interval=60"),
        (f"from={START_MS}&to={START_MS + 2 * HOUR_MS}&timezone=Europe/Berlin", "interval=3600"),
    ],
)
def test_footage_missing_from_another_interval_is_in_the_chart_and_in_its_proof(
    behind: Place, asked: str, bars: str
) -> None:
    chart = get(behind, f"/api/counts?by=source&{asked}&{bars}")
    frames = {
        source: sum(one["frames"] for one in chart["coverage"] if one["source"] == source) for source in "ab"
    }
    assert frames == {"a": 60, "b": 60}
    heatmap, proof = get(behind, f"/api/heatmap?{asked}"), get(behind, f"/api/frames?{asked}")
    objects = get(behind, f"/api/objects?{asked}")
    assert sum(cell["detections"] for cell in heatmap["cells"]) == proof["detections"] == boxes(chart) > 0
    assert heatmap["frames"] == proof["frames_analysed"] == chart["frames"] == 120
    assert {answer["base_interval_s"] for answer in (chart, heatmap, proof, objects)} == {1}
    shown = get(behind, f"/api/evidence?{asked}&source=b&label=car")["frames"]
    assert [one["source"] for one in shown] == ["b"]
    body = behind.app().test_client().get(f"/api/export?by=source&{asked}&{bars}").data
    rows = [*csv.DictReader(io.StringIO(body.decode("utf-8-sig")))]
    assert sum(int(row["detections"] or 0) for row in rows) == boxes(chart)


@pytest.mark.thorough
def test_a_link_with_the_range_on_display_shows_the_same(behind: Place) -> None:
    shown = get(behind, "/api/counts")
    pinned = f"from={shown['from_ms']}&to={shown['to_ms']}&interval={shown['interval_s']}&timezone=UTC"
    assert get(behind, f"/api/counts?{pinned}") == shown


@pytest.mark.thorough
def test_if_several_intervals_are_complete_the_coarsest_is_read(place: Place) -> None:
    early = make_lines("a", frames=60)
    publish_lines(place, early, interval_s=60)
    publish_lines(place, early, interval_s=1)
    publish_lines(place, make_lines("a", frames=60, start_ms=START_MS + DAY_MS), interval_s=1)
    first_day = f"from={START_MS}&to={START_MS + 2 * HOUR_MS}"
    assert get(place, f"/api/counts?{first_day}&interval=60")["base_interval_s"] == 60
    both_days = f"from={START_MS}&to={START_MS + 2 * DAY_MS}"
    assert get(place, f"/api/counts?{both_days}&interval=3600")["base_interval_s"] == 1


@pytest.mark.thorough
def test_a_bar_is_proved_from_the_interval_that_its_chart_was_read_from(place: Place) -> None:
    late = make_lines("gate", frames=9, start_ms=START_MS + DAY_MS, seed=3)
    publish_lines(place, [*make_lines("gate", frames=100), *late[:5]], interval_s=60)
    publish_lines(place, late, interval_s=5)
    chart = get(place, f"/api/counts?from={START_MS}&to={START_MS + 2 * DAY_MS}&interval=86400&timezone=UTC")
    bar = chart["coverage"][-1]
    alone = f"from={bar['start_ms']}&to={bar['end_ms']}"
    assert (chart["base_interval_s"], bar["frames"]) == (60, 5)
    assert get(place, f"/api/frames?{alone}")["frames_analysed"] == 9
    of_chart = f"{alone}&base={chart['base_interval_s']}"
    proof, objects = (get(place, f"/api/{route}?{of_chart}") for route in ("frames", "objects"))
    assert (proof["base_interval_s"], proof["frames_analysed"], objects["base_interval_s"]) == (60, 5, 60)
    in_bar = [one for one in chart["buckets"] if one["start_ms"] == bar["start_ms"]]
    assert proof["detections"] == sum(one["detections"] for one in in_bar)
    assert (
        get(place, f"/api/counts?{of_chart}")["frames"]
        == get(place, f"/api/heatmap?{of_chart}")["frames"]
        == 5
    )
    busiest = {one["label"]: one["count"] for one in get(place, f"/api/evidence?{of_chart}")["frames"]}
    assert busiest == {one["label"]: one["peak"] for one in in_bar}
    refused = get(place, f"/api/frames?{alone}&base=900", status=400)
    assert (refused["parameter"], "(seconds): 5, 60," in refused["remedy"]) == ("base", True)


@pytest.mark.thorough
def test_bars_of_an_interval_that_lacks_footage_are_refused_with_the_choices(place: Place) -> None:
    a = make_lines("a", frames=200)
    publish_lines(place, a, interval_s=1)
    publish_lines(place, [*a, *make_lines("b", frames=200, seed=2)], interval_s=60)
    shown = get(place, "/api/counts")
    assert (shown["base_interval_s"], shown["interval_s"], shown["interval_choices_s"][0]) == (60, 60, 60)
    for route in ("counts", "export"):
        refused = get(place, f"/api/{route}?interval=30", status=400)
        assert refused["parameter"] == "interval"
        assert "that has all footage of this range" in refused["detail"]
        assert "(seconds): 60. For 1 run `frametally aggregate --interval 1`" in refused["remedy"]
    before = f"from={START_MS - 2 * DAY_MS}&to={START_MS - DAY_MS}"
    assert get(place, f"/api/counts?interval=30&{before}")["frames"] == 0


def test_forgotten_footage_is_not_shown_from_an_interval_that_still_has_it(place: Place) -> None:
    a, b = make_lines("a", frames=60), make_lines("b", frames=60, seed=2)
    for interval_s in (60, 1):
        publish_lines(place, [*a, *b], interval_s=interval_s)
    publish_lines(place, b, interval_s=60)
    for query in ("", "interval=60", f"from={START_MS}&to={START_MS + 30_000}"):
        chart = get(place, f"/api/counts?by=source&{query}")
        assert {one["source"] for one in chart["coverage"]} == {"b"}
