"""Planning from what is kept is planning from nothing: whatever came late, twice, or went, in any order."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_frame, make_segment
from tests.hadoop.conftest import Footage

from frametally import keys
from frametally.adapters.files.folder_store import FileStore
from frametally.media.manifests import ManifestReader
from frametally.opening import open_ledger
from frametally.ports.object_store import KeyRanges, ObjectInfo, ObjectStore
from frametally.process.reports import NoProgress
from frametally.records import DeadLetter, encode
from frametally.undo_records import Tombstone
from frametally_hadoop.job.params import CountParams
from frametally_hadoop.planning.plan import CountingPlan, make_plan
from frametally_hadoop.planning.segment_book import SegmentBook

MODEL, MEDIUM = "tiny-1", "ab" * 32
NOON_MS = 1_767_268_800_000
HOUR_MS = 3_600_000
PARAMS = CountParams()


@contextmanager
def few_are_many() -> Iterator[None]:
    """Only new segments are listed, of however few."""
    with mock.patch("frametally.segments.stretches.MOST_LISTED", 0):
        yield


@contextmanager
def few_are_few() -> Iterator[None]:
    """All segments are listed each time."""
    yield


@contextmanager
def book_in(folder: Path) -> Iterator[SegmentBook]:
    with closing(open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")) as ledger:
        yield SegmentBook(ledger)


def plan_of(store: ObjectStore, book: SegmentBook, params: CountParams = PARAMS) -> CountingPlan:
    return make_plan(
        store=store,
        params=params,
        book=book,
        manifests=ManifestReader(store),
        progress=NoProgress(),
    )


def said(plan: CountingPlan) -> dict[str, Any]:
    """All that a plan says."""
    return {
        "days": [(day.key, day.inputs_sha256(), day.footage_sha256(), day.is_whole) for day in plan.stale],
        "sources": [(day.key, day.tombstones, day.own, day.hours.identities()) for day in plan.stale],
        "reads": plan.reads,
        "sizes": plan.size_of,
        "skipped": plan.skipped,
        "letters": plan.with_dead_letters,
        "breaks": plan.chain_breaks,
    }


class Scene:
    """A store of two partitions that grows, and loses, and what a machine has kept of it."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.folder = folder
        self.puts = 0

    def put(self, partition: int, offset: int, hour: int, source: str = "gate", spoilt: bool = False) -> None:
        """Put a segment of two frames."""
        self.puts += 1
        at_ms = NOON_MS + hour * HOUR_MS
        frames = [make_frame(at_ms + n * 1000, n, source=source, model=MODEL) for n in range(2)]
        data = make_segment(frames, (), offset, model=MODEL, log_id="log", topic="frames")
        data = data.replace(b'"partition":0', b'"partition":%d' % partition)
        if partition or spoilt:
            data = _resealed(data, spoilt=spoilt)
        self.store.put(keys.segment_key(MODEL, "log", "frames", partition, offset), data)

    def put_dead(self, offset: int) -> None:
        """Put a segment of the first partition that holds two dead letters and no frame."""
        letters = [
            DeadLetter(offset=at, message=b"{", stage="parse", cause="malformed", reason="no JSON")
            for at in (offset, offset + 1)
        ]
        data = make_segment([], letters, offset, model=MODEL, log_id="log", topic="frames")
        self.store.put(keys.segment_key(MODEL, "log", "frames", 0, offset), data)

    def check(self, *, lists_all: bool = False, params: CountParams = PARAMS) -> None:
        """Plan from what is kept, now and then with the books' own reading before it, and from nothing."""
        with tempfile.TemporaryDirectory() as nothing, book_in(Path(nothing)) as book:
            expected = said(plan_of(self.store, book, params))
        with closing(open_ledger(f"sqlite:///{self.folder / 'ledger.sqlite'}")) as ledger:
            if self.puts % 2:
                ledger.refresh(self.store, NoProgress())
            kept = SegmentBook(ledger)
            if lists_all:
                kept.list_all()
            assert said(plan_of(self.store, kept, params)) == expected


def _resealed(data: bytes, *, spoilt: bool) -> bytes:
    from frametally.rules.seals import sealed

    head, _, body = data.partition(b"\n")
    fields = head[: head.rindex(b',"seal":')] + b"}"
    return (b"not a segment" if spoilt else sealed(fields)) + b"\n" + body


STEPS = st.lists(
    st.one_of(
        # By which partition, how many offsets are skipped, the hour, the source.
        st.tuples(st.just("next"), st.integers(0, 1), st.integers(0, 1), st.integers(-30, 30), st.booleans()),
        st.tuples(st.just("fill"), st.integers(0, 1), st.integers(0, 9), st.integers(-30, 30)),
        st.tuples(st.just("dead")),
        st.tuples(st.just("spoilt"), st.integers(0, 1)),
        st.tuples(st.just("mended"), st.integers(0, 1), st.integers(0, 9)),
        st.tuples(st.just("forget"), st.integers(-30, 30)),
        st.tuples(st.just("gone"), st.integers(0, 9)),
        st.tuples(st.just("again"), st.integers(0, 9), st.integers(-30, 30)),
        st.tuples(st.just("check"), st.booleans()),
    ),
    max_size=14,
)


@settings(max_examples=examples(100), deadline=None)
@given(st.sampled_from([few_are_many, few_are_few]), STEPS)
def test_a_plan_from_what_is_kept_is_the_plan_from_nothing(
    listing: Callable[[], AbstractContextManager[None]], steps: list[tuple[Any, ...]]
) -> None:
    with tempfile.TemporaryDirectory() as folder, listing():
        scene = Scene(Path(folder))
        ends, missing, by_hand = [0, 0], [set[int](), set[int]()], False
        spoilt: list[set[int]] = [set(), set()]
        for kind, *step in steps:
            if kind == "next":
                partition, skipped, hour, is_gate = step
                missing[partition] |= {ends[partition] + 2 * n for n in range(skipped)}
                first = ends[partition] + 2 * skipped
                scene.put(partition, first, hour, source="gate" if is_gate else "yard")
                ends[partition] = first + 2
            elif kind == "fill" and missing[step[0]]:
                partition, which, hour = step
                offset = sorted(missing[partition])[which % len(missing[partition])]
                missing[partition].discard(offset)
                scene.put(partition, offset, hour)
            elif kind == "dead":
                scene.put_dead(ends[0])
                ends[0] += 2
            elif kind == "spoilt":
                (partition,) = step
                scene.put(partition, ends[partition], 0, spoilt=True)
                spoilt[partition].add(ends[partition])
                ends[partition] += 2
            elif kind == "mended" and spoilt[step[0]]:
                partition, which = step
                offset = sorted(spoilt[partition])[which % len(spoilt[partition])]
                spoilt[partition].discard(offset)
                scene.put(partition, offset, 1)
            elif kind == "forget":
                from_ms = NOON_MS + step[0] * HOUR_MS
                stone = Tombstone(
                    media=MEDIUM, source="gate", name="n", why="forget", from_ms=from_ms, to_ms=from_ms + 5000
                )
                scene.store.put(keys.tombstone_key(MEDIUM, stone.from_ms, stone.to_ms), encode(stone))
            elif kind in ("gone", "again"):
                there = [info.key for info in scene.store.list(keys.METADATA)]
                if there:
                    key = there[step[0] % len(there)]
                    place = keys.parse_segment_key(key)
                    spoilt[place.partition].discard(place.first_offset)
                    by_hand = True
                    if kind == "gone":
                        scene.store.delete(key)
                        missing[place.partition].add(place.first_offset)
                    else:
                        scene.put(place.partition, place.first_offset, step[1])
            elif kind == "check":
                scene.check(lists_all=by_hand, params=PARAMS._replace(tracking=None) if step[0] else PARAMS)
                by_hand = False
        scene.check(lists_all=by_hand)
        scene.check()


class Listing(FileStore):
    """A store of files that notes what it has looked at."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.keys: list[str] = []

    def list_unless(self, prefix: str, known_keys: KeyRanges) -> Iterator[ObjectInfo]:
        for info in super().list_unless(prefix, known_keys):
            self.keys.append(info.key)
            yield info


def test_of_many_segments_only_new_ones_are_looked_at(file_footage: Footage) -> None:
    footage = file_footage
    for number in range(5):
        footage.segment([footage.frame(NOON_MS + number * 1000, "car", index=number)])
    with few_are_many():
        footage.aggregate()
        new = footage.segment([footage.frame(NOON_MS + 9000, "car", index=9)])
        store = Listing(footage.store.url)
        assert len(footage.aggregate(store=store).runs) == 1
        assert [key for key in store.keys if key.startswith("metadata/")] == [new]


def test_of_many_segments_one_that_is_gone_is_noticed_where_its_day_is_counted(file_footage: Footage) -> None:
    footage = file_footage
    with few_are_many():
        gone = footage.segment([footage.frame(NOON_MS, "car")])
        footage.segment([footage.frame(NOON_MS + 60_000, "car", index=1)])
        footage.aggregate()
        footage.store.delete(gone)
        assert footage.aggregate().days_up_to_date == 1
        footage.segment([footage.frame(NOON_MS + 120_000, "car", index=2)])
        report = footage.aggregate()
    [skipped] = report.skipped
    assert (report.runs, skipped.name) == ([], "tiny-1, 2026-01-01")


def test_of_many_segments_one_that_is_gone_is_noticed_after_a_day_or_where_all_is_counted(
    tmp_path: Path,
) -> None:
    scene = Scene(tmp_path)
    for offset in (0, 2, 4):
        scene.put(0, offset, hour=24 * offset)
    with few_are_many(), mock.patch("time.time") as clock:
        clock.return_value = 1_800_000_000.0

        def days_of(*, lists_all: bool = False) -> int:
            with book_in(tmp_path) as book:
                if lists_all:
                    book.list_all()
                return len(plan_of(scene.store, book).stale)

        assert days_of() == 3
        scene.store.delete(keys.segment_key(MODEL, "log", "frames", 0, 0))
        assert days_of() == 3
        clock.return_value += 86_400
        assert days_of() == 2
        scene.store.delete(keys.segment_key(MODEL, "log", "frames", 0, 2))
        assert days_of() == 2
        assert days_of(lists_all=True) == 1


def test_an_aggregation_that_dies_while_it_notes_segments_leaves_nothing_out(file_footage: Footage) -> None:
    footage = file_footage
    footage.segment([footage.frame(NOON_MS, "car")])
    with few_are_many():
        footage.aggregate()
        footage.segment([footage.frame(NOON_MS + 1000, "car", index=1)])
        with (
            mock.patch("frametally.process.failpoints.passing", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            footage.aggregate()
        assert [run.frames for run in footage.aggregate().runs] == [2]
