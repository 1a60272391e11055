"""Of many segments, only new ones are read; a missing one is noticed where it matters."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from unittest import mock

import pytest
from tests.hadoop.conftest import Footage

from frametally.adapters.files.folder_store import FileStore
from frametally.adapters_by_url import open_ledger
from frametally.errors import Damaged
from frametally.ports.object_store import KeyRanges, ObjectInfo
from frametally.process.reports import NoProgress
from frametally_hadoop.planning.hours import LedgerReplaced, SegmentBook

NOON_MS = 1_767_268_800_000
DAY_MS = 86_400_000


@contextmanager
def few_are_many() -> Iterator[None]:
    """Only new segments are listed, however few there are."""
    with mock.patch("frametally.segments.stretches.MOST_LISTED", 0):
        yield


class Listing(FileStore):
    """A store of files that records its reads."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.keys: list[str] = []

    def list_unless(self, prefix: str, known_keys: KeyRanges) -> Iterator[ObjectInfo]:
        for info in super().list_unless(prefix, known_keys):
            self.keys.append(info.key)
            yield info


def test_of_many_segments_only_new_ones_are_checked(file_footage: Footage) -> None:
    footage = file_footage
    for number in range(5):
        footage.segment([footage.frame(NOON_MS + number * 1000, "car", index=number)])
    with few_are_many():
        footage.aggregate()
        new = footage.segment([footage.frame(NOON_MS + 9000, "car", index=9)])
        store = Listing(footage.store.url)
        assert len(footage.aggregate(store=store).runs) == 1
        assert [key for key in store.keys if key.startswith("metadata/")] == [new]


def test_a_removed_segment_among_many_is_noticed_where_its_day_is_counted(file_footage: Footage) -> None:
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


def test_a_removed_segment_among_many_is_noticed_after_a_day_or_when_everything_is_counted(
    footage: Footage, tmp_path: Path
) -> None:
    first, second, _ = (footage.segment([footage.frame(NOON_MS + day * DAY_MS)]) for day in range(3))
    with few_are_many(), mock.patch("time.time") as clock:
        clock.return_value = 1_800_000_000.0

        def days_of(*, lists_all: bool = False) -> int:
            with closing(SegmentBook(f"sqlite:///{tmp_path / 'ledger.sqlite'}")) as book:
                if lists_all:
                    book.list_all()
                book.refresh(footage.store, NoProgress())
                return len(book.days(with_margin=True))

        assert days_of() == 3
        footage.store.delete(first)
        assert days_of() == 3
        clock.return_value += 86_400
        assert days_of() == 2
        footage.store.delete(second)
        assert days_of() == 2
        assert days_of(lists_all=True) == 1


def test_an_aggregation_that_dies_while_noting_segments_leaves_nothing_out(file_footage: Footage) -> None:
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


def test_a_task_has_its_days_segments_and_no_ledger(footage: Footage, tmp_path: Path) -> None:
    segments = [footage.segment([footage.frame(NOON_MS, source=source)]) for source in ("gate", "yard")]
    with closing(SegmentBook(f"sqlite:///{tmp_path / 'ledger.sqlite'}")) as book:
        book.refresh(footage.store, NoProgress())
        [day] = book.days(with_margin=True).values()
        sent = pickle.dumps(day)
    received = pickle.loads(sent)  # noqa: S301 - made above
    assert received.keys() == segments
    assert received.identity() == day.identity()
    of_yard = received.with_sources({"yard"})
    assert (of_yard.keys(), of_yard.sources()) == (segments[1:], {"yard"})


def test_a_servers_damaged_ledger_is_refilled_once_and_then_needs_a_person(
    footage: Footage, tmp_path: Path
) -> None:
    """SQLite stands in for the server: the point is that its file is emptied, and never replaced."""
    path = tmp_path / "ledger.sqlite"
    of_server = open_ledger(f"sqlite:///{path}")

    def spoil() -> None:
        with closing(sqlite3.connect(path)) as ledger:
            ledger.execute("DELETE FROM frametally_ledger_hours")
            ledger.commit()

    footage.segment([footage.frame()])
    with (
        mock.patch("frametally_hadoop.planning.hours.open_ledger", return_value=of_server),
        closing(SegmentBook("postgresql://db.example/ledger")) as book,
    ):
        book.refresh(footage.store, NoProgress())
        [expected] = book.days(with_margin=True).values()
        spoil()
        with pytest.raises(LedgerReplaced):
            book.refresh(footage.store, NoProgress())
        book.refresh(footage.store, NoProgress())
        [again] = book.days(with_margin=True).values()
        assert again.identity() == expected.identity()
        [warning] = book.warnings
        assert warning.endswith("frametally has filled it again from the headers of all segments")
        spoil()
        with pytest.raises(Damaged, match="frametally ledger rebuild"):
            book.refresh(footage.store, NoProgress())
