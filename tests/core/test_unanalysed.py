"""What was filmed and is not in the counts is told from what was filmed, and neither more nor less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.fakes.memory import MemoryStore
from tests.fakes.records import (
    DAY_MS,
    MEDIUM,
    MODEL,
    make_coverage,
    make_frame,
    make_manifest,
    make_run,
    put_run,
)

from frametally import keys
from frametally.books.unanalysed import find_unanalysed
from frametally.opening import open_count_index, open_ledger
from frametally.process.reports import NoProgress
from frametally.records import DeadLetter, FrameAnnouncement, encode
from frametally.segments.contents import encode_segment
from frametally.settings.loading import Settings
from frametally.undo_records import DroppedDeadLetter, Tombstone

S = 1000
OTHER = "cd" * 32


class Books:
    """A store of one source, its ledger and its index."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.ledger = open_ledger(f"sqlite:///{folder}/ledger.sqlite")
        self.index = open_count_index(f"sqlite:///{folder}/index.sqlite")
        self.offset = 0
        self.segments: list[str] = []

    def medium(self, first_s: int, last_s: int, *, media: str = MEDIUM, **changes: Any) -> None:
        """Announce a frame a second."""
        manifest = make_manifest(last_s - first_s + 1, media=media)
        changes = {
            "first_captured_at_ms": DAY_MS + first_s * S,
            "last_captured_at_ms": DAY_MS + last_s * S,
            **changes,
        }
        self.store.put(keys.media_key(media), encode(msgspec.structs.replace(manifest, **changes)))

    def detect(self, seconds: Sequence[int], dead: Sequence[int] = (), media: str = MEDIUM) -> None:
        first, self.offset = self.offset, self.offset + len(seconds) + len(dead)
        letters = [
            DeadLetter(
                offset=first + len(seconds) + number,
                message=encode(announcement(s, media)),
                source="cam",
                image_path=keys.image_key("cam", DAY_MS + s * S, media, 0),
                stage="decode",
                cause="undecodable",
                reason="torn",
            )
            for number, s in enumerate(dead)
        ]
        data = encode_segment(
            model=MODEL,
            log_id="log",
            topic="frames",
            partition=0,
            first_offset=first,
            next_offset=self.offset,
            frames=[make_frame(DAY_MS + s * S, media=media) for s in seconds],
            dead_letters=letters,
        )
        self.segments.append(keys.segment_key(MODEL, "log", "frames", 0, first))
        self.store.put(self.segments[-1], data)

    def count(self, frames: int, *, sequence: int = 1, day_ms: int = DAY_MS, indexed: bool = True) -> None:
        coverage = make_coverage(day_ms, frames, model=MODEL, source="cam")
        run = make_run(sequence, model=MODEL, frames=frames, day=keys.utc_day(day_ms))
        put_run(self.store, run, [], [coverage])
        if indexed:
            assert self.index.publish(run, [], [coverage])

    def unanalysed(self) -> list[tuple[float, float]]:
        """Seconds of the day."""
        self.ledger.refresh(self.store, NoProgress())
        assert self.ledger.problems(MODEL) == []
        found = find_unanalysed(
            store=self.store, ledger=self.ledger, index=self.index, settings=Settings(_env_file=None)
        )
        [spans] = [of_model.get("cam", []) for of_model in found.values()]
        return [((first - DAY_MS) / S, (end - DAY_MS) / S) for first, end in spans]


def announcement(second: int, media: str) -> FrameAnnouncement:
    return FrameAnnouncement(
        image_path=keys.image_key("cam", DAY_MS + second * S, media, 0),
        source="cam",
        frame_index=0,
        captured_at_ms=DAY_MS + second * S,
        time_source="start_time",
        width_px=64,
        height_px=48,
        bytes=1,
        sha256="00" * 32,
        media=media,
    )


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    with closing(made.ledger), closing(made.index):
        yield made


def test_what_is_counted_leaves_nothing_a_hole_in_it_neither(books: Books) -> None:
    books.medium(0, 119, frames_announced=60)
    books.detect([*range(30), *range(90, 120)])
    books.count(60)
    assert books.unanalysed() == []


def test_a_medium_that_waits_to_be_detected_is_footage(books: Books) -> None:
    books.medium(0, 59)
    books.detect(range(60))
    books.count(60)
    books.medium(100, 159, media=OTHER)
    assert books.unanalysed() == [(100, 159.001)]
    books.detect(range(100, 130), media=OTHER)
    books.count(90, sequence=2)
    assert books.unanalysed() == [(100, 159.001)]


@pytest.mark.parametrize("counted", [False, True])
def test_what_was_detected_and_is_not_counted_or_not_in_the_index_is_footage(
    books: Books, counted: bool
) -> None:
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


def test_dead_letters_are_footage_for_ever_at_their_very_times(books: Books) -> None:
    books.medium(0, 59, frames_announced=56)
    books.detect([*range(20), *range(40, 50)], dead=[*range(20, 40), *range(50, 55), 59])
    books.count(30)
    assert books.unanalysed() == [(20, 39.001), (50, 54.001), (59, 59.001)]


def test_a_dead_letter_that_was_dropped_is_footage_and_one_that_was_mended_is_counted(books: Books) -> None:
    books.medium(0, 59)
    books.detect(range(59), dead=[59])
    books.count(59)
    assert books.unanalysed() == [(59, 59.001)]
    dropped = DroppedDeadLetter(segment=books.segments[0], offset=59)
    books.store.put(dropped.key, encode(dropped))
    assert books.unanalysed() == [(0, 59.001)]  # its own time is not known any more
    books.detect([59])
    books.count(60, sequence=2)
    assert books.unanalysed() == []


def test_what_is_forgotten_is_not_footage_that_waits(books: Books) -> None:
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
    assert books.unanalysed() == [(0, 30), (45, 59.001)]  # ten are still to be detected
    books.medium(0, 59, frames_announced=50)
    assert books.unanalysed() == [(45, 49.001)]


def test_of_pictures_their_own_times_are_told(books: Books) -> None:
    names = [f"{DAY_MS + s * S}-{MEDIUM[:12]}" for s in (0, 3600, 7200)]
    books.medium(0, 7200, kind="pictures", frames_announced=3, announced_pictures=names)
    books.detect([0])
    books.count(1)
    assert books.unanalysed() == [(0, 0.001), (3600, 3600.001), (7200, 7200.001)]


def test_footage_over_midnight_is_told_until_both_days_are_counted(books: Books) -> None:
    books.medium(-60, 59)
    books.detect(range(-60, 60))
    books.count(60)
    assert books.unanalysed() == [(-60, 59.001)]
    books.count(60, day_ms=DAY_MS - 86_400_000)
    assert books.unanalysed() == []


def test_of_two_media_that_overlap_the_one_that_does_not_count_is_not_waited_for(books: Books) -> None:
    books.medium(0, 59)
    books.detect(range(60))
    books.count(60)
    books.medium(30, 89, media=OTHER)
    assert books.unanalysed() == [(59.003, 89.001)]
    books.detect(range(30, 90), media=OTHER)
    assert books.unanalysed() == [(0, 59.001), (59.003, 89.001)]  # of a day that is behind, all
    books.count(90, sequence=2)
    assert books.unanalysed() == []
