"""Each day's current run: its pointer, part files, tracks, and quality report."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from frametally.books.place_series import place_series_of
from frametally.books.quality_reports import read_quality
from frametally.books.runs import current_days, read_paths, read_run, read_tracks
from frametally.errors import Poison
from frametally.ports.object_store import ObjectStore
from frametally.process.reports import Progress
from frametally.records import Run
from frametally.rules.places import FLOWS, series_of
from frametally_cli.checkup.findings import Finding
from frametally_cli.options.ports import Ports


def check_runs(ports: Ports, progress: Progress) -> Iterator[Finding]:
    """Read the current run of every day; those before it are of no use to anybody."""
    store = ports.store
    days = current_days(store)
    parts: tuple[Callable[[Run], object], ...] = (
        lambda run: read_run(store, run),
        lambda run: deque(read_tracks(store, run), maxlen=0),
        lambda run: run.paths and deque(_read_of_sources(store, run), maxlen=0),
        lambda run: read_quality(store, run),
    )
    for done, day in enumerate(days.values()):
        progress.update(done, len(days), day.pointer)
        if day.run is None:
            yield Finding("runs", day.pointer, "damaged", remedy=day.problem or day.pointer)
            continue
        for read in parts:
            try:
                read(day.run)
            except Poison as error:
                yield Finding("runs", day.run.prefix, "damaged", remedy=str(error))
    progress.update(len(days), len(days))
    yield Finding("runs", "current", f"{len(days)} days read")


def _read_of_sources(store: ObjectStore, run: Run) -> Iterator[object]:
    series = place_series_of(run)
    if series is not None:
        return series.read_files(store, run)
    return iter(()) if series_of(run.model) == FLOWS else read_paths(store, run)
