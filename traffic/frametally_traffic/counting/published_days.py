"""What a source's objects did at what is drawn over it, day by day: as it was published, or counted now.

Flows are a function of stored paths and of what is drawn (`FlowInputs`), and named by it. So a file that has
the name is right wherever it lies: in the day's run of flows, or in the folder of those that were counted on
demand, of a line that is newer than the last `frametally aggregate`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path

from frametally import keys
from frametally.books.runs import current_runs, read_paths, read_source_files
from frametally.errors import Poison
from frametally.media.manifests import list_manifests
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest, Run
from frametally.rules.path_columns import PathColumns
from frametally.rules.places import FLOWS, series_model
from frametally.rules.times import DAY_MS
from frametally_traffic.counting.kept_flows import KeptFlows
from frametally_traffic.drawings.day_inputs import DrawnShapes, flow_inputs
from frametally_traffic.drawings.revisions import read_drawing
from frametally_traffic.flows.day_columns import FlowColumns, decode_flows
from frametally_traffic.flows.flow_inputs import FlowInputs
from frametally_traffic.flows.shapes import Shapes


def read_flows(store: ObjectStore, run: Run, sources: Container[str] | None = None) -> Iterator[FlowColumns]:
    """Yield the flows of a run of the series `flows` by source, of `sources` alone if they are given.

    Raises:
        Poison: A file is missing or damaged; the message names it.
    """
    for key, data in read_source_files(store, run, sources):
        try:
            yield decode_flows(data)
        except Poison as error:
            raise Poison(f"{key}: {error}") from error


_AT_ONCE = 2
_DAYS_AHEAD = 16
"""Half of the time numpy and the store work without Python's lock; more threads add nothing."""


def flows_for(
    store: ObjectStore,
    model: str,
    interval_s: int,
    source: str,
    days: Iterable[str],
    *,
    runs: Iterable[Run] | None = None,
    media: Iterable[MediaManifest] | None = None,
    folder: Path | None = None,
) -> Iterator[FlowColumns]:
    """Yield what a source's objects did on each day that was counted, by what is drawn over it now.

    Args:
        store: Where all lies.
        model: Model id.
        interval_s: Base interval of the runs whose tracks are taken.
        source: Slug.
        days: UTC days, `YYYY-MM-DD`, in the order in which they are wanted; those without a run are left out.
        runs: The current runs, those of flows among them; None: they are looked up in the store.
        media: Manifests, the source's among them; None: likewise.
        folder: Where flows are kept that are counted now; None: nowhere.

    Raises:
        NoFootPoints: A day was counted by an earlier release.
        Poison: Paths of a day or of one beside it are missing or damaged, or the drawing is.
        DrawingRefused: What is drawn is nothing on the source's frames.
    """
    current = [*(current_runs(store) if runs is None else runs)]
    own, published = (
        {run.day: run for run in current if (run.model, run.interval_s) == (series, interval_s)}
        for series in (model, series_model(model, FLOWS))
    )
    drawing = read_drawing(store, source)
    manifests: Sequence[MediaManifest] = ()
    if drawing.shapes:
        every = list_manifests(store) if media is None else media
        manifests = [medium for medium in every if medium.source == source]
    drawn = DrawnShapes(store, drawing, manifests)
    kept = KeptFlows(folder)
    paths = _DayPaths(store, own, source)

    def of_day(day: str) -> FlowColumns:
        inputs = flow_inputs(own, day, source, drawn.of_day(keys.day_start_ms(day)))
        flows = _published(store, published.get(day), inputs) or kept.read(inputs)
        if flows is None:
            flows = paths.count(inputs, _speeds(paths, kept, inputs))
            kept.write(inputs, flows)
        return flows

    wanted = (day for day in days if day in own)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while some := [*islice(wanted, _DAYS_AHEAD)]:
            yield from pool.map(of_day, some)


class _DayPaths:
    """A source's paths day by day; those of a day are read once for it and for the days beside it."""

    def __init__(self, store: ObjectStore, runs: Mapping[str, Run], source: str) -> None:
        self._source = source

        @lru_cache(maxsize=3 + _AT_ONCE)
        def read(day: str) -> PathColumns | None:
            return next(read_paths(store, runs[day], {source}), None)

        self._read = read
        self._runs = runs

    def count(self, inputs: FlowInputs, speeds: FlowColumns | None = None) -> FlowColumns:
        """Return the flows of a day. Raises as `flows_for`; `speeds` are as `flows_of_day` takes them."""
        from frametally_traffic.flows.day_flows import flows_of_day  # needs numpy, which reading does not

        files = []
        for days in (-1, 0, 1) if any(inputs.shapes) else ():
            run = self._runs.get(keys.utc_day(inputs.day_start_ms + days * DAY_MS))
            # A day beside it that an earlier release has counted tells nothing; the day itself has to.
            if run is not None and (run.paths is not None or days == 0):
                files += [paths for paths in (self._read(run.day),) if paths is not None]
        return flows_of_day(
            files,
            inputs.shapes,
            model=inputs.model,
            source=self._source,
            day_start_ms=inputs.day_start_ms,
            speeds=speeds,
        )


def _speeds(paths: _DayPaths, kept: KeptFlows, inputs: FlowInputs) -> FlowColumns | None:
    """Return the speeds of a day's visits, whatever is drawn beside the calibration: these are kept, too.

    They take ten times as long as all the rest, and a new line changes none of them.
    """
    alone = inputs._replace(shapes=Shapes(grounds=inputs.shapes.grounds))
    if not kept.is_kept or not inputs.shapes.grounds or alone == inputs:
        return None
    speeds = kept.read(alone)
    if speeds is None:
        speeds = paths.count(alone)
        kept.write(alone, speeds)
    return speeds


def _published(store: ObjectStore, run: Run | None, inputs: FlowInputs) -> FlowColumns | None:
    """Return what was published of these inputs, None if that is nothing, or cannot be read (any more)."""
    names = {(file.source, file.name) for file in run.paths or ()} if run else set()
    if run and (inputs.source, inputs.name) in names:
        with suppress(Poison):
            return next(read_flows(store, run, {inputs.source}))
    return None
