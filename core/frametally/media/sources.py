"""Finds the source for a written name, and its display name.

A slug identifies a source. Slugs of earlier versions lost letters ("北門1" and "南門1" were both "1").
Footage under such a slug stays there, and so does new footage of the name in its manifests.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from frametally import keys
from frametally.files.names import as_text
from frametally.media.manifests import by_source
from frametally.records import MediaManifest


class KnownSources:
    """The sources of some media."""

    def __init__(self, manifests: Iterable[MediaManifest]) -> None:
        """Read the names in all manifests."""
        self._sources: defaultdict[str, set[str]] = defaultdict(set)  # sources that a name may mean, by slug
        self._names: defaultdict[str, set[str]] = defaultdict(set)
        for source, source_name in {(manifest.source, manifest.source_name) for manifest in manifests}:
            name = composed(source_name)
            for slug in (source, keys.slug(name)):
                self._sources[slug].add(source)
            self._names[source].add(name)

    def source_of(self, source_name: str) -> str:
        """Return the slug of a source given by its display name or slug; the source may be new."""
        slug = keys.slug(source_name)
        sources = self._sources.get(slug, ())
        return slug if slug in sources else min(sources, default=slug)

    def names_of(self, source: str) -> list[str]:
        """Return the display names of a source (a slug): one, but several in old stores."""
        return sorted(self._names.get(source, ()))


def source_of(manifests: Iterable[MediaManifest], source_name: str) -> str:
    """Return the slug of a source among those of some media; see `KnownSources.source_of`."""
    return KnownSources(manifests).source_of(source_name)


def source_names(manifests: Sequence[MediaManifest]) -> dict[str, str]:
    """Return the display name of every source, by slug; several names are joined by commas."""
    known_sources = KnownSources(manifests)
    return {source: ", ".join(known_sources.names_of(source)) for source in by_source(manifests)}


def footage_until(manifests: Iterable[MediaManifest]) -> dict[str, int]:
    """Return the event time of the newest announced frame, by source."""
    until: dict[str, int] = {}
    for manifest in manifests:
        if manifest.last_captured_at_ms is not None:
            until[manifest.source] = max(
                manifest.last_captured_at_ms, until.get(manifest.source, manifest.last_captured_at_ms)
            )
    return until


def counted_until(next_interval_ms: int | None, footage_until_ms: int | None) -> int | None:
    """Return the event time up to which a source is counted: its last interval's end or last frame."""
    if next_interval_ms is None or footage_until_ms is None:
        return next_interval_ms
    return min(next_interval_ms, footage_until_ms)


def joined(manifests: Sequence[MediaManifest], name: str) -> tuple[str, str]:
    """Return the slug and the display name of the source `name`, as its media among `manifests` have it."""
    known_sources = KnownSources(manifests)
    source = known_sources.source_of(name)
    names = known_sources.names_of(source)
    return source, as_text(name) if not names or composed(name) in names else names[0]


def composed(name: str) -> str:
    """Return a name with its accents normalized (NFC); bytes that are not text stay."""
    return unicodedata.normalize("NFC", as_text(name))
