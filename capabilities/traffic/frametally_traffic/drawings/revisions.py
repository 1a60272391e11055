"""The drawings of sources in the store; a change is one whole step.

A change reads the newest revision, makes the next one, and writes it unless another change has written that
first; then it reads again and changes the new revision. So both of two people who draw at the same time keep
their shapes, and if both use one name, the second gets an error.
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
"""Failed attempts because of other changes: not people, but a program that does not stop."""


def read_drawing(store: ObjectStore, source: str) -> Drawing:
    """Return the current drawing of a source (a slug): its newest revision, or an empty one of revision 0.

    Raises:
            Poison: That revision is damaged; an older one never replaces it.
    """
    revisions = [
        revision for revision in _revisions(store, keys.drawings_folder(source)) if revision[0] == source
    ]
    return _read(store, source, max(revisions)[1]) if revisions else Drawing(source=source, revision=0)


def drawn_sources(store: ObjectStore) -> set[str]:
    """Return the slugs of all sources over which something was ever drawn."""
    return {source for source, _ in _revisions(store, keys.DRAWINGS)}


def list_drawings(store: ObjectStore) -> list[Drawing]:
    """Return the newest revision of every source that has one, by slug. Raises `Poison`."""
    newest = dict(sorted(_revisions(store, keys.DRAWINGS)))
    return [_read(store, source, revision) for source, revision in newest.items()]


def change_drawing(
    store: ObjectStore, source: str, change: Callable[[Drawing], Drawing]
) -> tuple[Drawing, bool]:
    """Write the next revision of a source's drawing; no other change comes in between.

    `change`: given the drawing as it stands, returns what is to be; of that, source and revision do not
    matter. It may be called several times. What it raises leaves all as it is.

    Returns:
            The current drawing, and whether it is the next revision: not if `change` made no difference.

    Raises:
        DrawingRefused: What `change` made cannot be; nothing has changed.
        Poison: The newest revision is damaged.
        Retryable: The store is away, or others change it again and again.
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
    """Return source and revision of all drawings in a folder; other files are ignored."""
    return [
        revision for info in store.list(folder) if (revision := keys.parse_drawing_key(info.key)) is not None
    ]


def _read(store: ObjectStore, source: str, revision: int) -> Drawing:
    key = keys.drawing_key(source, revision)
    return decode_at(key, store.get(key), Drawing)


def known_names(_: Settings, store: ObjectStore | None) -> NamesPart:
    """Return the names of all sources with drawings; None: there are none yet."""
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

    An interrupted command finds it done, and its other half to be done.
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
