"""Yields the flows of a source day by day, published or counted on demand.

Flows are a function of stored paths and drawings (`FlowInputs`) and are named by them. So a file of that name
is valid in either place: in the day's run of flows, or in the local folder of flows counted on demand for a
line newer than the last `frametally aggregate`.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path

from frametally import keys
from frametally.books.runs import current_runs, read_paths, read_source_files
from frametally.errors import Poison
from frametally.files.replacing import replace_file
from frametally.media.kept_data import KeptItem, KeptKind, KeptPart, in_folders
from frametally.ports.object_store import ObjectStore
from frametally.ports.opened import StorePorts
from frametally.records import Run
from frametally.rules.path_columns import PathColumns
from frametally.rules.places import FLOWS, series_model
from frametally.rules.seals import check_crc32
from frametally.rules.times import DAY_MS
from frametally_traffic.drawings.drawing_checks import DrawingRefused
from frametally_traffic.drawings.drawn_shapes import flow_inputs, shapes_of
from frametally_traffic.drawings.revisions import read_drawing
from frametally_traffic.flows.day_columns import (
    DIRECTIONS,
    NOT_MEASURED,
    FlowColumns,
    decode_flows,
    encode_flows,
)
from frametally_traffic.flows.shapes import FLOWS_VERSION, FlowInputs, Shapes

FLOWS_FOLDER = "flows"
"""Folder in the data directory for flows counted on demand."""
MOST_KEPT_BYTES = 1 << 30
"""Enough for some years of a busy camera. The oldest files beyond it are deleted."""
_CRC32_BYTES = 9


class KeptFlows:
    """Flows counted on demand, cached in a local folder; unreadable files count as missing."""

    def __init__(self, folder: Path | None, most_bytes: int = MOST_KEPT_BYTES) -> None:
        """Use `folder`; None keeps nothing."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._is_cleared = False

    @property
    def is_kept(self) -> bool:
        """Whether flows are kept."""
        return self._folder is not None

    def read(self, inputs: FlowInputs) -> FlowColumns | None:
        """Return the flows of these inputs, or None if they are not kept."""
        if self._folder is None:
            return None
        with suppress(OSError, ValueError, Poison):
            path = self._folder / inputs.name
            crc32, data = _split(path.read_bytes())
            check_crc32(zlib.crc32(data), crc32)
            return decode_flows(data)
        return None

    def write(self, inputs: FlowInputs, flows: FlowColumns) -> None:
        """Keep flows, unless the disk is full or the folder is not writable."""
        if self._folder is None:
            return
        data = encode_flows(flows)
        with suppress(OSError):
            if not self._is_cleared:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._clear()
                self._is_cleared = True
            replace_file(self._folder / inputs.name, b"%08x\n%s" % (zlib.crc32(data), data))

    def _clear(self) -> None:
        """Delete the oldest files until the rest fits into the limit."""
        assert self._folder is not None  # noqa: S101 - for the type checker
        files = [(path.stat(), path) for path in self._folder.glob("flows-*")]
        kept_bytes = 0
        for stat, path in sorted(files, key=lambda file: -file[0].st_mtime_ns):
            kept_bytes += stat.st_size
            if kept_bytes > self._most_bytes:
                path.unlink(missing_ok=True)


def data_places(ports: StorePorts) -> KeptPart:
    """Return the drawings, and the flows counted on demand: their names do not say of what."""
    folder = ports.settings.data_dir / FLOWS_FOLDER

    def files() -> Iterator[KeptItem]:
        for path in sorted(folder.glob("*")):
            yield KeptItem(str(path), "", 0, path.stat().st_size)

    def remove(item: KeptItem) -> None:
        Path(item.id).unlink(missing_ok=True)

    return KeptPart(
        [
            KeptKind("flows", files, remove, "recounts", place=folder.as_uri(), text="traffic.kept_flows"),
            KeptKind("drawings", files=in_folders(keys.DRAWINGS), text="traffic.kept_drawings"),
        ]
    )


def _split(data: bytes) -> tuple[int, bytes]:
    return int(data[: _CRC32_BYTES - 1], 16), data[_CRC32_BYTES:]


def read_flows(store: ObjectStore, run: Run, sources: Container[str] | None = None) -> Iterator[FlowColumns]:
    """Yield the flows of a run of the series `flows` by source; only of `sources` if given.

    Raises:
        Poison: A file is missing or damaged; the message names it.
    """
    for key, data in read_source_files(store, run, sources):
        try:
            yield decode_flows(data)
        except Poison as error:
            raise Poison(f"{key}: {error}") from error


def flow_totals(store: ObjectStore, run: Run) -> Counter[tuple[str, str]]:
    """Return the crossings by line, label and direction and the stays by zone and label; see `PicturePlaces`.

    Crossings that are not measured have `not_measured` in place of the direction.
    """
    totals: Counter[tuple[str, str]] = Counter()
    for flows in read_flows(store, run):
        columns = flows.columns
        crossings = (columns[f"crossing_{name}"] for name in ("line", "label", "direction", "missing"))
        for line, label, direction, missing in zip(*crossings, strict=True):
            place = f"{flows.source}, {flows.lines[line]}, {flows.labels[label]}"
            totals[place, f"crossings {NOT_MEASURED if missing else DIRECTIONS[direction]}"] += 1
        for zone, label in zip(columns["stay_zone"], columns["stay_label"], strict=True):
            totals[f"{flows.source}, {flows.zones[zone]}, {flows.labels[label]}", "stays"] += 1
    return totals


_AT_ONCE = 2
_DAYS_AHEAD = 16
"""numpy and the store release Python's lock half of the time, so more threads add nothing."""


def flows_for(
    store: ObjectStore,
    model: str,
    interval_s: int,
    source: str,
    days: Iterable[str],
    *,
    runs: Iterable[Run] | None = None,
    folder: Path | None = None,
) -> Iterator[FlowColumns]:
    """Yield the flows of each counted day, by the current drawing.

    `interval_s`: base interval of the runs whose tracks are used. `days`: UTC days, `YYYY-MM-DD`, in the
    order wanted; days without a run are left out. `runs`: the current runs, including those of flows;
    if None, they are read from the store. `folder`: keeps flows counted on demand, unless it is None.

    Raises:
        Poison: Paths of a day or of an adjacent one are missing or damaged, or the drawing is damaged.
        DrawingRefused: A shape is too small to exist on the source's frames.
    """
    current = [*(current_runs(store) if runs is None else runs)]
    own, published = (
        {run.day: run for run in current if (run.model, run.interval_s) == (series, interval_s)}
        for series in (model, series_model(model, FLOWS))
    )
    shapes = shapes_of(read_drawing(store, source))
    cache = KeptFlows(folder)
    paths = _DayPaths(store, own, source)

    def of_day(day: str) -> FlowColumns:
        inputs = flow_inputs(own, day, source, shapes)
        flows = _published(store, published.get(day), inputs) or cache.read(inputs)
        if flows is None:
            flows = paths.count(inputs, _speeds(paths, cache, inputs))
            cache.write(inputs, flows)
        return flows

    days_ahead = (day for day in days if day in own)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while batch := [*islice(days_ahead, _DAYS_AHEAD)]:
            yield from pool.map(of_day, batch)


class _DayPaths:
    """A source's paths by day; each day's are read once, for itself and the adjacent days."""

    def __init__(self, store: ObjectStore, runs: Mapping[str, Run], source: str) -> None:
        self._source = source

        @lru_cache(maxsize=3 + _AT_ONCE)
        def read(day: str) -> PathColumns | None:
            return next(read_paths(store, runs[day], {source}), None)

        self._read = read
        self._runs = runs

    def count(self, inputs: FlowInputs, speeds: FlowColumns | None = None) -> FlowColumns:
        """Return the flows of a day. Raises the errors of `flows_for`; `speeds` as for `flows_of_day`."""
        from frametally_traffic.flows.day_flows import flows_of_day  # needs numpy; reading does not

        files = []
        for days in (-1, 0, 1) if any(inputs.shapes) else ():
            run = self._runs.get(keys.utc_day(inputs.day_start_ms + days * DAY_MS))
            if run is not None:
                files += [paths for paths in (self._read(run.day),) if paths is not None]
        try:
            return flows_of_day(
                files,
                inputs.shapes,
                model=inputs.model,
                source=self._source,
                day_start_ms=inputs.day_start_ms,
                speeds=speeds,
            )
        except ValueError as error:
            raise DrawingRefused(str(error)) from error


def _speeds(paths: _DayPaths, cache: KeptFlows, inputs: FlowInputs) -> FlowColumns | None:
    """Return the speeds of a day's visits, cached separately as they depend on the calibration alone.

    They take ten times as long as everything else, and a new line does not change them.
    """
    alone = inputs._replace(shapes=Shapes(grounds=inputs.shapes.grounds))
    if not cache.is_kept or not inputs.shapes.grounds or alone == inputs:
        return None
    speeds = cache.read(alone)
    if speeds is None:
        speeds = paths.count(alone)
        cache.write(alone, speeds)
    return speeds


def _published(store: ObjectStore, run: Run | None, inputs: FlowInputs) -> FlowColumns | None:
    """Return the published flows of these inputs; None if there are none, or if they cannot be read."""
    names = {(file.source, file.name) for file in run.paths or ()} if run else set()
    if run and (inputs.source, inputs.name) in names:
        with suppress(Poison):
            return next(read_flows(store, run, {inputs.source}))
    return None


def is_outdated(run: Run) -> bool:
    """Return whether the rules have changed since a run of flows was counted."""
    return int(run.settings.get("flows_version", 0)) < FLOWS_VERSION
