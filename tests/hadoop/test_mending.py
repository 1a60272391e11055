"""Objects that were hidden for long, or that exchanged their tracks, are who they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest
from tests.hadoop.test_track_hours import NOON_MS, drive, objects, tracks
from tests.hadoop.test_tracking import Walker, hidden, owners_of, scene, visits_of

from frametally_hadoop.job.visits import Visit

if TYPE_CHECKING:
    from tests.hadoop.conftest import Footage


def stands(x: float = 600, y: float = 300, *, since_s: float = 0, until_s: float = 40) -> Walker:
    """Somebody in the middle of the picture, 90 px tall."""
    return Walker(start=(x, y), since_s=since_s, until_s=until_s)


def visits(walkers: Sequence[Walker], fps: float = 5) -> list[Visit]:
    return visits_of(scene(walkers, fps=fps, seconds=40)[0])


@pytest.mark.parametrize("fps", [10, 5])
@pytest.mark.parametrize(("hidden_s", "number"), [(5, 1), (14, 1), (16, 2)])
def test_who_stands_hidden_for_three_stitches_is_the_same_afterwards(
    fps: float, hidden_s: float, number: int
) -> None:
    walker = Walker(start=(600, 300), until_s=40, sight=hidden((8, 8 + hidden_s)))
    assert len(visits([walker], fps)) == number


@pytest.mark.parametrize(("away_px", "number"), [(85, 1), (95, 2)])
def test_who_appears_more_than_a_height_away_after_so_long_is_somebody_else(
    away_px: float, number: int
) -> None:
    assert len(visits([stands(until_s=8), stands(600 + away_px, since_s=18)])) == number


@pytest.mark.parametrize("other", [stands(640, until_s=7), stands(640, since_s=19)])
def test_where_two_can_be_meant_after_so_long_nobody_is(other: Walker) -> None:
    """Two vanish and one appears, or one vanishes and two appear."""
    assert len(visits([stands(until_s=8), stands(since_s=18), other])) == 3


def test_who_goes_at_the_border_is_not_the_one_who_comes_there_however_long_after() -> None:
    assert len(visits([stands(22, until_s=8), stands(22, since_s=18)])) == 2


@pytest.mark.parametrize(
    ("confidence", "off_px", "is_filled"),
    [(0.45, 0, True), (0.45, 60, True), (0.45, 75, False), (0.35, 0, False)],
)
def test_boxes_left_over_in_a_gap_say_where_who_was_hidden_was(
    confidence: float, off_px: float, is_filled: bool
) -> None:
    """Less than three quarters of a height off the straight way, and rather sure."""
    walker = Walker(start=(600, 300), until_s=40, sight=hidden((8, 12.5)))
    glimpse = Walker(start=(600 + off_px, 300), since_s=10, until_s=11, sight=lambda _: confidence)
    [visit] = visits([walker, glimpse])
    times = {box.time_ms for box in visit.sightings}
    assert (times >= {10_000, 10_200, 10_400, 10_600, 10_800}) == is_filled
    assert {time for time in times if 8000 <= time < 12_500} <= set(range(10_000, 11_000))


def test_a_box_left_over_fills_one_gap_alone() -> None:
    gap = hidden((8, 12.5))
    walkers = [Walker(start=(x, 300), until_s=40, sight=gap) for x in (560, 640)]
    glimpse = Walker(start=(600, 300), since_s=10, until_s=11, sight=lambda _: 0.45)
    found = visits([*walkers, glimpse])
    assert [sum(8000 <= box.time_ms < 12_500 for box in visit.sightings) for visit in found] == [5, 0]


@pytest.mark.parametrize("fps", [10, 5])
def test_two_who_exchange_their_tracks_as_they_meet_go_on_as_they_came(fps: int) -> None:
    """One is not seen for half a second; another comes out just there, and goes the other way."""
    walkers = [
        Walker(start=(300, 300), velocity=(80, 0), sight=hidden((4.5, 5.1))),
        Walker(start=(650, 300), velocity=(-80, 0), since_s=4.5),
    ]
    frames, owners = scene(walkers, fps=fps, seconds=8)
    clear = [
        visit._replace(sightings=[box for box in visit.sightings if not 4500 <= box.time_ms < 5200])
        for visit in visits_of(frames)
    ]
    assert owners_of(clear, owners) == [{0}, {1}]


def test_who_goes_on_the_same_way_keeps_his_track() -> None:
    """In a queue one car comes out behind another: that is no exchange."""
    first = Walker(start=(300, 300), velocity=(40, 0))
    behind = Walker(start=(380, 300), velocity=(40, 0), since_s=5)
    frames, owners = scene([first, behind], fps=10, seconds=12)
    assert owners_of(visits_of(frames), owners) == [{0}, {1}]


def test_who_stands_hidden_while_the_hour_begins_is_counted_in_the_hour_before_alone(
    footage: Footage,
) -> None:
    hidden_ms = range(NOON_MS - 6_000, NOON_MS + 6_000, 200)
    footage.segment(
        drive(footage, NOON_MS - 30_000, NOON_MS - 6_000)
        + [footage.frame(time_ms, index=900 + n) for n, time_ms in enumerate(hidden_ms)]
        + drive(footage, NOON_MS + 6_000, NOON_MS + 30_000)
    )
    footage.aggregate()
    assert {start: number for start, number in objects(footage).items() if number} == {NOON_MS - 60_000: 1}
    assert [(track.is_counted, track.began, track.ended) for track in tracks(footage)] == [
        (True, "footage", "hour"),
        (False, "hour", "footage"),
    ]
