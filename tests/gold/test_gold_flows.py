"""The gold tables have objects at lines and in zones: each once, with the index's sums."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.core.test_runs import put_run
from tests.fakes.memory import MemoryStore
from tests.fakes.records import make_coverage
from tests.traffic.flow_days import DAY, MODEL, SOURCE, goer, path_files

from frametally import keys
from frametally.adapters_by_url import open_count_index
from frametally.process.reports import NoProgress
from frametally.records import FlowFile
from frametally.rules.places import FLOWS, ZoneShape, series_model
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_gold import tables
from frametally_gold.book import Gold
from frametally_gold.comparison import check_gold
from frametally_gold.loading import load_gold
from frametally_search.indexer import index_runs
from frametally_traffic.counting.place_records import PlaceRecords
from frametally_traffic.flows.day_columns import encode_flows
from frametally_traffic.flows.day_flows import flows_of_day
from frametally_traffic.flows.shapes import LineShape, Shapes

DAYS = 2
# Down over the line and through the zone: in the first hour, over midnight, and on the second day.
WALKERS = [
    goer("car", *((start + 400 * n, 200, 50 + 20 * n) for n in range(16)))
    for start in (HOUR_MS, DAY_MS - 3000, DAY_MS + 5 * HOUR_MS)
]
SHAPES = Shapes(
    (LineShape("stop", ((0, 1000), (4000, 1000))),),
    (ZoneShape("forecourt", ((0, 1500), (4000, 1500), (4000, 3000), (0, 3000))),),
)


@pytest.fixture
def store() -> MemoryStore:
    """Two days of flows, as the job publishes them; a stay over midnight is in the files of both."""
    store = MemoryStore()
    files = path_files(WALKERS)
    for number in range(DAYS):
        start_ms = DAY + number * DAY_MS
        flows = flows_of_day(files.values(), SHAPES, model=MODEL, source=SOURCE, day_start_ms=start_ms)
        coverage = [
            make_coverage(
                start_ms + hour * HOUR_MS, 10, model=MODEL, interval_s=3600, objects=0, analysed_fps=5
            )
            for hour in range(24)
        ]
        model = series_model(MODEL, FLOWS)
        records = PlaceRecords(model, 3600, flows, SHAPES, coverage)
        lines = [*records.count_lines(), *(line for line, _ in records.coverage_lines())]
        data = encode_flows(flows)
        file = FlowFile(source=SOURCE, name="flows-00000", crc32=zlib.crc32(data))
        frames = sum(frames for _, frames in records.coverage_lines())
        day = keys.utc_day(start_ms)
        run = put_run(
            store, [b"".join(lines)], model=model, interval_s=3600, day=day, frames=frames, paths=[file]
        )
        store.put(f"{keys.tracks_folder(run.prefix)}/{file.name}", data)
    return store


@pytest.fixture
def opening() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.thorough
def test_crossings_and_stays_have_their_own_rows_and_add_up_to_the_index(
    store: MemoryStore, tmp_path: Path, opening: ExitStack
) -> None:
    gold = opening.enter_context(closing(Gold(f"sqlite:///{tmp_path}/gold.sqlite")))
    index = opening.enter_context(closing(open_count_index(f"sqlite:///{tmp_path}/index.sqlite")))

    def rows(*columns: Any) -> list[tuple[Any, ...]]:
        with gold._database.reading() as connection:
            return [tuple(row) for row in connection.execute(select(*columns))]

    for _ in range(2):
        assert load_gold(store=store, gold=gold, progress=NoProgress()).skipped == []
    crossed = rows(tables.crossings.c.line, tables.crossings.c.model, tables.crossings.c.not_measured)
    assert crossed == [("stop", MODEL, None)] * 3
    # The stay over midnight is in the files of both days, and in the day on which it began.
    stays = rows(tables.zone_visits.c.zone, tables.zone_visits.c.label, tables.zone_visits.c.stay_s)
    assert [stay[:2] for stay in stays] == [("forecourt", "car")] * 3
    assert len({stay[2] for stay in stays}) == 1
    ids = {track for (track,) in rows(tables.crossings.c.track_id)}
    assert ids == {track for (track,) in rows(tables.zone_visits.c.track_id)}
    assert len(ids) == 3
    c = tables.place_counts.c
    is_over_the_line = c.kind == "line", c.what != "not_measured"
    [(in_places,)] = rows(func.sum(c.value).filter(*is_over_the_line))
    assert in_places == 3
    index_runs(store=store, index=index, progress=NoProgress())
    assert check_gold(index=index, gold=gold, progress=NoProgress()) == (DAYS, None)
    for table in (tables.crossings, tables.zone_visits, tables.place_counts):
        with gold._database.writing() as connection:
            connection.execute(table.delete())
        difference = check_gold(index=index, gold=gold, progress=NoProgress()).difference or ""
        assert f"{table.name} were changed after loading" in difference
        assert load_gold(store=store, gold=gold, progress=NoProgress(), verify=True).loaded
        assert check_gold(index=index, gold=gold, progress=NoProgress()) == (DAYS, None)
