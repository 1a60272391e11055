"""The names that are drawn: sources over which something is, and their lines and zones; see `NamesPart`."""

from __future__ import annotations

from collections.abc import Collection

from frametally.errors import Poison
from frametally.ports.object_store import ObjectStore
from frametally.settings.loading import Settings
from frametally_traffic.drawings.revisions import drawn_sources, read_drawing


class DrawnNames:
    """What is drawn over sources, by name."""

    def __init__(self, _: Settings, store: ObjectStore | None) -> None:
        """List the drawings of a store; None: there are none."""
        self._store = store
        self.sources = {source: source for source in sorted(drawn_sources(store))} if store else {}

    def places(self, kind: str, sources: Collection[str]) -> set[str]:
        """Return the names of the lines or zones that are drawn over some sources; none: over all."""
        names: set[str] = set()
        for source in self.sources.keys() & set(sources or self.sources):
            if self._store is None:
                break
            try:
                drawing = read_drawing(self._store, source)
            except Poison:
                continue  # whoever counts says what is damaged
            names.update(shape.name for shape in (drawing.lines if kind == "line" else drawing.zones))
        return names
