"""A medium's time comes from its best source of time; times without a zone follow the configured rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from frametally.errors import Misconfigured, Poison
from frametally.settings.loading import Settings
from frametally_producer.reading.event_time import (
    EventTime,
    TimeClues,
    find_event_time,
    iso,
    parse_start_time,
)
from frametally_producer.reading.time_statements import StatementKind, TimeStatement, read_moment

# 2026-03-04T05:06:07.890Z
MODIFIED_NS = 1_772_600_767_890_000_000
NAMED = "gate_20260504_101112"
PATTERN = "gate_%Y%m%d_%H%M%S"


def find(
    *,
    start_time: str | None = None,
    recorded: str | None = None,
    filmed: str | None = None,
    recorded_in: Literal["exif", "container"] = "exif",
    name: str = f"{NAMED}.mp4",
    duration_ms: int = 0,
    **settings: Any,
) -> EventTime:
    stated: list[tuple[StatementKind, str | None]] = [
        ("QuickTime date", filmed),
        ("EXIF" if recorded_in == "exif" else "container", recorded),
    ]
    clues = TimeClues(
        path=Path("footage") / name,
        statements=[TimeStatement(kind, text, read_moment(text)) for kind, text in stated if text],
        kept_in=recorded_in,
        modified_ns=MODIFIED_NS,
        duration_ms=duration_ms,
    )
    start = parse_start_time(start_time) if start_time else None
    return find_event_time(clues, settings=Settings(**settings), start_time=start)


def kinds(time: EventTime) -> list[str]:
    return [remark.kind for remark in time.remarks]


def test_each_rung_of_the_ladder_is_used_when_those_above_give_no_time() -> None:
    every: dict[str, Any] = {
        "start_time": "2026-01-01T00:00:00Z",
        "recorded": "2026-02-02T00:00:00Z",
        "filmed": "2026-02-03T00:00:00Z",
        "time_pattern": PATTERN,
    }
    assert find(**every)[:2] == (1_767_225_600_000, "start_time")
    del every["start_time"]
    assert (iso(find(**every).at_ms), find(**every).time_source) == ("2026-05-04T10:11:12.000Z", "file_name")
    del every["time_pattern"]
    assert find(**every, recorded_in="container")[:2] == (1_770_076_800_000, "container")
    del every["filmed"]
    assert find(**every)[:2] == (1_769_990_400_000, "exif")
    assert find(**every, recorded_in="container").time_source == "container"
    del every["recorded"]
    assert find(**every)[:2] == (MODIFIED_NS // 1_000_000, "file_time")


def test_a_videos_file_date_is_taken_as_its_end() -> None:
    assert find(duration_ms=90_500).at_ms == MODIFIED_NS // 1_000_000 - 90_500


def test_a_file_dates_remark_names_the_way_to_a_better_time() -> None:
    [remark] = find().remarks
    assert remark.kind == "file_time"
    for part in ("modification date", "2026-03-04T05:06:07.890Z", "--time-pattern", "--no-file-time"):
        assert part in remark.text


def test_a_file_date_is_refused_with_the_remedy_if_it_may_not_be_used() -> None:
    with pytest.raises(Poison, match="--start-time") as refused:
        find(file_time=False)
    assert "--time-pattern" in str(refused.value)
    assert find(file_time=False, time_pattern=PATTERN).time_source == "file_name"


def test_a_name_that_does_not_match_the_pattern_is_reported() -> None:
    time = find(name="other.mp4", time_pattern=PATTERN)
    assert time.time_source == "file_time"
    assert f"does not match --time-pattern {PATTERN}" in time.remarks[0].text
    assert find(name=f"{NAMED}_b.mp4", time_pattern=PATTERN).time_source == "file_time"


def test_a_clock_that_was_never_set_gives_no_time() -> None:
    for unset in ("1904-01-01T00:00:00Z", "1970-01-01T00:00:00"):
        assert find(recorded=unset).time_source == "file_time"


@pytest.mark.parametrize(
    ("moment", "zone", "utc", "remarks"),
    [
        ("2026-07-01T12:00:00+02:00", "Europe/Berlin", "2026-07-01T10:00:00.000Z", []),
        ("2026-07-01T12:00:00.9876", "UTC", "2026-07-01T12:00:00.987Z", ["naive"]),
        ("2026-07-01T12:00:00", "Europe/Berlin", "2026-07-01T10:00:00.000Z", ["naive"]),
        ("2026-12-01T12:00:00", "Europe/Berlin", "2026-12-01T11:00:00.000Z", ["naive"]),
        # Clocks go back from 3:00 to 2:00: the first 2:30 is summer time's.
        ("2026-10-25T02:30:00", "Europe/Berlin", "2026-10-25T00:30:00.000Z", ["naive", "first_hour"]),
        ("2026-10-25T03:00:00", "Europe/Berlin", "2026-10-25T02:00:00.000Z", ["naive"]),
        # Clocks go from 2:00 to 3:00: 2:30 moves on to 3:30 summer time.
        ("2026-03-29T02:30:00", "Europe/Berlin", "2026-03-29T01:30:00.000Z", ["naive", "skipped"]),
        ("2026-03-29T03:30:00", "Europe/Berlin", "2026-03-29T01:30:00.000Z", ["naive"]),
        # A gap of half an hour, and one of a whole day.
        ("2026-10-04T02:15:00", "Australia/Lord_Howe", "2026-10-03T15:45:00.000Z", ["naive", "skipped"]),
        ("2011-12-30T12:00:00", "Pacific/Apia", "2011-12-30T22:00:00.000Z", ["naive", "skipped"]),
        ("2000-02-29T23:59:59", "UTC", "2000-02-29T23:59:59.000Z", ["naive"]),
    ],
)
def test_a_time_without_a_zone_is_read_in_the_deployments_zone(
    moment: str, zone: str, utc: str, remarks: list[str]
) -> None:
    for time in (find(start_time=moment, timezone=zone), find(recorded=moment, timezone=zone)):
        assert iso(time.at_ms) == utc
        assert kinds(time) == remarks


def test_remarks_name_the_zone_and_what_replaced_a_skipped_time() -> None:
    naive, skipped = find(recorded="2026-03-29T02:30:00", timezone="Europe/Berlin").remarks
    assert "Europe/Berlin (--timezone)" in naive.text
    assert "2026-03-29 02:30:00 does not exist" in skipped.text
    assert "used 2026-03-29 03:30:00" in skipped.text


def test_a_pattern_with_an_offset_needs_no_zone() -> None:
    time = find(name="20260504T101112+0200.mp4", time_pattern="%Y%m%dT%H%M%S%z", timezone="Asia/Tokyo")
    assert (iso(time.at_ms), kinds(time)) == ("2026-05-04T08:11:12.000Z", [])


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "12:00", ""])
def test_an_invalid_start_time_is_reported_with_a_valid_example(text: str) -> None:
    with pytest.raises(Misconfigured, match="2026-05-01T08:00:00"):
        parse_start_time(text)


def test_a_time_that_no_key_can_hold_is_refused() -> None:
    assert iso(find(start_time="1066-10-14T09:00:00Z").at_ms) == "1066-10-14T09:00:00.000Z"
    with pytest.raises(Poison, match="years 1000 to 9999"):
        find(recorded="9999-12-31T23:59:59-12:00")
    with pytest.raises(Poison, match="years 1000 to 9999"):
        find(duration_ms=10**17)


def test_a_containers_time_is_utc_unless_declared_local_and_a_zone_without_effect_is_reported() -> None:
    stated: dict[str, Any] = {"recorded": "2026-07-01T14:00:00Z", "recorded_in": "container"}
    assert kinds(find(**stated)) == []
    time = find(**stated, timezone="Europe/Berlin")
    assert (iso(time.at_ms), kinds(time)) == ("2026-07-01T14:00:00.000Z", ["utc"])
    assert "--timezone had no effect" in time.remarks[0].text
    assert "--container-time local" in time.remarks[0].text
    time = find(**stated, timezone="Europe/Berlin", container_time="local")
    assert (iso(time.at_ms), kinds(time)) == ("2026-07-01T12:00:00.000Z", ["naive"])
    # A time with an offset, or of a picture, says what it is.
    for other in ({"recorded": "2026-07-01T14:00:00+02:00"}, {"recorded_in": "exif"}):
        time = find(**{**stated, **other}, timezone="Asia/Tokyo", container_time="local")
        assert time.at_ms == find(**{**stated, **other}).at_ms


def test_an_unreadable_time_is_quoted_and_not_called_missing() -> None:
    [remark] = find(recorded="1 May 2026, eight").remarks
    assert remark.text.startswith("its EXIF says '1 May 2026, eight', which frametally cannot use as a time")
    with pytest.raises(Poison, match="its EXIF says '1 May 2026, eight'"):
        find(recorded="1 May 2026, eight", file_time=False)
