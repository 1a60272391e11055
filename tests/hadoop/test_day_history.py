"""Why a number changed: each run records its differences from the one before, and the reason."""

from __future__ import annotations

import datetime
import importlib.metadata
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.records import without_history
from tests.hadoop.conftest import MODEL, NOON_MS, Footage

from frametally import keys
from frametally.adapters_by_url import open_count_index, open_ledger
from frametally.books.history import HistoryQuery, RunChanges, find_history
from frametally.books.history_words import reason_words
from frametally.books.runs import current_runs, read_run
from frametally.books.superseded import remove_superseded
from frametally.errors import Misconfigured
from frametally.history_records import HistoryReason, hours_key
from frametally.process.reports import NoProgress
from frametally.records import FrameDetections, encode
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.undo_records import Tombstone
from frametally_hadoop.planning.plan import ALL_DAYS, DaySelection
from frametally_hadoop.publication import publish
from frametally_search.indexer import index_runs

DAY_START_MS = NOON_MS - 12 * HOUR_MS
MEDIUM, OTHER = "ab" * 32, "cd" * 32
ALL_AGAIN = DaySelection(recount=True)


class Counted:
    """Footage with an index and a ledger, counted as often as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.footage = Footage(folder)
        self.store = self.footage.store
        self.index = open_count_index(f"sqlite:///{folder / 'index.sqlite'}")
        self.ledger = open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")

    def close(self) -> None:
        self.index.close()
        self.ledger.close()

    def film(self, *at_ms: int, labels: tuple[str, ...] = ("car",), media: str = MEDIUM, **more: Any) -> str:
        frames = [self.footage.frame(ms, *labels, index=n, **more) for n, ms in enumerate(at_ms)]
        return self.footage.segment([of(frame, media) for frame in frames])

    def forget(self, media: str = MEDIUM, why: Any = "forget", source: str = "gate", **bounds: int) -> None:
        stone = Tombstone(media=media, source=source, name="cam.mp4", why=why, **bounds)
        self.store.put(stone.key, encode(stone), if_absent=True)

    def count(self, selection: DaySelection = ALL_DAYS, **changed: object) -> None:
        self.footage.aggregate(None, "inline", selection, **changed)
        index_runs(store=self.store, index=self.index, progress=NoProgress())
        self.ledger.refresh(self.store, NoProgress())

    def history(
        self, from_ms: int = DAY_START_MS, to_ms: int = DAY_START_MS + DAY_MS, **more: Any
    ) -> RunChanges:
        query = HistoryQuery(MODEL, 60, from_ms, to_ms, **more)
        return find_history(self.store, self.index, self.ledger, query)


def of(frame: FrameDetections, media: str) -> FrameDetections:
    path = keys.image_key(frame.source, frame.captured_at_ms, media.partition(".")[0], frame.frame_index)
    return msgspec.structs.replace(frame, media=media, image_path=path)


def numbers(found: RunChanges) -> list[tuple[int, int]]:
    return [(one.before, one.after) for one in found.changes]


def kinds(found: RunChanges) -> list[list[str]]:
    return [[reason.kind for reason in one.reasons] for one in found.changes]


def told(found: RunChanges, at: int = -1) -> list[str]:
    return reason_words(found.changes[at], str.title, datetime.UTC)


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    with closing(Counted(tmp_path)) as made:
        yield made


def test_late_footage_shows_how_many_frames_came_and_from_when(counted: Counted) -> None:
    counted.film(NOON_MS, NOON_MS + 1000)
    counted.count()
    key = counted.film(
        NOON_MS + 2 * HOUR_MS, NOON_MS + 2 * HOUR_MS + 5, NOON_MS + 3 * HOUR_MS, labels=("car", "bus")
    )
    counted.count()
    found = counted.history()
    assert numbers(found) == [(0, 2), (2, 8)]
    assert kinds(found) == [["first"], ["footage"]]
    [_, late] = found.changes
    assert late.frames_came == {"gate": 3}
    assert (late.from_ms, late.to_ms) == (NOON_MS + 2 * HOUR_MS, NOON_MS + 4 * HOUR_MS)
    assert late.entry.segments == [key]
    assert [frame.captured_at_ms for frame in late.added] == [
        NOON_MS + 2 * HOUR_MS,
        NOON_MS + 2 * HOUR_MS + 5,
        NOON_MS + 3 * HOUR_MS,
    ]
    assert told(found) == [
        "Late footage arrived: 3 frames of Gate, from 2026-01-01 14:00 to 2026-01-01 16:00."
    ]
    assert numbers(counted.history(labels=["bus"])) == [(0, 0), (0, 3)]  # the first run analysed frames
    assert numbers(counted.history(to_ms=NOON_MS + 10)) == [(0, 2)]
    assert counted.history(to_ms=NOON_MS + 10).other_runs == 1


def test_a_forgotten_range_shows_its_medium_and_the_frames_that_went(counted: Counted) -> None:
    counted.film(*(NOON_MS + n * 1000 for n in range(5)))
    counted.count()
    counted.forget(from_ms=NOON_MS + 1000, to_ms=NOON_MS + 3000)
    counted.count()
    found = counted.history()
    assert numbers(found) == [(0, 5), (5, 3)]
    assert kinds(found) == [["first"], ["forget"]]
    assert [frame.captured_at_ms for frame in found.changes[-1].removed] == [NOON_MS + 1000, NOON_MS + 2000]
    assert found.changes[-1].frames_gone == {"gate": 2}
    assert told(found) == [
        "Someone deleted footage of Gate from the counts: “cam.mp4” from 2026-01-01 12:00:01 to "
        "2026-01-01 12:00:03."
    ]


def test_changed_settings_are_named_with_their_old_and_new_values(counted: Counted) -> None:
    counted.film(NOON_MS, NOON_MS + 1000, confidence=0.4)
    counted.count()
    counted.count(count_min_confidence=0.5)
    found = counted.history()
    assert numbers(found) == [(0, 2), (2, 0)]
    assert found.changes[-1].reasons == [
        HistoryReason(kind="settings", setting="min_confidence", before="0.25", after="0.5")
    ]
    assert told(found) == ["The setting min_confidence changed from 0.25 to 0.5."]
    assert found.changes[0].settings is None
    assert "min_confidence 0.5" in (found.changes[1].settings or "")


def test_settings_that_are_turned_off_are_named_with_their_former_values(counted: Counted) -> None:
    counted.film(NOON_MS)
    counted.count()
    counted.count(count_objects=False)
    reasons = counted.history().changes[-1].reasons
    of_gap = HistoryReason(kind="settings", setting="tracking.gap_s", before="3", after="off")
    assert of_gap in reasons
    assert [reason for reason in reasons if reason.before == reason.after] == []


def test_moved_footage_is_mentioned_at_its_old_and_at_its_new_time(counted: Counted) -> None:
    counted.film(NOON_MS)
    counted.film(NOON_MS + DAY_MS, media=OTHER)
    counted.count()
    counted.forget(why="retime")
    counted.film(NOON_MS + DAY_MS + 1000, media=f"{MEDIUM}.1")
    counted.count()
    assert told(counted.history()) == ["Someone moved “cam.mp4” to another time."]
    there = counted.history(DAY_START_MS + DAY_MS, DAY_START_MS + 2 * DAY_MS)
    assert told(there) == ["Someone moved “cam.mp4” to this time."]
    assert numbers(there) == [(0, 1), (1, 2)]


def test_a_renamed_source_shows_where_its_footage_came_from(counted: Counted) -> None:
    counted.film(NOON_MS)
    counted.count()
    counted.forget(why="rename-source")
    counted.film(NOON_MS, media=f"{MEDIUM}.1", source="door")
    counted.count()
    assert told(counted.history(sources=["gate"])) == ["Someone moved “cam.mp4” from Gate to another source."]
    assert told(counted.history(sources=["door"])) == ["Someone moved “cam.mp4” here from Gate."]


def test_an_upgrade_is_named_next_to_its_reason(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    counted.film(NOON_MS)
    counted.count()
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "9.9.9")
    counted.count(ALL_AGAIN)
    assert counted.history().other_runs == 1  # the number did not change
    counted.film(NOON_MS + 1)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "10.0.0")
    counted.count()
    assert kinds(counted.history()) == [["first"], ["footage", "upgrade"]]
    assert told(counted.history())[-1] == "frametally was upgraded from 9.9.9 to 10.0.0."


def test_a_run_without_a_history_starts_one_with_its_earlier_numbers(counted: Counted) -> None:
    counted.film(NOON_MS)
    [run] = counted.footage.aggregate(None, "inline").runs
    without_history(counted.store, run)
    index_runs(store=counted.store, index=counted.index, progress=NoProgress())
    assert (counted.history().changes, counted.history().unknown_days) == ([], ["2026-01-01"])
    counted.film(NOON_MS + 1)
    counted.count()
    found = counted.history(NOON_MS, NOON_MS + HOUR_MS)
    assert (numbers(found), kinds(found)) == ([(0, 1), (1, 2)], [["earlier"], ["footage"]])


def test_the_history_says_so_if_the_parts_of_the_run_before_it_are_missing(counted: Counted) -> None:
    counted.film(NOON_MS)
    counted.count()
    [run] = current_runs(counted.store)
    counted.store.delete(hours_key(run.prefix))
    counted.store.delete(f"{run.prefix}/{run.parts[0]}")
    counted.film(NOON_MS + 1)
    counted.count()
    found = counted.history()
    assert (numbers(found), kinds(found)) == ([(0, 2)], [["lost"]])
    assert "no longer has the part files of the run before this one" in told(found)[0]


def test_runs_removed_by_retention_keep_their_numbers_and_say_that_their_parts_are_gone(
    counted: Counted,
) -> None:
    for number in range(4):
        counted.film(NOON_MS + number)
        counted.count()
    before = counted.history()
    assert [one.has_parts for one in before.changes] == [True] * 4
    for info in list(counted.store.list(keys.OUTPUT)):
        if "run=000001" in info.key:
            counted.store.delete(info.key)
    after = counted.history()
    assert [one.has_parts for one in after.changes] == [False, True, True, True]
    assert numbers(after) == numbers(before) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    remove_superseded(counted.store, counted.index.current_runs())
    assert numbers(counted.history()) == numbers(before)


def test_another_model_is_named_with_its_number(counted: Counted) -> None:
    counted.film(NOON_MS)
    frame = counted.footage.frame(NOON_MS, "car", "car", model="other-1")
    counted.footage.segment([frame], model="other-1")
    counted.count()
    assert counted.history().other_models == {"other-1": 2}


def test_many_rounds_with_the_same_reason_become_one_and_add_up(
    counted: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_MOST_ENTRIES", 4)
    for number in range(9):
        counted.film(NOON_MS + number)
        counted.count()
    found = counted.history()
    assert [one.entry.runs for one in found.changes] == [1, 6, 1, 1]
    assert numbers(found) == [(0, 1), (1, 7), (7, 8), (8, 9)]


def test_a_history_of_more_than_a_month_is_refused(counted: Counted) -> None:
    with pytest.raises(Misconfigured, match="at most 31 days"):
        counted.history(DAY_START_MS, DAY_START_MS + 40 * DAY_MS)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("film"),
            st.integers(-13 * 3600, 13 * 3600),
            st.sampled_from([("car",), ("bus", "car"), (), ("car", "car")]),
            st.sampled_from(["gate", "yard"]),
        ),
        st.tuples(st.just("forget"), st.integers(-13 * 3600, 13 * 3600), st.integers(1, 8 * 3600)),
        st.tuples(st.just("settings"), st.sampled_from([0.25, 0.5, 0.95])),
        st.tuples(st.just("again")),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.thorough
@settings(max_examples=examples(40), deadline=None)
@given(steps=STEPS, most=st.sampled_from([2, 60]))
def test_the_differences_add_up_from_the_first_run_to_the_current_number(steps: Any, most: int) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Counted(Path(folder))) as counted,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(publish, "_MOST_ENTRIES", most)
        confidence = 0.25
        for step, *values in steps:
            selection = ALL_DAYS
            if step == "film":
                at_s, labels, source = values
                times = [NOON_MS + (at_s + n * 1800) * 1000 for n in range(3)]
                media = keys.media_key(source).encode().hex().ljust(64, "0")[:64]
                counted.film(*times, labels=labels, source=source, media=media, confidence=0.6)
            elif step == "forget":
                at_s, length_s = values
                from_ms = NOON_MS + at_s * 1000
                media = keys.media_key("gate").encode().hex().ljust(64, "0")[:64]
                counted.forget(media, from_ms=from_ms, to_ms=from_ms + length_s * 1000)
            elif step == "settings":
                [confidence] = values
            else:
                selection = ALL_AGAIN
            counted.count(selection, count_min_confidence=confidence)
        now: Counter[tuple[str, str, int]] = Counter()
        for run in current_runs(counted.store):
            for one in read_run(counted.store, run)[0]:
                now[one.source, one.label, one.interval_start_ms] += one.detections
        whole = DAY_START_MS - DAY_MS, DAY_START_MS + 2 * DAY_MS
        for sources in ((), ("gate",), ("yard",)):
            for labels in ((), ("car",), ("bus",)):
                for from_ms, to_ms in (whole, (NOON_MS, NOON_MS + 5 * HOUR_MS)):
                    found = counted.history(from_ms, to_ms, sources=sources, labels=labels)
                    expected = sum(
                        count
                        for (source, label, ms), count in now.items()
                        if (not sources or source in sources)
                        and (not labels or label in labels)
                        and from_ms <= ms < to_ms
                    )
                    assert found.detections == expected
                    assert [0, *(one.after for one in found.changes)] == [
                        *(one.before for one in found.changes),
                        expected,
                    ]
                    assert sum(one.frames_after - one.frames_before for one in found.changes) == found.frames


def test_frames_that_show_nothing_are_named_beside_those_of_the_chart(counted: Counted) -> None:
    frames = []
    for number in range(23):
        labels = ["car"] if number < 3 else []
        frame = of(counted.footage.frame(NOON_MS + number * 1000, *labels, index=number), MEDIUM)
        frames.append(msgspec.structs.replace(frame, picture_digest=f"{number:04d}"))
    dark_frames = [msgspec.structs.replace(frame, shows="black") for frame in frames[3:]]
    counted.footage.segment([*frames[:3], *dark_frames])
    counted.count()
    history = counted.history()
    assert (history.detections, history.frames, history.blank_frames) == (3, 23, 20)
