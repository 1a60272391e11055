"""What is drawn over each source, in the store: read as it stands, changed as one whole step.

A change reads the newest revision, makes the next one, and puts it if nobody has put that meanwhile; who
comes second reads again and makes its change of what is there then. So two who draw at one time both find
theirs, and what they would both have under one name is refused to the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from frametally import keys
from frametally.errors import Retryable
from frametally.ports.object_store import ObjectStore
from frametally.records import decode_at, encode
from frametally_traffic.drawings.drawing_checks import check_drawing
from frametally_traffic.records import Drawing, Drawn, DrawnCalibration, DrawnLine, DrawnZone

_MOST_TRIES = 50
"""So many revisions others put while one is being made: no people, but a program that does not stop."""


def read_drawing(store: ObjectStore, source: str) -> Drawing:
    """Return what is drawn over a source (a slug) now: its newest revision, or an empty one of revision 0.

    Raises:
        Poison: That revision is damaged; an older one never stands in for it.
    """
    found = [at for at in _revisions(store, keys.drawings_folder(source)) if at[0] == source]
    return _read(store, source, max(found)[1]) if found else Drawing(source=source, revision=0)


def drawn_sources(store: ObjectStore) -> set[str]:
    """Return the slugs of all sources over which something was ever drawn."""
    return {source for source, _ in _revisions(store, keys.DRAWINGS)}


def list_drawings(store: ObjectStore) -> list[Drawing]:
    """Return the newest revision of every source that has one, by slug. Raises `Poison`."""
    newest = dict(sorted(_revisions(store, keys.DRAWINGS)))
    return [_read(store, source, revision) for source, revision in newest.items()]


def change_drawing(store: ObjectStore, source: str, change: Callable[[Drawing], Drawing]) -> Drawing:
    """Put the next revision of what is drawn over a source; nobody else's comes in between.

    Args:
        store: Where it lies.
        source: Slug.
        change: Given the drawing as it stands, returns what is to be; of that, source and revision do not
            matter. It may be called several times. What it raises leaves all as it is.

    Returns:
        What is drawn now: the next revision, or the one that is there where `change` made no difference.

    Raises:
        DrawingRefused: What `change` made cannot be; nothing has changed.
        Poison: The newest revision is damaged.
        Retryable: The store is away, or others change it again and again.
    """
    for _ in range(_MOST_TRIES):
        before = read_drawing(store, source)
        after = _ordered(msgspec.structs.replace(change(before), source=source, revision=before.revision))
        if after == before:
            return before
        check_drawing(after)
        after = msgspec.structs.replace(after, revision=before.revision + 1)
        if store.put(after.key, encode(after), if_absent=True):
            return after
    raise Retryable(
        f"others change what is drawn over {source} again and again; try again when they have ended"
    )


def with_shapes(drawing: Drawing, shapes: Iterable[Drawn]) -> Drawing:
    """Return a drawing with these lines, zones and calibrations in place of all of its own."""
    shapes = list(shapes)
    return msgspec.structs.replace(
        drawing,
        lines=tuple(shape for shape in shapes if isinstance(shape, DrawnLine)),
        zones=tuple(shape for shape in shapes if isinstance(shape, DrawnZone)),
        calibrations=tuple(shape for shape in shapes if isinstance(shape, DrawnCalibration)),
    )


def _ordered(drawing: Drawing) -> Drawing:
    """Return a drawing in the one order it is stored in, each thing once: what is equal has equal bytes."""

    def place(shape: Drawn) -> tuple[str, bool, int]:
        return shape.name, shape.from_ms is not None, shape.from_ms or 0

    return with_shapes(drawing, sorted(dict.fromkeys(drawing.shapes), key=place))


def _revisions(store: ObjectStore, folder: str) -> list[tuple[str, int]]:
    """Return source and revision of all that is stored in a folder; other files there are nobody's."""
    return [at for info in store.list(folder) if (at := keys.parse_drawing_key(info.key)) is not None]


def _read(store: ObjectStore, source: str, revision: int) -> Drawing:
    key = keys.drawing_key(source, revision)
    return decode_at(key, store.get(key), Drawing)
