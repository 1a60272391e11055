"""Why there is a gap: frames are listed by what happened to them, or as never produced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from tests.fakes.filmed_seconds import OTHER, Books, S
from tests.fakes.records import DAY_MS, MEDIUM, MODEL

from frametally.books.gap import Reason, find_reasons
from frametally.live_records import LiveMinute, NamedLoss, Outage
from frametally.process.reports import NoProgress
from frametally.records import encode
from frametally.settings.loading import Settings
from frametally.undo_records import Tombstone


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    with closing(made.ledger), closing(made.index):
        yield made


def reasons(books: Books, first_s: int, end_s: int, *, model: str | None = MODEL) -> list[Reason]:
    """Query a gap by seconds of the day."""
    books.ledger.refresh(books.store, NoProgress())
    return find_reasons(
        store=books.store,
        ledger=books.ledger,
        settings=Settings(),
        model=model,
        source="cam",
        from_ms=DAY_MS + first_s * S,
        to_ms=DAY_MS + end_s * S,
    )


def kinds(found: list[Reason]) -> list[tuple[str, int]]:
    assert all(str(reason.frames) in reason.words for reason in found if reason.frames)
    assert all(reason.words.endswith(".") and "FRAMETALLY" not in reason.words for reason in found)
    return [(reason.kind, reason.frames) for reason in found]


def test_a_gap_without_produced_footage_is_reported_as_such(books: Books) -> None:
    books.medium(0, 59)
    books.detect(range(60))
    assert kinds(reasons(books, 60, 1000)) == [("nothing_produced", 0)]
    assert kinds(reasons(books, 60, 1000, model=None)) == [("nothing_produced", 0)]


def test_announced_frames_that_are_not_detected_are_behind(books: Books) -> None:
    books.medium(100, 159)
    assert kinds(reasons(books, 100, 160, model=None)) == [("behind", 60)]
    books.detect(range(100, 120))
    assert kinds(reasons(books, 120, 160)) == [("behind", 40)]
    assert kinds(reasons(books, 200, 260)) == [("nothing_produced", 0)]


def test_pictures_are_pending_at_their_own_times(books: Books) -> None:
    times = [100, 200, 5000]
    names = [f"{DAY_MS + second * S}-0123456789ab" for second in times]
    books.medium(100, 5000, kind="pictures", frames_announced=3, announced_pictures=names)
    assert kinds(reasons(books, 90, 210)) == [("behind", 2)]
    assert kinds(reasons(books, 300, 4000)) == [("nothing_produced", 0)]
    books.detect([100])
    assert kinds(reasons(books, 101, 210)) == [("behind", 1)]


def test_dead_letters_are_reported_with_the_first_ones_reason(books: Books) -> None:
    books.medium(0, 59)
    books.detect(range(50), dead=range(50, 60))
    found = reasons(books, 50, 60)
    assert kinds(found) == [("dead_letters", 10)]
    assert found[0].words == "10 frames are unreadable: the picture cannot be decoded."
    assert kinds(reasons(books, 59, 60)) == [("dead_letters", 1)]


def test_frames_that_are_detected_but_not_counted_are_reported(books: Books) -> None:
    books.medium(0, 59)
    books.detect(range(60))
    assert kinds(reasons(books, 30, 60)) == [("not_counted", 30)]


def test_forgotten_footage_is_reported_and_is_neither_behind_nor_dead(books: Books) -> None:
    books.medium(0, 59)
    books.detect(range(50), dead=range(50, 60))
    stone = Tombstone(
        media=MEDIUM,
        source="cam",
        name="cam.mp4",
        from_ms=DAY_MS + 30 * S,
        to_ms=DAY_MS + 60 * S,
        why="forget",
    )
    books.store.put(stone.key, encode(stone))
    assert kinds(reasons(books, 30, 60)) == [("forgotten", 30)]
    assert kinds(reasons(books, 20, 60)) == [("forgotten", 30), ("not_counted", 10)]


def test_footage_that_lost_to_other_footage_of_the_source_is_reported(books: Books) -> None:
    books.medium(0, 59)
    books.medium(30, 89, media=OTHER)
    books.detect(range(30, 90), media=OTHER)
    assert kinds(reasons(books, 30, 60)) == [("behind", 60), ("overlapping", 30)]


def minute(first_s: int, *outages: tuple[int, int | None, str]) -> LiveMinute:
    told = [
        Outage(DAY_MS + from_s * S, None if to_s is None else DAY_MS + to_s * S, why)
        for from_s, to_s, why in outages
    ]
    return LiveMinute(session_ms=DAY_MS, minute_ms=DAY_MS + first_s * S, outages=told)


def test_a_gap_while_the_camera_was_away_shows_the_reason_and_duration(books: Books) -> None:
    outage = (59, 200, "connection refused")
    books.medium(0, 59, kind="video", live=minute(0, outage))
    books.medium(200, 219, media=OTHER, kind="video", live=minute(180, outage))
    books.detect(range(60))
    assert kinds(found := reasons(books, 60, 200)) == [("camera_away", 0)]
    assert found[0].words == "The camera was disconnected for 140.0 s of this time: connection refused."
    assert kinds(reasons(books, 90, 120)) == [("camera_away", 0)]  # no minute of its footage begins in it


def test_a_gap_of_damaged_pictures_is_reported_as_such(books: Books) -> None:
    loss = NamedLoss(DAY_MS + 20_001, DAY_MS + 29_999, 9, "the camera's stream was damaged on its way")
    live = LiveMinute(session_ms=DAY_MS, minute_ms=DAY_MS, losses=[loss])
    books.medium(0, 59, kind="video", live=live, frames_announced=51)
    books.detect([*range(21), *range(30, 60)])
    [reason] = reasons(books, 21, 30)
    assert reason == ("camera_away", 9, "9 frames were lost: the camera's stream was damaged on its way.")


def test_an_open_outage_lasts_until_there_is_footage_again(books: Books) -> None:
    lost = (59, None, "said nothing for 5 s")
    books.medium(0, 59, kind="video", live=minute(0, lost))
    books.detect(range(60))
    assert "540.0 s" in reasons(books, 60, 600)[0].words
    books.medium(300, 359, media=OTHER, kind="video", live=minute(300))
    assert kinds(found := reasons(books, 60, 600)) == [
        ("behind", 60),
        ("camera_away", 0),
        ("nothing_produced", 0),
    ]
    assert found[1].words == "The camera was disconnected for 240.0 s of this time: said nothing for 5 s."


def test_several_outages_in_a_gap_are_summed_and_the_longest_gives_the_reason(books: Books) -> None:
    outages = [
        (10, 30, "connection refused"),
        (20, 40, "who captured it was ended"),
        (100, 200, "asks for a log-in"),
    ]
    books.medium(0, 9, kind="video", live=minute(0, *outages))
    [_, away, _] = reasons(books, 0, 400)
    assert (
        away.words
        == "The camera was disconnected for 130.0 s of this time, 2 times; the longest: asks for a log-in."
    )


_OUTAGES = some.lists(
    some.tuples(some.integers(0, 380), some.integers(1, 90), some.sampled_from(["lost", "refused"])).map(
        lambda one: (one[0], one[0] + one[1], f"{one[2]} for {one[1]} s")
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.thorough
@given(_OUTAGES, some.randoms(use_true_random=False))
@example([(0, 60, "refused"), (0, 60, "lost"), (100, 160, "away")], Random(1))  # noqa: S311
@example([(30, 40, "within"), (0, 60, "long"), (390, 480, "beyond")], Random(1))  # noqa: S311
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_and_overlap_of_outages_do_not_matter(
    books: Books, outages: list[tuple[int, int, str]], shuffled: Random
) -> None:
    away = {second for first_s, end_s, _ in outages for second in range(first_s, end_s) if second < 400}
    longest_s = max(min(end_s, 400) - first_s for first_s, end_s, _ in outages)
    said = set()
    for number in range(4):
        books.medium(0, 0, kind="video", live=minute(0, *outages))
        of_hole = reasons(books, 0, 400)
        [words] = [one.words for one in of_hole if one.kind == "camera_away"]
        assert f" disconnected for {len(away):.1f} s of this time" in words
        longest = {why for from_s, to_s, why in outages if min(to_s, 400) - from_s == longest_s}
        assert words.removesuffix(".").rpartition(": ")[2] in longest
        said.add(tuple(of_hole))
        if number:
            shuffled.shuffle(outages)
            outages = [*outages, outages[0]]  # one that occurs in two minutes counts once
        else:
            outages = outages[::-1]
    assert len(said) == 1


def test_a_partly_filmed_gap_reports_both_parts(books: Books) -> None:
    books.medium(0, 59)
    assert kinds(reasons(books, 0, 1000)) == [("behind", 60), ("nothing_produced", 0)]
    assert reasons(books, 0, 1000)[1].words.startswith("For the rest of this time, nothing was produced")


def test_another_sources_footage_explains_nothing(books: Books) -> None:
    books.medium(0, 59, source="yard")
    assert kinds(reasons(books, 0, 60)) == [("nothing_produced", 0)]
