"""A ledger that is damaged, locked or read-only changes no counts, and is reported in a line."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.commands import frametally, line_of
from tests.hadoop.conftest import Footage

from frametally.adapters.sql.ledger.cache import SqlLedger
from frametally.adapters_by_url import open_ledger
from frametally.process.reports import NoProgress
from frametally_hadoop.dry_run import dry_run
from frametally_hadoop.planning.hours import SegmentBook

NOON_MS, DAY_MS = 1_767_268_800_000, 86_400_000


@pytest.fixture
def filmed(file_footage: Footage) -> Footage:
    """Two days of two sources, in segments of a few frames, counted."""
    film(file_footage, 0)
    film(file_footage, 1)
    file_footage.aggregate()
    return file_footage


def film(footage: Footage, day: int, first: int = 0) -> None:
    for number in range(first, first + 6):
        at_ms = NOON_MS + day * DAY_MS + number * 1_200_000
        source = "gate" if number % 2 else "yard"
        footage.segment([footage.frame(at_ms + n * 200, "car", source=source, index=n) for n in range(3)])


def ledger_of(footage: Footage) -> Path:
    return footage.settings.data_dir / "ledger.sqlite"


def published(footage: Footage) -> dict[str, bytes]:
    return {key: data for key, data in footage.objects("mapreduce-output").items() if "/part-" in key}


def expected_with(footage: Footage, tmp_path: Path) -> dict[str, bytes]:
    """The part files of a count from scratch."""
    anew = Footage(tmp_path / "anew")
    for info in footage.store.list("metadata"):
        anew.store.put(info.key, footage.store.get(info.key))
    anew.aggregate()
    return {key.split("/run=")[0] + key[-10:]: data for key, data in published(anew).items()}


def by_day(parts: dict[str, bytes]) -> dict[str, bytes]:
    """Part files of the newest run of each day."""
    return {key.split("/run=")[0] + key[-10:]: parts[key] for key in sorted(parts)}


def change(statement: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        with closing(sqlite3.connect(path)) as ledger:
            ledger.execute(statement)
            ledger.commit()

    return spoil


def overwrite(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough to be looked at " * 99)


def tear(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


SPOILS = {
    "no database": overwrite,
    "torn": tear,
    "a table is gone": change("DROP TABLE frametally_ledger_hours"),
    "rows are gone": change("DELETE FROM frametally_ledger_hours WHERE hour % 2 = 0"),
    "a row is gone": change(
        "DELETE FROM frametally_ledger_hours WHERE (hour, segment) IN "
        "(SELECT hour, segment FROM frametally_ledger_hours LIMIT 1)"
    ),
    "a sum is gone": change("DELETE FROM frametally_ledger_hour_sums WHERE hour % 2 = 0"),
    "another sum": change("UPDATE frametally_ledger_hour_sums SET digest_0 = digest_0 + 1"),
    "another hour's sum": change("UPDATE frametally_ledger_hour_sums SET hour = hour + 240"),
    "a segment is gone": change("DELETE FROM frametally_ledger_segments WHERE number % 2 = 0"),
    "another hour": change("UPDATE frametally_ledger_hours SET hour = hour + 24 WHERE hour % 2 = 0"),
    "another digest": change("UPDATE frametally_ledger_hours SET digest_0 = digest_0 + 1"),
    "another source": change("UPDATE frametally_ledger_names SET name = 'fence' WHERE name = 'gate'"),
    "a source is gone": change("DELETE FROM frametally_ledger_names WHERE name = 'gate'"),
    "another key": change("UPDATE frametally_ledger_segments SET key = 'x' || key"),
    "another chain": change("UPDATE frametally_ledger_stretches SET next_offset = next_offset + 3"),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_damaged_ledger_is_refilled_and_the_counts_are_right(
    filmed: Footage, tmp_path: Path, spoil: str
) -> None:
    SPOILS[spoil](ledger_of(filmed))
    for day in (0, 1):
        film(filmed, day, first=7)
    report = filmed.aggregate()
    assert by_day(published(filmed)) == expected_with(filmed, tmp_path)
    [warning] = report.warnings
    assert warning.endswith("frametally has filled it again from the headers of all segments")
    assert str(ledger_of(filmed)) in warning
    again = filmed.aggregate()
    assert (again.runs, again.warnings) == ([], [])
    with closing(open_ledger(filmed.settings.ledger_url)) as ledger:
        ledger.check_segments()


def test_status_names_a_lost_hour_row_even_without_new_footage(
    filmed: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMETALLY_STORE_URL", filmed.store.url)
    status = ("status", "--data-dir", filmed.settings.data_dir)
    assert "ledger" not in frametally(*status, code=None).err
    SPOILS["a row is gone"](ledger_of(filmed))
    damage = "is damaged (hours have 15 segments, and 16 were added up); run `frametally ledger rebuild`"
    assert damage in line_of(*status, code=2)


def test_a_lost_hour_row_is_noticed_even_without_new_footage(filmed: Footage) -> None:
    SPOILS["a row is gone"](ledger_of(filmed))
    report = filmed.aggregate()
    [warning] = report.warnings
    assert warning.endswith("frametally has filled it again from the headers of all segments")
    assert (report.runs, report.days_up_to_date) == ([], 2)
    with closing(open_ledger(filmed.settings.ledger_url)) as ledger:
        ledger.check_segments()


def test_damage_that_the_check_misses_is_mended_too(filmed: Footage, tmp_path: Path) -> None:
    film(filmed, 1, first=7)
    expected = expected_with(filmed, tmp_path)
    usual = SegmentBook.segments_of_day

    def without_one(book: SegmentBook, *asked: Any) -> list[Any]:
        """The rows but the first, until the ledger is filled again."""
        return [*usual(book, *asked)][not book._is_refilled :]

    with (
        mock.patch.object(SegmentBook, "check", lambda _: None),
        mock.patch.object(SegmentBook, "segments_of_day", without_one),
    ):
        report = filmed.aggregate()
    assert any("has filled it again" in warning for warning in report.warnings)
    assert by_day(published(filmed)) == expected


@pytest.fixture
def impatient() -> Iterator[None]:
    with mock.patch.object(SqlLedger.__init__, "__kwdefaults__", {"busy_timeout_s": 0.2}):
        yield


def test_a_locked_ledger_delays_no_count(filmed: Footage, tmp_path: Path, impatient: None) -> None:
    film(filmed, 1, first=7)
    with closing(sqlite3.connect(ledger_of(filmed))) as other:
        other.execute("BEGIN EXCLUSIVE")
        [warning] = filmed.aggregate().warnings
        assert warning.startswith(f"another process locked ledger {ledger_of(filmed)}")
        assert warning.endswith("until then, each count reads the headers of all segments")
    assert by_day(published(filmed)) == expected_with(filmed, tmp_path)
    assert filmed.aggregate().warnings == []


def test_an_unwritable_ledger_delays_no_count(filmed: Footage, tmp_path: Path) -> None:
    ledger_of(filmed).unlink()
    ledger_of(filmed).mkdir()
    film(filmed, 1, first=7)
    [warning] = filmed.aggregate().warnings
    assert str(ledger_of(filmed)) in warning
    assert by_day(published(filmed)) == expected_with(filmed, tmp_path)
    assert ledger_of(filmed).is_dir()


def test_a_dry_run_reports_that_the_ledger_was_damaged(filmed: Footage) -> None:
    SPOILS["a sum is gone"](ledger_of(filmed))
    plan = dry_run(settings=filmed.settings, store=filmed.store, progress=NoProgress())
    assert (plan.days, plan.days_up_to_date) == ([], 2)
    [warning] = plan.warnings
    assert str(ledger_of(filmed)) in warning


def test_a_count_whose_ledger_changes_meanwhile_is_named_after_what_it_counted(
    filmed: Footage, tmp_path: Path
) -> None:
    from frametally_hadoop.planning.hours import SegmentBook

    film(filmed, 1, first=7)
    days, is_first = SegmentBook.days, iter([True])

    def meanwhile(book: SegmentBook, *, with_margin: bool) -> object:
        planned = days(book, with_margin=with_margin)
        if next(is_first, False):
            film(filmed, 1, first=13)
            with closing(open_ledger(filmed.settings.ledger_url)) as ledger:
                ledger.refresh(filmed.store, NoProgress())
        return planned

    with mock.patch.object(SegmentBook, "days", meanwhile):
        [run] = filmed.aggregate().runs
    assert filmed.aggregate().runs == []
    assert by_day(published(filmed)) == expected_with(filmed, tmp_path)
    assert run.frames == 54
