"""Hours and weekdays: the displayed clock counts, also where it changes, the same in every answer."""

from __future__ import annotations

import csv
import datetime
import io
import zoneinfo
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.kit.api import get
from tests.web.conftest import Place
from tests.web.counted_footage import (
    CLOCKS_CHANGE,
    MINUTE_MS,
    START_MS,
    ZONES,
    count_hours,
    make_lines,
    publish_lines,
)

from frametally import keys
from frametally_web.charts.local_bars import Bars, chosen_ranges
from frametally_web.charts.media_times import MediaTimes
from frametally_web.requests.query import ChosenTimes

DAY_MS = 86_400_000
QUARTER_MS = 900_000


@pytest.fixture(scope="module")
def quarters(tmp_path_factory: pytest.TempPathFactory, make_place: Any) -> Iterator[Place]:
    """A car and three frames in every quarter of an hour of four days, even where clocks change."""
    place = make_place(tmp_path_factory.mktemp("quarters"))
    for first_day in CLOCKS_CHANGE:
        count_hours(place, first_day, 4)
    yield place
    place.close()


def is_chosen(ms: int, zone: str, hours: tuple[int, int] | None, weekdays: set[int]) -> bool:
    """Read the clock and the calendar on the wall."""
    local = datetime.datetime.fromtimestamp(ms / 1000, zoneinfo.ZoneInfo(zone))
    minute, day = local.hour * 60 + local.minute, local.isoweekday()
    first, end = hours or (0, 1440)
    if first < end:
        return first <= minute < end and (not weekdays or day in weekdays)
    if minute >= first:
        return not weekdays or day in weekdays
    return minute < end and (not weekdays or (day - 2) % 7 + 1 in weekdays)


def query_of(hours: tuple[int, int] | None, weekdays: set[int]) -> str:
    times = ChosenTimes(hours, tuple(sorted(weekdays)))
    return f"hours={times.hours_text or ''}&weekdays={','.join(map(str, times.weekdays))}"


# The hour that occurs twice, the skipped one, a night over the change.
@pytest.mark.thorough
@example("Europe/Berlin", "2024-10-26", (120, 180), set(), 3600)
@example("Europe/Berlin", "2024-03-30", (120, 180), set(), 86_400)
@example("Europe/Berlin", "2024-10-26", (1320, 360), {6}, 86_400)
@settings(max_examples=examples(80))
@given(
    zone=st.sampled_from(ZONES),
    around=st.sampled_from(CLOCKS_CHANGE),
    hours=st.none()
    | st.tuples(st.integers(0, 95), st.integers(0, 96))
    .filter(lambda of: of[0] != of[1] % 96 or of == (0, 96))
    .map(lambda of: (of[0] * 15, of[1] * 15)),
    weekdays=st.sets(st.integers(1, 7)),
    interval_s=st.sampled_from([900, 3600, 7200, 86_400, 604_800]),
)
def test_a_chart_of_chosen_times_matches_a_recount_by_local_clock(
    quarters: Place, zone: str, around: str, hours: Any, weekdays: set[int], interval_s: int
) -> None:
    from_ms = keys.day_start_ms(around)
    of_days = range(from_ms, from_ms + 4 * DAY_MS, QUARTER_MS)
    chosen = [ms for ms in of_days if is_chosen(ms, zone, hours, weekdays)]
    selected = f"timezone={zone}&from={from_ms}&to={from_ms + 4 * DAY_MS}&{query_of(hours, weekdays)}"
    chart = get(quarters, f"/api/v1/counts?interval={interval_s}&{selected}")
    bars = {
        bar[0]: 0 for bar in Bars(interval_s, zoneinfo.ZoneInfo(zone)).over(from_ms, from_ms + 4 * DAY_MS)
    }
    starts = sorted(bars)
    for ms in chosen:
        bars[max(start for start in starts if start <= ms)] += 1
    filmed = {start: count for start, count in bars.items() if count}
    assert {bar["start_ms"]: bar["detections"] for bar in chart["buckets"]} == filmed
    assert {bar["start_ms"]: bar["frames"] for bar in chart["coverage"]} == {
        start: 3 * count for start, count in filmed.items()
    }
    assert sum(total["detections"] for total in chart["totals"]) == len(chosen)
    if chart["asked"] is not None:
        asked = [ms for one in chart["asked"] for ms in range(one["from_ms"], one["to_ms"], QUARTER_MS)]
        assert asked == chosen
    else:
        assert chosen == [*of_days]
    heatmap = get(quarters, f"/api/v1/heatmap?{selected}")
    assert sum(cell["detections"] for cell in heatmap["cells"]) == len(chosen)
    frames = get(quarters, f"/api/v1/frames?base=900&limit=1&{selected}")
    detections = len(chosen) or None  # unknown where nothing was filmed
    assert (frames["detections"], frames["frames_analysed"]) == (detections, 3 * len(chosen))


@pytest.mark.thorough
def test_an_answer_states_the_times_that_it_counted(quarters: Place) -> None:
    selected = "timezone=Europe/Berlin&from=2024-12-30&to=2025-01-02"
    chart = get(quarters, f"/api/counts?{selected}&interval=900&hours=22:00-06:00&weekdays=2,1")
    assert (chart["hours"], chart["weekdays"]) == ("22:00-06:00", [1, 2])
    # The early hours of a day belong to the night that began on the day before.
    nights = [
        [f"2024-12-{day}T22:00+01:00", f"{next_day}T06:00+01:00"]
        for day, next_day in ((30, "2024-12-31"), (31, "2025-01-01"))
    ]
    times = [[datetime.datetime.fromisoformat(end).timestamp() * 1000 for end in night] for night in nights]
    assert [[one["from_ms"], one["to_ms"]] for one in chart["asked"]] == times
    heatmap = get(quarters, f"/api/heatmap?{selected}&hours=22:00-06:00&weekdays=2,1")
    assert (heatmap["hours"], heatmap["weekdays"]) == ("22:00-06:00", [1, 2])
    everything = get(quarters, f"/api/counts?{selected}&hours=00:00-24:00&weekdays=1,2,3,4,5,6,7")
    assert everything["asked"] is None
    assert get(quarters, f"/api/counts?{selected}")["hours"] is None


@pytest.mark.thorough
def test_an_export_has_rows_only_of_the_chosen_times(quarters: Place) -> None:
    selected = (
        "timezone=Europe/Berlin&from=2024-12-30&to=2025-01-02&interval=3600&hours=08:00-09:00&weekdays=2,3"
    )
    client = quarters.app().test_client()
    text = client.get(f"/api/export?{selected}").get_data(as_text=True)
    rows = [*csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))]
    assert [row["interval_start"] for row in rows] == [
        "2024-12-31T08:00:00+01:00",
        "2025-01-01T08:00:00+01:00",
    ]
    about = get(quarters, f"/api/export?{selected}&format=json")["query"]
    assert (about["hours"], about["weekdays"]) == ("08:00-09:00", [2, 3])


@pytest.fixture
def filmed(place: Place) -> Place:
    """Ten minutes of boxes, from a full hour on."""
    publish_lines(place, make_lines("gate", frames=600) + make_lines("yard", frames=300, seed=5))
    return place


# START_MS is 08:00 in UTC; ten minutes past it in a zone that is not whole hours away.
@pytest.mark.thorough
@pytest.mark.parametrize(
    "hours", ["timezone=UTC&hours=08:01-08:03", "timezone=Asia/Kolkata&hours=13:31-13:33"]
)
def test_the_proof_of_a_number_covers_only_the_chosen_times(filmed: Place, hours: str) -> None:
    chart = get(filmed, f"/api/counts?{hours}&interval=60")
    inside = range(START_MS + MINUTE_MS, START_MS + 3 * MINUTE_MS)
    page = get(filmed, f"/api/frames?{hours}&limit=100")
    shown = page["frames"]
    while page["next"]:
        page = get(filmed, f"/api/frames?{hours}&limit=100&cursor={page['next']}")
        shown += page["frames"]
    boxes = sum(total["detections"] for total in chart["totals"])
    assert 0 < boxes < sum(total["detections"] for total in get(filmed, "/api/counts")["totals"])
    assert (page["detections"], page["note"]) == (boxes, None)
    assert sum(frame["count"] for frame in shown) == boxes
    assert all(frame["captured_at_ms"] in inside for frame in shown)
    evidence = get(filmed, f"/api/evidence?{hours}")["frames"]
    peaks = {total["label"]: total["peak"] for total in chart["totals"]}
    assert {frame["label"]: frame["count"] for frame in evidence} == peaks
    assert all(frame["captured_at_ms"] in inside for frame in evidence)


def test_uncounted_footage_is_reported_only_for_the_chosen_times() -> None:
    media = MediaTimes([], {"m": {"gate": [(START_MS, START_MS + 10 * MINUTE_MS)]}})
    chosen = [(START_MS - MINUTE_MS, START_MS + MINUTE_MS), (START_MS + 9 * MINUTE_MS, START_MS + DAY_MS)]
    range_ms = START_MS, START_MS + DAY_MS
    assert media.unanalysed("m", ["gate"], *range_ms, chosen) == {
        "gate": [
            (START_MS, START_MS + MINUTE_MS),
            (START_MS + 9 * MINUTE_MS, START_MS + 10 * MINUTE_MS),
        ]
    }
    assert media.unanalysed("m", ["gate"], *range_ms, chosen[:0]) == {"gate": []}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("query", "parameter", "said"),
    [
        ("hours=8-9", "hours", "08:00-09:00"),
        ("hours=08:00-25:00", "hours", "08:00-09:00"),
        ("hours=24:00-08:00", "hours", "08:00-09:00"),
        ("hours=08:00-08:00", "hours", "22:00-06:00"),
        ("hours=08:00-09:00&hours=10:00-11:00", "hours", "once"),
        ("weekdays=0", "weekdays", "1 (Monday) to 7"),
        ("weekdays=Mon", "weekdays", "1 (Monday) to 7"),
        ("weekdays=1,,2", "weekdays", "1 (Monday) to 7"),
        ("hours=08:10-09:00&from=2024-12-30", "hours", "whole hours"),
        ("weekdays=1&from=1900-01-01&to=2010-03-04", "weekdays", "a shorter range"),
    ],
)
@pytest.mark.parametrize("route", ["counts", "heatmap", "evidence", "frames", "objects", "export"])
def test_impossible_times_are_named_with_a_remedy(
    quarters: Place, route: str, query: str, parameter: str, said: str
) -> None:
    answer = quarters.app().test_client().get(f"/api/v1/{route}?{query}")
    assert answer.status_code == 400
    problem = answer.json
    assert problem["parameter"] == parameter
    assert said in problem["remedy"]
    assert "FRAMETALLY" not in problem["detail"] + problem["remedy"]


def test_adjacent_ranges_of_chosen_times_are_merged() -> None:
    monday = keys.day_start_ms("2024-05-06")
    times = ChosenTimes(None, (1, 2, 4))
    assert chosen_ranges(times, datetime.UTC, monday, monday + 7 * DAY_MS) == [
        (monday, monday + 2 * DAY_MS),
        (monday + 3 * DAY_MS, monday + 4 * DAY_MS),
    ]
