"""Which source a call's footage goes to: two that are written differently are never one without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from frametally import keys
from frametally.errors import Poison
from frametally.media.manifests import ManifestReader
from frametally.media.sources import KnownSources, composed
from frametally.process.retrying import Patience
from frametally.records import MediaManifest


class _Source(NamedTuple):
    slug: str
    names: list[str]


class SourcesOfCall:
    """The sources of one call of the producer, by name."""

    def __init__(self, manifests: ManifestReader, patience: Patience, notice: Callable[[str], None]) -> None:
        """Read nothing yet; what a person should know is told to `notice`."""
        self._manifests = manifests
        self._patience = patience
        self._notice = notice
        self._found: dict[str, _Source] = {}
        self._read: list[MediaManifest] = []
        self._known = KnownSources([])

    def slug_of(self, name: str) -> str:
        """Return the slug under which footage of the source `name` is stored.

        Raises:
            Poison: The store, or this call, has that slug for a source that is written differently.
            GivenUp: The store is away, and a stop was asked for.
        """
        name = composed(name)
        found = self._found.get(keys.slug(name))
        if found is None:
            found = self._found[keys.slug(name)] = self._find(name)
        if name not in found.names:
            other = found.names[0]
            raise Poison(
                f"its source {name!r} would be one with {other!r} (both have the key {found.slug}: case, and "
                f"hyphens for spaces, tell no sources apart); if it is that one, give --source {other!r}, "
                "else a name that differs in more"
            )
        return found.slug

    def _find(self, name: str) -> _Source:
        manifests = self._patience.until_done("the object store", self._manifests.recent)
        if manifests is not self._read:
            self._read, self._known = manifests, KnownSources(manifests)
        slug = self._known.source_of(name)
        names = self._known.names_of(slug) or [name]
        if name in names and len(names) > 1:
            others = ", ".join(other for other in names if other != name)
            self._notice(
                f"source {name}: counted as one with {others}, as an earlier version had it; "
                "`frametally rename-source` gives each a name, and a key, of its own"
            )
        return _Source(slug, names)
