"""A day with changed hours gets new rows only for them, and equals a day that was loaded as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.fakes.databases import Place, sqlite
from tests.hadoop.conftest import NOON_MS, Footage
from tests.hadoop.test_hours import MEDIA, drive, forget

from frametally.process.reports import NoProgress
from frametally.rules.times import HOUR_MS
from frametally_gold import tables
from frametally_gold.book import Gold
from frametally_gold.loading import GoldReport, load_gold
from frametally_traffic.drawings.revisions import change_drawing, with_shapes
from frametally_traffic.records import DrawnZone

WRITTEN_BY = ("run_id", "loaded_at", "checksums")
ZONE = DrawnZone(name="left", points=((0, 0), (160, 0), (160, 480), (0, 480)), width_px=640, height_px=480)
LATE_MS = NOON_MS + 2 * HOUR_MS


@pytest.fixture
def gold(database: Place) -> Iterator[Gold]:
    with closing(Gold(*database)) as gold:
        yield gold


@pytest.fixture
def busy(tmp_path: Path) -> Footage:
    """Two sources in six hours each, one of them with a zone."""
    footage = Footage(tmp_path / "footage")
    change_drawing(footage.store, "gate", lambda drawing: with_shapes(drawing, [ZONE]))
    for source in ("gate", "yard"):
        for hour in range(6):
            at_ms = NOON_MS + hour * HOUR_MS
            footage.segment(drive(footage, at_ms, source=source, media=MEDIA[source == "yard"]))
    footage.aggregate()
    return footage


def load(footage: Footage, gold: Gold, *, verify: bool = False) -> GoldReport:
    report = load_gold(store=footage.store, gold=gold, progress=NoProgress(), verify=verify)
    assert report.skipped == []
    return report


def rows(gold: Gold, *, but: tuple[str, ...] = WRITTEN_BY) -> dict[str, list[str]]:
    with gold._database.reading() as connection:
        return {
            table.name: sorted(
                repr(row) for row in connection.execute(select(*(c for c in table.c if c.name not in but)))
            )
            for table in tables.ALL.sorted_tables
        }


def assert_it_is_as_from_nothing(footage: Footage, gold: Gold) -> None:
    with sqlite() as (url, access), closing(Gold(url, access)) as fresh:
        load(footage, fresh)
        if gold.url.startswith("sqlite"):  # a server formats times differently
            assert rows(gold) == rows(fresh)
    assert [gold.changed_tables(day) for day in gold.loads()] == [[]] * len(gold.loads())


@pytest.mark.thorough
def test_a_late_segment_reads_only_the_changed_hour_and_gives_new_rows(
    busy: Footage, gold: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(busy, gold)
    before, files = rows(gold, but=()), set(busy.objects("hours"))
    busy.segment(drive(busy, LATE_MS + 60_000, first=50))
    [run] = busy.aggregate().runs
    read: list[str] = []
    get = busy.store.get
    with monkeypatch.context() as patched:
        patched.setattr(busy.store, "get", lambda key: read.append(key) or get(key))
        load(busy, gold)
    assert {key for key in read if key.startswith("hours/")} == set(busy.objects("hours")) - files
    with gold._database.reading() as connection:
        of_new_run = tables.counts.c.run_id == run.run_id
        found = connection.execute(select(tables.counts.c.interval_start).where(of_new_run)).scalars().all()
    assert {moment.hour for moment in found} == {14}
    kept = set(rows(gold, but=())["gold_tracks"]) & set(before["gold_tracks"])
    assert len(kept) == 11
    assert_it_is_as_from_nothing(busy, gold)


def test_forgetting_footage_leaves_no_row_of_its_hours(busy: Footage, gold: Gold) -> None:
    load(busy, gold)
    forget(busy, MEDIA[0], from_ms=LATE_MS, to_ms=LATE_MS + HOUR_MS)
    busy.aggregate()
    load(busy, gold)
    with gold._database.reading() as connection:
        tracks = connection.execute(select(tables.tracks.c.source, tables.tracks.c.hour_start)).all()
    assert len(tracks) == 11
    assert_it_is_as_from_nothing(busy, gold)


@pytest.mark.thorough
@pytest.mark.parametrize("is_list_left", [True, False])
def test_a_changed_row_of_another_hour_is_still_named_and_repaired(
    busy: Footage, gold: Gold, is_list_left: bool
) -> None:
    load(busy, gold)
    if not is_list_left:  # the day is then loaded as a whole
        for key in [key for key in busy.objects("mapreduce-output") if key.endswith("_hours.json")]:
            busy.store.delete(key)
    with gold._database.writing() as connection:
        of_yard = tables.counts.c.source == "yard"
        connection.execute(tables.counts.update().where(of_yard).values(peak=77))
    busy.segment(drive(busy, LATE_MS + 60_000, first=50))
    busy.aggregate()
    load(busy, gold)
    changed = [gold.changed_tables(day) for day in gold.loads()]
    assert (["gold_counts"] in changed) == is_list_left
    load(busy, gold, verify=True)
    assert_it_is_as_from_nothing(busy, gold)
