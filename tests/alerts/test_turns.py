"""Turns by local clocks: each day has exactly one, whatever the clocks do and whenever you ask."""

from __future__ import annotations

import datetime
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from tests.examples import examples

from frametally.rules.clocks.turns import EVERY, Every, last_turn, moment_ms
from frametally.rules.times import DAY_MS, EPOCH, HOUR_MS, MILLISECOND, local_time

ZONES = sorted(zoneinfo.available_timezones())
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def ms(text: str) -> int:
    return (datetime.datetime.fromisoformat(text) - EPOCH) // MILLISECOND


def named(found: int | None) -> str | None:
    return None if found is None else local_time(found, datetime.UTC).strftime("%Y-%m-%dT%H:%MZ")


@pytest.mark.parametrize(
    ("zone", "day", "minute", "at"),
    [
        ("Europe/Berlin", "2026-11-23", 420, "2026-11-23T06:00Z"),
        ("Europe/Berlin", "2026-03-29", 150, "2026-03-29T01:00Z"),  # 02:30 is skipped: at 03:00
        ("Europe/Berlin", "2026-10-25", 150, "2026-10-25T00:30Z"),  # 02:30 occurs twice: the first
        ("America/Nuuk", "2024-03-30", 1410, "2024-03-31T01:00Z"),  # 23:30 is skipped, up to midnight
        ("Australia/Lord_Howe", "2026-10-04", 135, "2026-10-03T15:30Z"),  # half an hour is skipped
        ("Pacific/Apia", "2011-12-30", 420, None),  # the whole day was skipped
        ("Pacific/Apia", "2011-12-31", 420, "2011-12-30T17:00Z"),
    ],
)
def test_a_skipped_or_repeated_local_time_means_one_moment(
    zone: str, day: str, minute: int, at: str | None
) -> None:
    assert named(moment_ms(datetime.date.fromisoformat(day), minute, zoneinfo.ZoneInfo(zone))) == at


@pytest.mark.parametrize(
    ("every", "now", "span"),
    [
        ("monday", "2026-03-30T07:00+02:00", ("2026-03-22T23:00Z", "2026-03-29T22:00Z")),  # of 167 hours
        ("day", "2026-03-30T07:00+02:00", ("2026-03-28T23:00Z", "2026-03-29T22:00Z")),  # of 23 hours
        ("month", "2026-03-30T07:00+02:00", ("2026-01-31T23:00Z", "2026-02-28T23:00Z")),
    ],
)
def test_a_report_covers_the_past_local_day_week_or_month(
    every: Every, now: str, span: tuple[str, str]
) -> None:
    turn = last_turn(every, 420, BERLIN, ms(now))
    assert (named(turn.from_ms), named(turn.to_ms)) == span


def test_a_report_is_due_to_the_millisecond() -> None:
    at_ms = ms("2026-11-23T07:00+01:00")
    before, at = (last_turn("monday", 420, BERLIN, now_ms) for now_ms in (at_ms - 1, at_ms))
    assert (before.day.day, at.day.day) == (16, 23)


@pytest.mark.thorough
@settings(max_examples=examples(300))
@given(
    zone=some.sampled_from(ZONES).map(zoneinfo.ZoneInfo),
    every=some.sampled_from(EVERY),
    minute=some.integers(0, 1439),
    first_ms=some.integers(ms("1975-01-01T00:00Z"), ms("2037-01-01T00:00Z")),
    steps=some.lists(some.integers(1, 30 * HOUR_MS), min_size=1, max_size=80),
)
def test_each_local_day_has_one_report_in_any_time_zone_whenever_it_is_checked(
    zone: zoneinfo.ZoneInfo, every: Every, minute: int, first_ms: int, steps: list[int]
) -> None:
    now_ms, asked = first_ms, []
    for step_ms in steps:
        asked.append(now_ms)
        now_ms += step_ms
    turns = [turn for one in asked if (turn := last_turn(every, minute, zone, one)) is not None]
    assert len(turns) == len(asked)
    for one, turn in zip(asked, turns, strict=True):
        assert turn.from_ms < turn.to_ms
        assert turn.at_ms <= one
        shown = local_time(turn.at_ms, zone).replace(tzinfo=None, fold=0)
        wanted = datetime.datetime.combine(turn.day, datetime.time(minute // 60, minute % 60))
        before = local_time(turn.at_ms - 1, zone).replace(tzinfo=None, fold=0)
        assert shown == wanted or before < wanted < shown  # that time, or the moment at which it is skipped
        assert last_turn(every, minute, zone, turn.at_ms + 62 * DAY_MS).day > turn.day
    # A day has one moment, and days are in order, so no two days share a turn.
    by_day = {turn.day: turn.at_ms for turn in turns}
    assert len(set(by_day.values())) == len(by_day)
    assert [*by_day.values()] == sorted(by_day.values())
    assert {turn.day: turn for turn in turns} == {turn.day: turn for turn in reversed(turns)}


@settings(max_examples=examples(100))
@given(
    zone=some.sampled_from(ZONES).map(zoneinfo.ZoneInfo),
    minute=some.integers(0, 1439),
    day=some.dates(datetime.date(1975, 1, 1), datetime.date(2036, 1, 1)),
)
def test_no_day_is_skipped_if_reports_are_checked_often_enough(
    zone: zoneinfo.ZoneInfo, minute: int, day: datetime.date
) -> None:
    days = [day + datetime.timedelta(days=at) for at in range(5)]
    there = {one: at_ms for one in days if (at_ms := moment_ms(one, minute, zone)) is not None}
    assert len(there) >= 4  # zones have skipped a day, never two in a row
    for one, at_ms in there.items():
        turn = last_turn("day", minute, zone, at_ms)
        assert (turn.day, turn.at_ms) == (one, at_ms)
