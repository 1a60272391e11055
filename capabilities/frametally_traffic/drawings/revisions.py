"""Stores the drawings of sources; each change is atomic.

A change reads the newest revision, makes the next one, and writes it. If another change has written that
revision first, it starts again from there. So two people who draw at the same time both keep their shapes; if
both use the same name, the second gets an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from frametally import keys
from frametally.errors import Poison, Retryable
from frametally.naming import NamesPart
from frametally.ports.object_store import ObjectStore
from frametally.records import decode_at, encode
from frametally.settings.loading import Settings
from frametally_traffic.drawings.drawing_checks import check_drawing
from frametally_traffic.records import Drawing, Drawn, DrawnCalibration, DrawnLine, DrawnZone

_MOST_TRIES = 50
"""Most attempts that fail because of other changes; only a runaway program causes so many."""


def read_drawing(store: ObjectStore, source: str) -> Drawing:
    """Return the current drawing of a source (a slug): its newest revision, or an empty one of revision 0.

    Raises:
        Poison: The requested revision is damaged; an older revision is never used instead.
    """
    revisions = [
        revision for revision in _revisions(store, keys.drawings_folder(source)) if revision[0] == source
    ]
    return _read(store, source, max(revisions)[1]) if revisions else Drawing(source=source, revision=0)


def drawn_sources(store: ObjectStore) -> set[str]:
    """Return the slugs of all sources that ever had a drawing."""
    return {source for source, _ in _revisions(store, keys.DRAWINGS)}


def list_drawings(store: ObjectStore) -> list[Drawing]:
    """Return the newest revision of every source that has one, by slug. Raises `Poison`."""
    newest = dict(sorted(_revisions(store, keys.DRAWINGS)))
    return [_read(store, source, revision) for source, revision in newest.items()]


def change_drawing(
    store: ObjectStore, source: str, change: Callable[[Drawing], Drawing]
) -> tuple[Drawing, bool]:
    """Write the next revision of a source's drawing atomically.

    `change`: given the current drawing, returns the new one, whose source and revision do not matter. It may
    be called several times. If it raises, nothing changes.

    Returns:
        The current drawing, and whether it is a new revision: False if `change` made no difference.

    Raises:
        DrawingRefused: The new drawing is not valid; nothing has changed.
        Poison: The newest revision is damaged.
        Retryable: The store is unavailable, or others keep changing the drawing.
    """
    for _ in range(_MOST_TRIES):
        before = read_drawing(store, source)
        after = _ordered(msgspec.structs.replace(change(before), source=source, revision=before.revision))
        if after == before:
            return before, False
        check_drawing(after)
        after = msgspec.structs.replace(after, revision=before.revision + 1)
        if store.put(after.key, encode(after), if_absent=True):
            return after, True
    raise Retryable(
        f"other programs keep changing the drawing of {source}: try again when they have finished"
    )


def with_shapes(drawing: Drawing, shapes: Iterable[Drawn]) -> Drawing:
    """Return a drawing with its lines, zones and calibrations replaced by these."""
    shapes = list(shapes)
    return msgspec.structs.replace(
        drawing,
        lines=tuple(shape for shape in shapes if isinstance(shape, DrawnLine)),
        zones=tuple(shape for shape in shapes if isinstance(shape, DrawnZone)),
        calibrations=tuple(shape for shape in shapes if isinstance(shape, DrawnCalibration)),
    )


def _ordered(drawing: Drawing) -> Drawing:
    """Return a drawing in stored order without duplicates, so that equal drawings have equal bytes."""

    def place(shape: Drawn) -> tuple[str, bool, int]:
        return shape.name, shape.from_ms is not None, shape.from_ms or 0

    return with_shapes(drawing, sorted(dict.fromkeys(drawing.shapes), key=place))


def _revisions(store: ObjectStore, folder: str) -> list[tuple[str, int]]:
    """Return source and revision of all drawings in a folder; other files are ignored."""
    return [
        revision for info in store.list(folder) if (revision := keys.parse_drawing_key(info.key)) is not None
    ]


def _read(store: ObjectStore, source: str, revision: int) -> Drawing:
    key = keys.drawing_key(source, revision)
    return decode_at(key, store.get(key), Drawing)


def known_names(_: Settings, store: ObjectStore | None) -> NamesPart:
    """Return the names of all sources with drawings, or None if there are none yet."""
    if store is None:
        return NamesPart()
    slugs = sorted(drawn_sources(store))

    def places(kind: str, sources: Sequence[str]) -> set[str]:
        names: set[str] = set()
        for source in slugs if not sources else [slug for slug in slugs if slug in sources]:
            try:
                drawing = read_drawing(store, source)
            except Poison:
                continue  # the counting job reports the damage
            names.update(shape.name for shape in (drawing.lines if kind == "line" else drawing.zones))
        return names

    return NamesPart(sources={source: source for source in slugs}, places=places)


def take_drawing(store: ObjectStore, former: str, source: str, is_new: bool) -> Iterator[str]:
    """Copy the drawing of a renamed source to its new name; an existing source keeps its own drawing.

    A repeated command finds the copy and goes on with the rest.
    """
    shapes = read_drawing(store, former).shapes
    current = read_drawing(store, source)
    if not shapes or shapes == current.shapes:
        return
    if is_new and not current.revision:
        drawing, _ = change_drawing(
            store, source, lambda now: now if now.revision else with_shapes(now, shapes)
        )
        yield f"copied from {former} to {source}: {len(drawing.shapes)} lines, zones, calibrations"
    else:
        yield (
            f"the drawing of {former} was not copied to {source}, which has its own pictures or drawings: "
            f"run `frametally lines export {former}`, delete `source` in the file, and import what matches "
            "there"
        )
