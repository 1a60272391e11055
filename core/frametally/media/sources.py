"""Finds the display names of sources, and until when each was filmed. `keys.slug` gives a name its source."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from frametally import keys
from frametally.files.names import as_text
from frametally.records import MediaManifest


def names_by_source(manifests: Iterable[MediaManifest]) -> dict[str, list[str]]:
    """Return the display names of every source, by slug: one, unless two producers began it at once."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for source, source_name in {(manifest.source, manifest.source_name) for manifest in manifests}:
        names[source].add(composed(source_name))
    return {source: sorted(of_source) for source, of_source in names.items()}


def source_names(manifests: Iterable[MediaManifest]) -> dict[str, str]:
    """Return the display name of every source, by slug; several names are joined by commas."""
    return {source: ", ".join(names) for source, names in names_by_source(manifests).items()}


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
    source = keys.slug(name)
    names = names_by_source(manifests).get(source, [])
    return source, as_text(name) if not names or composed(name) in names else names[0]


def composed(name: str) -> str:
    """Return a name with its accents normalized (NFC); bytes that are not text stay."""
    return unicodedata.normalize("NFC", as_text(name))
