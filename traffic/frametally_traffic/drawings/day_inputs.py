"""What a day's flows are counted from, as the store has it: the paths of three days, and what is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from frametally import keys
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest, Run
from frametally.rules.times import DAY_MS
from frametally_traffic.drawings.drawn_shapes import shapes_of
from frametally_traffic.drawings.picture_sizes import Size, stored_sizes
from frametally_traffic.flows.flow_inputs import FlowInputs, StoredPaths
from frametally_traffic.flows.shapes import Shapes
from frametally_traffic.records import Drawing, Drawn


def flow_inputs(runs: Mapping[str, Run], day: str, source: str, shapes: Shapes) -> FlowInputs:
    """Return what the flows of a source and UTC day are counted from.

    Args:
        runs: The current runs of one model and base interval, by day; that day's is among them.
        day: `YYYY-MM-DD`.
        source: Slug.
        shapes: What is drawn over it.
    """
    start_ms = keys.day_start_ms(day)
    around = [keys.utc_day(start_ms + days * DAY_MS) for days in (-1, 0, 1)]
    return FlowInputs(
        runs[day].model,
        source,
        start_ms,
        tuple(_paths_of(runs.get(near), source) for near in around),
        shapes.within(start_ms, start_ms + DAY_MS),
    )


class DrawnShapes:
    """What is drawn over one source, day by day, in the pixels of the pictures that are stored of it."""

    def __init__(self, store: ObjectStore, drawing: Drawing, media: Sequence[MediaManifest]) -> None:
        """Look at the sizes of the newest and the oldest picture; `media` are the source's manifests."""
        self._store = store
        self._drawing = drawing
        self._media = media
        self._of_size: dict[Size, Shapes] = {}
        self._sizes = stored_sizes(store, media, None, None) if drawing.shapes and media else []

    def of_day(self, day_start_ms: int) -> Shapes:
        """Return what holds in some of a UTC day."""
        end_ms = day_start_ms + DAY_MS
        if not any(_holds(shape, day_start_ms, end_ms) for shape in self._drawing.shapes):
            return Shapes()
        size = self._size_of(day_start_ms, end_ms)
        if size not in self._of_size:
            self._of_size[size] = shapes_of(self._drawing, size)
        return self._of_size[size].within(day_start_ms, end_ms)

    def _size_of(self, from_ms: int, to_ms: int) -> Size:
        """Return the size of that time's pictures; where none is left to look at, that of what is drawn."""
        sizes = self._sizes
        if len(sizes) > 1:
            sizes = stored_sizes(self._store, self._media, from_ms, to_ms) or sizes
        shape = self._drawing.shapes[0]
        return sizes[0] if sizes else (shape.width_px, shape.height_px)


def _holds(shape: Drawn, from_ms: int, to_ms: int) -> bool:
    return (shape.from_ms is None or shape.from_ms < to_ms) and (shape.to_ms is None or shape.to_ms > from_ms)


def _paths_of(run: Run | None, source: str) -> StoredPaths | None:
    if run is None:
        return None
    for file in run.paths or ():
        if file.source == source:
            return StoredPaths(f"{keys.tracks_folder(run.prefix)}/{file.name}", file.crc32)
    return None
