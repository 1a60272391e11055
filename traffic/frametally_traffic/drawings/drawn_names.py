"""The names that are drawn: sources over which something is, and their lines and zones."""

from __future__ import annotations

from collections.abc import Sequence

from frametally.errors import Poison
from frametally.naming.known import NamesPart
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_traffic.drawings.revisions import drawn_sources, read_drawing


def known_names(_: Settings, store: ObjectStore | None) -> NamesPart:
    """Return what is drawn over the sources of a store by name; None: there is nothing yet."""
    if store is None:
        return NamesPart()
    drawn = sorted(drawn_sources(store))

    def places(kind: str, sources: Sequence[str]) -> set[str]:
        names: set[str] = set()
        for source in drawn if not sources else [one for one in drawn if one in sources]:
            try:
                drawing = read_drawing(store, source)
            except Poison:
                continue  # whoever counts says what is damaged
            names.update(shape.name for shape in (drawing.lines if kind == "line" else drawing.zones))
        return names

    return NamesPart(sources={source: source for source in drawn}, places=places)
