"""Uncounted footage is computed from the footage, no more and no less."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.fakes.filmed_seconds import OTHER, Books, S
from tests.fakes.records import DAY_MS, MEDIUM

from frametally import keys
from frametally.live_records import LiveMinute, NamedLoss, Outage
from frametally.records import encode
from frametally.undo_records import DroppedDeadLetter, Tombstone


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    with closing(made.ledger), closing(made.index):
        yield made


def test_counted_footage_leaves_nothing_pending_not_even_in_a_gap(books: Books) -> None:
    books.medium(0, 119, frames_announced=60)
    books.detect([*range(30), *range(90, 120)])
    books.count(60)
    assert books.unanalysed() == []


def test_a_medium_pending_detection_is_footage(books: Books) -> None:
    books.medium(0, 59)
    books.detect(range(60))
    books.count(60)
    books.medium(100, 159, media=OTHER)
    assert books.unanalysed() == [(100, 159.001)]
    books.detect(range(100, 130), media=OTHER)
    books.count(90, sequence=2)
    assert books.unanalysed() == [(100, 159.001)]


def test_times_that_a_camera_missed_within_a_minute_are_not_pending_footage(books: Books) -> None:
    live = LiveMinute(
        session_ms=DAY_MS,
        minute_ms=DAY_MS,
        outages=[
            Outage(DAY_MS + 10 * S, DAY_MS + 20 * S, "connection refused"),
            Outage(DAY_MS + 59 * S, None, "sent nothing for 5 s"),
        ],
        losses=[NamedLoss(DAY_MS + 30_001, DAY_MS + 39_999, 9, "the stream was damaged on its way")],
    )
    books.medium(0, 59, kind="video", live=live)
    assert books.unanalysed() == [(0, 10.001), (20, 30.001), (40, 59.001)]


@pytest.mark.parametrize("counted", [False, True])
def test_footage_that_was_detected_but_not_counted_or_indexed_is_pending(books: Books, counted: bool) -> None:
    books.medium(0, 59)
    books.detect(range(60))
    books.count(60)
    books.medium(100, 159, media=OTHER)
    books.detect(range(100, 160), media=OTHER)
    if counted:
        books.count(120, sequence=2, indexed=False)
    assert (100, 159.001) in books.unanalysed()
    books.count(120, sequence=3)
    assert books.unanalysed() == []


def test_dead_letters_stay_pending_at_their_exact_times(books: Books) -> None:
    books.medium(0, 59, frames_announced=56)
    books.detect([*range(20), *range(40, 50)], dead=[*range(20, 40), *range(50, 55), 59])
    books.count(30)
    assert books.unanalysed() == [(20, 39.001), (50, 54.001), (59, 59.001)]


def test_a_dropped_dead_letter_is_footage_and_a_mended_one_is_counted(books: Books) -> None:
    books.medium(0, 59)
    books.detect(range(59), dead=[59])
    books.count(59)
    assert books.unanalysed() == [(59, 59.001)]
    dropped = DroppedDeadLetter(segment=books.segments[0], offset=59)
    books.store.put(dropped.key, encode(dropped))
    assert books.unanalysed() == [(0, 59.001)]  # its own time is no longer known
    books.detect([59])
    books.count(60, sequence=2)
    assert books.unanalysed() == []


def test_forgotten_footage_is_not_pending(books: Books) -> None:
    books.medium(0, 59)
    books.detect(range(40), dead=range(40, 50))
    stone = Tombstone(
        media=keys.media_id(MEDIUM, 0),
        source="cam",
        name="cam.mp4",
        from_ms=DAY_MS + 30 * S,
        to_ms=DAY_MS + 45 * S,
        why="forget",
    )
    books.store.put(stone.key, encode(stone))
    books.count(30)
    assert books.unanalysed() == [(0, 30), (45, 59.001)]  # ten are not detected yet
    books.medium(0, 59, frames_announced=50)
    assert books.unanalysed() == [(45, 49.001)]


def test_pictures_are_reported_at_their_own_times(books: Books) -> None:
    names = [f"{DAY_MS + s * S}-{MEDIUM[:12]}" for s in (0, 3600, 7200)]
    books.medium(0, 7200, kind="pictures", frames_announced=3, announced_pictures=names)
    books.detect([0])
    books.count(1)
    assert books.unanalysed() == [(0, 0.001), (3600, 3600.001), (7200, 7200.001)]


def test_footage_over_midnight_is_reported_until_both_days_are_counted(books: Books) -> None:
    books.medium(-60, 59)
    books.detect(range(-60, 60))
    books.count(60)
    assert books.unanalysed() == [(-60, 59.001)]
    books.count(60, day_ms=DAY_MS - 86_400_000)
    assert books.unanalysed() == []


def test_the_losing_one_of_two_overlapping_media_is_not_waited_for(books: Books) -> None:
    books.medium(0, 59)
    books.detect(range(60))
    books.count(60)
    books.medium(30, 89, media=OTHER)
    assert books.unanalysed() == [(59.003, 89.001)]
    books.detect(range(30, 90), media=OTHER)
    assert books.unanalysed() == [(0, 59.001), (59.003, 89.001)]  # all of a day that is behind
    books.count(90, sequence=2)
    assert books.unanalysed() == []
