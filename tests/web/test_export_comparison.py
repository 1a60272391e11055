"""A comparison as a file: both sides next to each other, the differences, and the gaps of each side."""

from __future__ import annotations

import csv
import datetime
import io
import json
import zoneinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web.conftest import Place
from tests.web.counted_footage import START_MS

from frametally.records import Coverage, IntervalCount
from frametally.rules.times import DAY_MS, EPOCH, HOUR_MS, MILLISECOND, WEEK_MS, local_time
from frametally_web.charts.local_bars import other_periods
from frametally_web.compare.differences import OtherSide

MINUTE_MS = 60_000


def records(
    start_ms: int, values: list[int | None], label: str = "car", **where: Any
) -> tuple[list[IntervalCount], list[Coverage]]:
    """A minute each: None has no footage, 0 has nothing of the label."""
    common = {"model": "m", "source": "gate", "interval_s": 60, **where}
    counts, coverage = [], []
    for n, value in enumerate(values):
        if value is None:
            continue
        at_ms = start_ms + n * MINUTE_MS
        coverage.append(Coverage(**common, interval_start_ms=at_ms, frames=10))
        if value:
            counts.append(
                IntervalCount(
                    **common,
                    label=label,
                    interval_start_ms=at_ms,
                    frames=10,
                    detections=value,
                    peak=1,
                    evidence=[],
                )
            )
    return counts, coverage


def publish(place: Place, *parts: tuple[list[IntervalCount], list[Coverage]], model: str = "m") -> None:
    counts = [one for part in parts for one in part[0]]
    coverage = [one for part in parts for one in part[1]]
    place.publish(counts, coverage, interval_s=60, model=model)


def export(place: Place, query: str) -> bytes:
    answer = place.app().test_client().get(f"/api/v1/export?{query}")
    assert answer.status_code == 200, answer.text
    return answer.data


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.fixture
def two_weeks(place: Place) -> Place:
    """The same five minutes a week apart, with a gap on each side, and a bus only in the first week."""
    publish(
        place,
        records(START_MS, [4, None, 7, 0, 5]),
        records(START_MS - WEEK_MS, [1, 2, None, 3, 5]),
        (records(START_MS - WEEK_MS, [0, 6], label="bus")[0], []),
    )
    return place


RANGE = "interval=60&from=2024-05-01T08:00Z&to=2024-05-01T08:05Z"


def test_both_sides_share_a_row_with_the_difference_and_each_has_its_own_gaps(two_weeks: Place) -> None:
    rows = rows_of(export(two_weeks, f"{RANGE}&compare=week"))
    cars = [row for row in rows if row["label"] == "car"]
    assert [
        (row["coverage"], row["detections"], row["other_coverage"], row["other_detections"],
         row["difference_detections"])
        for row in cars
    ] == [
        ("footage", "4", "footage", "1", "3"),
        ("no footage", "", "footage", "2", ""),
        ("footage", "7", "no footage", "", ""),
        ("footage", "0", "footage", "3", "-3"),
        ("footage", "5", "footage", "5", "0"),
    ]  # fmt: skip
    assert {row["compared_with"] for row in rows} == {"a week earlier"}
    assert cars[0]["other_start_local"] == "2024-04-24T08:00:00"
    # Rows of only the other side are included as well.
    buses = [row for row in rows if row["label"] == "bus"]
    assert (buses[1]["detections"], buses[1]["other_detections"]) == ("", "6")
    assert len(buses) == 5


@pytest.mark.thorough
def test_a_comparison_names_both_sides_in_every_format(two_weeks: Place) -> None:
    query = f"{RANGE}&label=car&compare=week"
    as_json = json.loads(export(two_weeks, f"{query}&format=json"))
    assert as_json["query"]["compared_with"] == "a week earlier"
    assert as_json["query"]["other_from_ms"] == START_MS - WEEK_MS
    assert [row["difference_detections"] for row in as_json["rows"]] == [3, None, None, -3, 0]
    for file_format in ("xlsx", "parquet"):
        assert export(two_weeks, f"{query}&format={file_format}")


def test_a_source_or_a_model_is_compared_over_the_same_time(place: Place) -> None:
    publish(place, records(START_MS, [4, 0]), records(START_MS, [1, None], source="yard"))
    publish(place, records(START_MS, [9, 9], model="other"), model="other")
    query = "interval=60&source=gate&model=m"
    of_yard = rows_of(export(place, f"{query}&compare=source:yard"))
    assert [(row["detections"], row["other_detections"]) for row in of_yard] == [("4", "1"), ("0", "")]
    of_model = rows_of(export(place, f"{query}&compare=model:other"))
    assert [row["difference_detections"] for row in of_model] == ["-5", "-9"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("compare=yesterday", "compare"),
        ("compare=source:nobody", "source"),
        ("compare=model:nothing", "model"),
        ("compare=source:gate&by=source", "by"),
        ("interval=3600&from=2024-04-01&to=2024-04-30&compare=week", "compare"),
    ],
)
def test_an_impossible_comparison_is_an_error_that_names_its_parameter(
    two_weeks: Place, query: str, parameter: str
) -> None:
    answer = two_weeks.app().test_client().get(f"/api/v1/export?{query}")
    assert (answer.status_code, answer.json["parameter"]) == (400, parameter)


def test_a_comparison_of_nothing_is_a_file_without_rows(place: Place) -> None:
    assert rows_of(export(place, "compare=previous")) == []


def moment(text: str) -> int:
    return (datetime.datetime.fromisoformat(text) - EPOCH) // MILLISECOND


def side_of(zone: str, from_ms: int, to_ms: int, interval_s: int, compare: str) -> OtherSide:
    found = other_periods(from_ms, to_ms, interval_s, zoneinfo.ZoneInfo(zone))
    return OtherSide(None, "", next(one for one in found if one.compare == compare))  # type: ignore[arg-type]


def test_the_same_clock_times_are_paired_across_a_clock_change() -> None:
    """Summer time in Berlin began on 31 March 2024 at 01:00 UTC, when 02:00 became 03:00."""
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    from_ms = moment("2024-04-07T00:00+02:00")
    side = side_of("Europe/Berlin", from_ms, from_ms + DAY_MS, 3600, "week")
    clocks = []
    for hour in range(24):
        there_ms = side.beside_ms(from_ms + hour * HOUR_MS)
        clocks.append(None if there_ms is None else local_time(there_ms, zone).strftime("%d %H:%M"))
    # Clocks went from 02:00 to 03:00 that day: nothing of it is next to two o'clock.
    assert clocks == [None if hour == 2 else f"31 {hour:02}:00" for hour in range(24)]


@given(
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata"]),
    from_minute=st.integers(0, 3 * 366 * 1440),
    minutes=st.integers(1, 7 * 1440),
    compare=st.sampled_from(["day", "week"]),
    of_range=st.floats(0, 1, exclude_max=True),
)
def test_a_moment_is_paired_with_the_same_clock_time_or_with_none(
    zone: str, from_minute: int, minutes: int, compare: str, of_range: float
) -> None:
    days = 1 if compare == "day" else 7
    minutes = min(minutes, days * 1440)
    from_ms = moment("2023-01-01T00:00Z") + from_minute * MINUTE_MS
    side = side_of(zone, from_ms, from_ms + minutes * MINUTE_MS, 60, compare)
    here_ms = from_ms + int(of_range * minutes) * MINUTE_MS
    there_ms = side.beside_ms(here_ms)
    tz = zoneinfo.ZoneInfo(zone)
    if there_ms is not None:
        apart = local_time(here_ms, tz).replace(tzinfo=None) - local_time(there_ms, tz).replace(tzinfo=None)
        assert apart == datetime.timedelta(days=days)


@given(
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe"]),
    interval_s=st.sampled_from([60, 900, 3600, 6 * 3600, 86_400, 7 * 86_400]),
    from_hour=st.integers(0, 2 * 366 * 24),
    minutes=st.integers(1, 60 * 24 * 60),
)
def test_the_previous_period_ends_where_the_range_begins_or_part_of_a_bar_earlier(
    zone: str, interval_s: int, from_hour: int, minutes: int
) -> None:
    from_ms = moment("2023-01-01T00:00Z") + from_hour * HOUR_MS
    to_ms = from_ms + minutes * 60_000
    found = other_periods(from_ms, to_ms, interval_s, zoneinfo.ZoneInfo(zone))[0]
    # Bars of local time may be an hour longer or shorter: clocks may change within.
    clocks_ms = HOUR_MS if interval_s > 3600 else 0
    assert from_ms - interval_s * 1000 - clocks_ms < found.to_ms <= from_ms + clocks_ms
    assert abs((to_ms - from_ms) - (found.to_ms - found.from_ms)) <= clocks_ms
