"""Runs a video's boxes through the counting job, from segments to crossings and stays."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import footage
from tracking_scenes import Seen

from frametally.books.runs import current_runs, read_paths
from frametally.opening import open_object_store
from frametally.process.reports import NoProgress
from frametally.records import Detection, FrameDetections
from frametally.rules.times import DAY_MS
from frametally.settings.loading import Settings
from frametally_hadoop.driver import aggregate
from frametally_hadoop.planning.plan import ALL_DAYS
from frametally_traffic.flows.day_columns import DIRECTIONS, FlowColumns
from frametally_traffic.flows.day_flows import flows_of_day
from frametally_traffic.flows.shapes import LineShape, Shapes
from frametally_traffic.geometry.crossings import tenths

NOON_MS = 1_772_366_400_000
DAY_START_MS = NOON_MS // DAY_MS * DAY_MS
RATES = (10, 5)
CLIP_SIZE, VTEST_SIZE = (854, 480), (768, 576)

Way = dict[str, int]


def counted(frames: Sequence[FrameDetections], shapes: Shapes) -> FlowColumns:
    """Return the day's flows of frames from the counting job."""
    model, source = frames[0].model, frames[0].source
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = open_object_store((folder / "store").as_uri())
        store.put(*footage.segment(model, 0, 0, frames), if_absent=True)
        aggregate(
            settings=Settings(data_dir=folder).resolved(),
            store=store,
            progress=NoProgress(),
            runner=None,
            selection=ALL_DAYS,
        )
        files = [
            paths for run in current_runs(store) if run.model == model for paths in read_paths(store, run)
        ]
    return flows_of_day(files, shapes, model=model, source=source, day_start_ms=DAY_START_MS)


def shown(
    boxes: Sequence[Sequence[Seen]], fps: int, step: int, size: tuple[int, int]
) -> list[FrameDetections]:
    """Return every `step`th frame of a video, as a worker stores it."""
    frames = []
    for number in range(0, len(boxes), step):
        detections = [Detection(label=it.label, confidence=it.confidence, box=it.box) for it in boxes[number]]
        at_ms = NOON_MS + number * 1000 // fps
        frames.append(footage.frame("truth", "video", at_ms, number, detections, size=size))
    return frames


def of_lines(lines: Mapping[str, tuple[tuple[float, float], ...]]) -> Shapes:
    """Return lines on a stored frame's size."""
    return Shapes(lines=tuple(LineShape(name, tuple(tenths(points))) for name, points in lines.items()))


def ways_of(flows: FlowColumns) -> dict[str, Way]:
    """Return, by line, crossings in each direction, and those that were not measured."""
    found: dict[str, Way] = {line: dict.fromkeys((*DIRECTIONS, "not_measured"), 0) for line in flows.lines}
    columns = (flows.columns[f"crossing_{name}"] for name in ("line", "direction", "missing"))
    for line, direction, missing in zip(*columns, strict=True):
        found[flows.lines[line]]["not_measured" if missing else DIRECTIONS[direction]] += 1
    return found
