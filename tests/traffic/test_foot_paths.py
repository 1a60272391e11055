"""A path that was split anywhere is whole again, with its pieces in any order and repeated."""

from __future__ import annotations

import random
from bisect import bisect_left
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.traffic.walks import lines, paths, rings

from frametally.rules.path_columns import PathColumns
from frametally.rules.times import HOUR_MS
from frametally_traffic.geometry.crossings import Border, Place, crossings_of
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath, joined, pieces_of, stitched
from frametally_traffic.geometry.zones import PictureZone, stays_of


def part_of(path: FootPath, first: int, end: int) -> FootPath:
    """The piece of these points, as the job writes it: its first point has one box."""
    piece = FootPath(*(column[first:end] for column in path))
    return piece._replace(boxes=(1, *piece.boxes[1:]))


@pytest.mark.thorough
@given(paths(), st.lists(st.integers(0, 12)), st.integers(1, 3), st.randoms())
def test_a_path_split_anywhere_is_joined_to_the_same_path(
    path: FootPath, cuts: list[int], shared: int, chance: random.Random
) -> None:
    ends = sorted({min(cut, len(path.x) - 1) for cut in cuts} | {len(path.x) - 1})
    pieces = [part_of(path, first, end + shared) for first, end in zip([0, *ends[:-1]], ends, strict=True)]
    pieces += chance.choices(pieces, k=3)
    chance.shuffle(pieces)
    assert stitched(pieces) == path


def by_hour(path: FootPath, number: int) -> list[FollowedPath]:
    """The pieces of a path in hours: each from the last point before it to the first one after it."""
    starts = sorted({ms - ms % HOUR_MS for ms in path.time_ms})
    pieces = []
    for start_ms in starts:
        own, after = (bisect_left(path.time_ms, ms) for ms in (start_ms, start_ms + HOUR_MS))
        pieces.append(
            FollowedPath(
                (f"{start_ms}-{number}",),
                start_ms,
                start_ms + HOUR_MS,
                "hour" if own else "border",
                "hour" if after < len(path.x) else "lost",
                part_of(path, max(own - 1, 0), after + 1),
            )
        )
    return pieces


@st.composite
def long_paths(draw: st.DrawFn) -> FootPath:
    """Paths over several hours, without gaps of an hour."""
    path = draw(paths())
    return path._replace(time_ms=tuple(1000 * ms for ms in path.time_ms))


@pytest.mark.thorough
@settings(max_examples=examples(50))
@given(st.lists(long_paths(), max_size=4, unique=True), lines(), rings(), st.randoms())
def test_splitting_reordering_and_repeating_hours_changes_nothing(
    whole: list[FootPath], line: list[Place], corners: list[Place], chance: random.Random
) -> None:
    border, zone = Border(line), PictureZone(corners)

    def counted(found: list[FollowedPath]) -> Any:
        crossings = [(one.ids[0], crossing) for one in found for crossing in crossings_of(one, border)]
        stays = [(one.ids[0], stay) for one in found for stay in stays_of(one, zone)]
        return set(crossings), set(stays)

    pieces = [piece for number, path in enumerate(whole) for piece in by_hour(path, number)]
    again = pieces + chance.choices(pieces, k=4) if pieces else []
    chance.shuffle(again)
    found = joined(again)
    assert found == joined(pieces)
    assert counted(found) == counted(
        [
            FollowedPath(
                tuple(piece.ids[0] for piece in by_hour(path, number)),
                by_hour(path, number)[0].from_ms,
                by_hour(path, number)[-1].to_ms,
                "border",
                "lost",
                path,
            )
            for number, path in enumerate(whole)
        ]
    )


def test_hours_of_one_object_are_joined_by_the_step_that_they_share() -> None:
    times = (HOUR_MS - 400, HOUR_MS - 200, HOUR_MS, HOUR_MS + 200)
    one = FootPath(times, (10, 20, 30, 40), (5, 5, 5, 5), (9, 9, 9, 9), (1, 4, 1, 3))
    other = one._replace(y=(6, 6, 6, 6))
    found = joined(
        [piece for number, path in enumerate((one, other)) for piece in by_hour(path, number)][::-1]
    )
    assert [piece.ids for piece in found] == [("0-0", f"{HOUR_MS}-0"), ("0-1", f"{HOUR_MS}-1")]
    assert [piece.path for piece in found] == [one, other]
    assert (found[0].from_ms, found[0].to_ms) == (0, 2 * HOUR_MS)
    assert (found[0].began, found[0].ended) == ("border", "lost")


def test_a_path_that_the_previous_hour_does_not_know_stays_separate() -> None:
    first, second = by_hour(FootPath((HOUR_MS - 200, HOUR_MS), (10, 20), (5, 5), (9, 9), (1, 1)), 0)
    moved = second._replace(path=second.path._replace(x=(11, 20)))
    assert joined([moved, first]) == [first, moved]


def test_pieces_are_read_from_a_days_columns() -> None:
    day_ms = 24 * HOUR_MS
    columns = {
        "hour": [12, 13],
        "number": [0, 4],
        "label": [0, 0],
        "is_counted": [1, 0],
        "began": [0, 4],
        "ended": [4, 1],
        "first_seen": [200, 0],
        "points": [2, 1],
        "time": [200, 70_000, -100],
        "x": [1300, 1685, 3],
        "y": [2400, 2400, 4],
        "height": [400, 90, 5],
        "boxes": [1, 19, 1],
    }
    noon_ms = day_ms + 12 * HOUR_MS
    later_ms = noon_ms + HOUR_MS
    assert [*pieces_of(PathColumns("tiny-1", "gate", day_ms, ("car",), columns))] == [
        FollowedPath(
            (f"{noon_ms}-0",),
            noon_ms,
            later_ms,
            "border",
            "hour",
            FootPath((noon_ms + 200, noon_ms + 70_000), (1300, 1685), (2400, 2400), (400, 90), (1, 19)),
        ),
        FollowedPath(
            (f"{later_ms}-4",),
            later_ms,
            later_ms + HOUR_MS,
            "hour",
            "lost",
            FootPath((later_ms - 100,), (3,), (4,), (5,), (1,)),
        ),
    ]
