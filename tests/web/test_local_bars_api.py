"""Bars of local time: days of 23 and 25 hours, weeks from Monday, half-hour zones; every box in one bar."""

from __future__ import annotations

import datetime
import itertools
import zoneinfo
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.web.conftest import Place
from tests.web.counted_footage import CLOCKS_CHANGE, ZONES, count_hours

from frametally import keys
from frametally_web.charts.local_bars import Bars, spans

HOUR_MS = 3_600_000
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def hours(tmp_path_factory: pytest.TempPathFactory, make_place: Any) -> Any:
    place = make_place(tmp_path_factory.mktemp("hours"))
    for first_day in CLOCKS_CHANGE:
        count_hours(place, first_day, 4)
    yield place
    place.close()


def bars_of(place: Place, query: str) -> list[dict[str, Any]]:
    answer = place.app().test_client().get(f"/api/counts?{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json["buckets"])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("day", "hours_long"), [("2024-03-31", 23), ("2024-10-27", 25), ("2024-10-28", 24), ("2025-01-01", 24)]
)
def test_a_day_begins_at_local_midnight_and_its_length_follows_the_clocks(
    hours: Place, day: str, hours_long: int
) -> None:
    midnight = datetime.datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    start_ms = int(midnight.timestamp() * 1000)
    (bar,) = [
        bar
        for bar in bars_of(
            hours, f"interval=86400&timezone=Europe/Berlin&from={start_ms}&to={start_ms + 90_000_000}"
        )
        if bar["start_ms"] == start_ms
    ]
    assert bar["detections"] == bar["objects"] == hours_long * 4
    coverage = (
        hours.app()
        .test_client()
        .get(f"/api/counts?interval=86400&timezone=Europe/Berlin&from={day}&to={day}T23:59")
    )
    (covered,) = coverage.json["coverage"]
    assert covered["end_ms"] - covered["start_ms"] == hours_long * HOUR_MS


def test_a_day_whose_midnight_the_clocks_skip_begins_at_one(hours: Place) -> None:
    bars = bars_of(hours, "interval=86400&timezone=America/Sao_Paulo&from=2018-11-04&to=2018-11-05")
    assert [bar["start_ms"] for bar in bars] == [
        int(datetime.datetime(2018, 11, 4, 3, tzinfo=datetime.UTC).timestamp() * 1000)
    ]
    assert bars[0]["detections"] == 23 * 4


def test_weeks_begin_on_monday(hours: Place) -> None:
    bars = bars_of(hours, "interval=604800&timezone=Europe/Berlin&from=2024-12-28&to=2025-01-04")
    (monday,) = {bar["start_ms"] for bar in bars}
    assert datetime.datetime.fromtimestamp(monday / 1000, BERLIN).isoformat() == "2024-12-30T00:00:00+01:00"


def test_a_repeated_hour_is_two_bars(hours: Place) -> None:
    bars = bars_of(hours, "interval=3600&timezone=Europe/Berlin&from=2024-10-27T00:00Z&to=2024-10-27T03:00Z")
    assert [bar["detections"] for bar in bars] == [4, 4, 4]
    assert [bar["start_ms"] % HOUR_MS for bar in bars] == [0, 0, 0]


def test_hours_in_a_half_hour_zone_begin_at_its_own_full_hours(hours: Place) -> None:
    bars = bars_of(hours, "interval=3600&timezone=Asia/Kolkata&from=2024-12-30T06:00&to=2024-12-30T09:00")
    assert [bar["start_ms"] % HOUR_MS for bar in bars] == [HOUR_MS // 2] * 3
    assert [bar["detections"] for bar in bars] == [4, 4, 4]


def test_a_stored_interval_that_does_not_fit_a_zone_is_refused_with_the_choices(place: Place) -> None:
    count_hours(place, "2024-05-01", 1, interval_s=3600)
    client = place.app().test_client()
    answer = client.get("/api/counts?timezone=Asia/Kolkata&interval=86400")
    assert answer.status_code == 400
    assert answer.json["parameter"] == "timezone"
    assert "(3600 seconds)" in answer.json["detail"]
    assert "UTC" in answer.json["remedy"]
    assert client.get("/api/counts?timezone=Europe/Berlin&interval=86400").status_code == 200
    assert client.get("/api/heatmap?timezone=Asia/Kolkata").status_code == 400


# Bars of 3 h 15 min: one begins within the hour that occurs twice.
@pytest.mark.thorough
@example(zone="Europe/Berlin", around="2024-10-26", from_min=0, length=288, interval_s=11_700)
# Bars of two hours, one of them within three that occur twice: from before, and from the change on.
@example(zone="Antarctica/Casey", around="2010-03-03", from_min=0, length=288, interval_s=7200)
@example(zone="Antarctica/Casey", around="2010-03-03", from_min=156, length=48, interval_s=7200)
@settings(max_examples=examples(50))
@given(
    zone=st.sampled_from(ZONES),
    around=st.sampled_from(CLOCKS_CHANGE),
    from_min=st.integers(0, 4 * 96),
    length=st.integers(1, 3 * 96),
    interval_s=st.sampled_from([900, 1800, 3600, 5400, 7200, 9900, 21_600, 86_400, 172_800, 604_800]),
)
def test_bars_are_contiguous_and_hold_every_box_once(
    hours: Place, zone: str, around: str, from_min: int, length: int, interval_s: int
) -> None:
    from_ms = keys.day_start_ms(around) + from_min * 900_000
    to_ms = min(from_ms + length * 900_000, keys.day_start_ms(around) + 4 * 86_400_000)
    if from_ms >= to_ms:
        return
    answer = (
        hours.app()
        .test_client()
        .get(f"/api/counts?timezone={zone}&interval={interval_s}&from={from_ms}&to={to_ms}")
    )
    buckets, coverage = answer.json["buckets"], answer.json["coverage"]
    assert sum(bar["detections"] for bar in buckets) == (to_ms - from_ms) // 900_000
    for one, other in itertools.pairwise(coverage):
        assert one["start_ms"] < one["end_ms"] == other["start_ms"]
    for bar, covered in zip(buckets, coverage, strict=True):
        inside = min(covered["end_ms"], to_ms) - max(covered["start_ms"], from_ms)
        assert (bar["start_ms"], bar["detections"] * 900_000) == (covered["start_ms"], inside)


@given(
    zone=st.sampled_from(ZONES),
    around=st.sampled_from(CLOCKS_CHANGE),
    length_h=st.integers(1, 24 * 400),
    interval_s=st.sampled_from([1, 60, 3600, 7200, 86_400, 604_800]),
)
@settings(max_examples=examples(60))
def test_spans_have_one_offset_each_and_bars_end_where_the_next_begins(
    zone: str, around: str, length_h: int, interval_s: int
) -> None:
    tzinfo = zoneinfo.ZoneInfo(zone)
    from_ms = keys.day_start_ms(around)
    to_ms = from_ms + length_h * HOUR_MS
    found = spans(tzinfo, from_ms, to_ms)
    assert (found[0].from_ms, found[-1].to_ms) == (from_ms, to_ms)
    for one, other in itertools.pairwise(found):
        assert one.to_ms == other.from_ms
        assert one.offset_ms != other.offset_ms
    for span in found:
        for ms in (span.from_ms, (span.from_ms + span.to_ms) // 2, span.to_ms - 1):
            moment = datetime.datetime.fromtimestamp(ms / 1000, tzinfo)
            assert moment.utcoffset() == datetime.timedelta(milliseconds=span.offset_ms)
    bars = list(itertools.islice(Bars(interval_s, tzinfo).over(from_ms, to_ms), 1000))
    assert bars[0][0] <= from_ms < bars[0][1]
    for bar, next_bar in itertools.pairwise(bars):
        assert bar[1] == next_bar[0] < next_bar[1]


def test_the_heat_map_uses_local_hours_and_adds_up(hours: Place) -> None:
    client = hours.app().test_client()
    answer = client.get("/api/heatmap?timezone=Europe/Berlin&from=2024-10-26T00:00&to=2024-10-29T00:00").json
    cells = {(cell["weekday"], cell["hour"]): cell for cell in answer["cells"]}
    assert cells[7, 2]["detections"] == 8  # Sunday's hour that occurred twice
    assert cells[7, 3]["detections"] == cells[1, 2]["detections"] == 4
    assert (
        sum(cell["detections"] for cell in answer["cells"]) == (73 - 2) * 4
    )  # from 02:00, where the data begins
    assert cells[7, 2]["mean_per_frame"] == cells[7, 2]["detections"] / cells[7, 2]["frames"]


def test_a_series_that_divides_no_hour_has_no_heat_map_and_says_so(place: Place) -> None:
    count_hours(place, "2024-05-01", 1, interval_s=86_400)
    answer = place.app().test_client().get("/api/heatmap")
    assert answer.status_code == 400
    assert "do not divide an hour" in answer.json["detail"]
