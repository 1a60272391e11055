"""A new line is counted from stored paths; existing counts are read."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.core.test_runs import put_run
from tests.fakes.memory import MemoryStore
from tests.fakes.records import put_tracks
from tests.traffic.flow_days import DAY, MODEL, SOURCE, Someone, goer, path_files
from tests.traffic.flow_rule import flows_of_day

from frametally import keys
from frametally.books.runs import current_runs
from frametally.errors import Poison
from frametally.records import FlowFile, Run, encode
from frametally.rules.places import FLOWS, series_model
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally_traffic.counting.published_days import KeptFlows, flows_for, read_flows
from frametally_traffic.drawings.drawn_shapes import flow_inputs, shapes_of
from frametally_traffic.drawings.revisions import change_drawing, read_drawing, with_shapes
from frametally_traffic.flows import flow_rows
from frametally_traffic.flows.day_columns import FlowColumns, encode_flows
from frametally_traffic.flows.shapes import LineShape, Shapes
from frametally_traffic.records import Drawing, DrawnCalibration, DrawnLine

TODAY, TOMORROW = (keys.utc_day(DAY + days * DAY_MS) for days in (0, 1))

WALKERS = [
    goer("car", *((start + 400 * n, 200, 50 + 20 * n) for n in range(16)))
    for start in (HOUR_MS, DAY_MS - 3000)
]
SHAPES = Shapes((LineShape("stop", ((0, 1000), (4000, 1000))),))


def line(y: float) -> DrawnLine:
    return DrawnLine(name="stop", points=((0.0, y), (400.0, y)), width_px=400, height_px=400)


def put_paths(store: MemoryStore, everyone: Iterable[Someone]) -> dict[str, Run]:
    runs = {}
    for day_ms, paths in path_files(everyone).items():
        day = keys.utc_day(day_ms)
        runs[day] = put_tracks(store, put_run(store, [], model=MODEL, day=day), [], [paths])
        store.put(runs[day].key, encode(runs[day]))
    return runs


@pytest.fixture
def store() -> MemoryStore:
    """A person crosses over midnight, another on the first day, and then a line is drawn."""
    store = MemoryStore()
    put_paths(store, WALKERS)
    draw(store, 100)
    return store


def draw(store: MemoryStore, y: float) -> None:
    change_drawing(store, SOURCE, lambda drawing: Drawing(source=SOURCE, revision=0, lines=(line(y),)))


def counted(
    store: MemoryStore, folder: Path | None = None, days: Iterable[str] = (TODAY, TOMORROW)
) -> list[int]:
    found = [*flows_for(store, MODEL, 60, SOURCE, days, folder=folder)]
    assert [flows.day_start_ms for flows in found] == [DAY, DAY + DAY_MS][: len(found)]
    return [len(flows.columns["crossing_time"]) for flows in found]


def test_a_line_is_counted_on_days_with_a_run_and_a_moved_one_again(
    store: MemoryStore, tmp_path: Path
) -> None:
    assert counted(store, tmp_path, ["2025-12-31", TODAY, TOMORROW, "2026-01-09"]) == [2, 0]
    draw(store, 300)
    assert counted(store, tmp_path) == [1, 1]


def test_counted_flows_match_the_rule(store: MemoryStore) -> None:
    files = path_files(WALKERS).values()
    wanted = flows_of_day(files, SHAPES, model=MODEL, source=SOURCE, day_start_ms=DAY)
    [found] = flows_for(store, MODEL, 60, SOURCE, [TODAY])
    assert encode_flows(found) == encode_flows(wanted)


def test_counted_flows_are_kept_and_paths_are_not_read_again(store: MemoryStore, tmp_path: Path) -> None:
    first = counted(store, tmp_path / "flows")
    for info in store.list(keys.HOURS):
        store.delete(info.key)
    assert counted(store, tmp_path / "flows") == first
    with pytest.raises(Poison, match="jsonl is missing"):
        counted(store)


def test_a_new_line_reuses_the_kept_speeds(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground = DrawnCalibration(
        name="ground", points=((0.0, 200.0), (400.0, 200.0)), distance_m=40.0, width_px=400, height_px=400
    )

    def speeds_with(y: float, folder: Path | None) -> list[list[int]]:
        change_drawing(store, SOURCE, lambda drawing: with_shapes(drawing, [line(y), ground]))
        found = flows_for(store, MODEL, 60, SOURCE, [TODAY, TOMORROW], folder=folder)
        return [[*flows.columns["visit_speed"]] for flows in found]

    wanted = speeds_with(100, tmp_path)
    assert wanted == [[180, 180], []]
    assert speeds_with(120, None) == wanted

    def count_none(_: object, which: Sequence[int], __: object) -> np.ndarray:
        assert not len(which), "a speed is counted again"
        return np.empty((0, 3), np.int64)

    monkeypatch.setattr(flow_rows, "speed_rows", count_none)
    assert speeds_with(120, tmp_path) == wanted


def test_a_damaged_kept_file_is_counted_again(store: MemoryStore, tmp_path: Path) -> None:
    [first] = flows_for(store, MODEL, 60, SOURCE, [TODAY], folder=tmp_path)
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    [again] = flows_for(store, MODEL, 60, SOURCE, [TODAY], folder=tmp_path)
    assert encode_flows(again) == encode_flows(first)


def test_a_folder_that_cannot_be_written_keeps_nothing(store: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "flows").write_text("a file")
    assert counted(store, tmp_path / "flows") == [2, 0]


def test_the_oldest_kept_files_are_removed_beyond_the_limit(store: MemoryStore, tmp_path: Path) -> None:
    [flows] = flows_for(store, MODEL, 60, SOURCE, [TODAY])
    runs = put_paths(MemoryStore(), [goer("car", (0, 1, 1))])
    several = [flow_inputs(runs, TODAY, source, Shapes()) for source in ("a", "b", "c")]
    size = len(encode_flows(flows))
    KeptFlows(tmp_path).write(several[0], flows)
    KeptFlows(tmp_path).write(several[1], flows)
    KeptFlows(tmp_path, most_bytes=size + 100).write(several[2], flows)
    assert [KeptFlows(tmp_path).read(inputs) is None for inputs in several] == [True, False, False]


def publish(store: MemoryStore, flows: FlowColumns, name: str) -> Run:
    data = encode_flows(flows)
    file = FlowFile(source=SOURCE, name=name, crc32=zlib.crc32(data))
    run = put_run(store, [], model=series_model(MODEL, FLOWS), paths=[file])
    store.put(f"{keys.tracks_folder(run.prefix)}/{name}", data)
    return run


def test_published_flows_are_read_only_if_they_are_of_the_current_drawing(store: MemoryStore) -> None:
    [flows] = flows_for(store, MODEL, 60, SOURCE, [TODAY])
    marked = flows._replace(labels=("published",))
    runs = {run.day: run for run in current_runs(store)}
    shapes = shapes_of(read_drawing(store, SOURCE))
    name = flow_inputs(runs, TODAY, SOURCE, shapes).name
    run = publish(store, marked, name)
    assert [one.labels for one in read_flows(store, run)] == [("published",)]
    assert [one.labels for one in flows_for(store, MODEL, 60, SOURCE, [TODAY])] == [("published",)]
    store.put(f"{keys.tracks_folder(run.prefix)}/{name}", b"other bytes")
    assert [one.labels for one in flows_for(store, MODEL, 60, SOURCE, [TODAY])] == [("car",)]
    draw(store, 300)
    assert [one.labels for one in flows_for(store, MODEL, 60, SOURCE, [TODAY])] == [("car",)]


def test_no_paths_are_read_where_nothing_is_drawn(store: MemoryStore) -> None:
    change_drawing(store, SOURCE, lambda drawing: Drawing(source=SOURCE, revision=0))
    for info in store.list(keys.TRACKS):
        store.delete(info.key)
    assert counted(store) == [0, 0]
