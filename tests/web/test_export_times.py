"""The times of an export's rows are instants: each once, in order, even on days when clocks change."""

from __future__ import annotations

import csv
import datetime
import io
import json
import zoneinfo
from typing import Any

import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.web.conftest import Place

from frametally.records import Coverage
from frametally.rules.times import EPOCH, FIRST_MS, HOUR_MS, MILLISECOND, NEXT_MS, local_time

Moment = datetime.datetime
Row = tuple[Moment, Moment, int]

CHANGES = [
    ("Europe/Berlin", "2026-03-29T01:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30Z"),
]


def film_round(place: Place, change: str, hours: int) -> tuple[int, int]:
    """Publish a frame a minute from some hours before a time to as many after it."""
    middle_ms = (Moment.fromisoformat(change) - EPOCH) // MILLISECOND
    from_ms, to_ms = middle_ms - hours * HOUR_MS, middle_ms + hours * HOUR_MS
    coverage = [
        Coverage(model="m", source="gate", interval_start_ms=at_ms, interval_s=60, frames=1)
        for at_ms in range(from_ms, to_ms, 60_000)
    ]
    place.publish([], coverage, interval_s=60, model="m")
    return from_ms, to_ms


def rows_of(data: bytes, file_format: str) -> list[Row]:
    records: list[dict[str, Any]]
    if file_format == "parquet":
        records = parquet.read_table(io.BytesIO(data)).to_pylist()
        return [(one["interval_start"], one["interval_end"], one["frames_analysed"]) for one in records]
    if file_format == "json":
        records = json.loads(data)["rows"]
    else:
        records = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    return [
        (
            Moment.fromisoformat(one["interval_start"]),
            Moment.fromisoformat(one["interval_end"]),
            int(one["frames_analysed"]),
        )
        for one in records
    ]


@pytest.mark.thorough
@pytest.mark.parametrize(("zone", "change"), CHANGES)
def test_rows_are_contiguous_across_a_clock_change_in_every_format(
    place: Place, zone: str, change: str
) -> None:
    from_ms, to_ms = film_round(place, change, hours=4)
    client = place.app().test_client()
    for interval_s in (60, 1800, 3600, 86_400):
        read = []
        for file_format in ("csv", "json", "parquet"):
            query = f"interval={interval_s}&timezone={zone}&format={file_format}"
            answer = client.get(f"/api/v1/export?{query}")
            assert answer.status_code == 200, answer.text
            rows = rows_of(answer.data, file_format)
            # In UTC: Python compares two times of one zone by their wall-clock values.
            read.append([(start.astimezone(datetime.UTC), end.astimezone(datetime.UTC), frames)
                         for start, end, frames in rows])  # fmt: skip
        assert read[0] == read[1] == read[2]
        assert all(start < end for start, end, _ in read[0])
        assert [end for _, end, _ in read[0][:-1]] == [start for start, _, _ in read[0][1:]]
        assert sum(frames for *_, frames in read[0]) == (to_ms - from_ms) // 60_000
        for start, end, frames in read[0]:
            if interval_s == 60:
                assert (end - start, frames) == (datetime.timedelta(seconds=60), 1)
            elif interval_s == 3600:
                assert end - start <= datetime.timedelta(hours=1)


def test_the_second_of_two_equal_hours_begins_with_its_own_offset(place: Place) -> None:
    film_round(place, "2026-10-25T01:00Z", hours=2)
    data = place.app().test_client().get("/api/v1/export?interval=3600&timezone=Europe/Berlin").data
    starts = [line.split(",")[0] for line in data.decode("utf-8-sig").splitlines()[1:]]
    assert starts == [
        "2026-10-25T01:00:00+02:00",
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T03:00:00+01:00",
    ]


@given(st.integers(FIRST_MS, NEXT_MS), st.timezones())
def test_a_local_time_converts_back_to_its_moment(time_ms: int, zone: zoneinfo.ZoneInfo) -> None:
    shown = local_time(time_ms, zone).isoformat()
    assert (Moment.fromisoformat(shown) - EPOCH) // MILLISECOND == time_ms
