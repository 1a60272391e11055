"""Which source a written name means, and how a source is written.

A source is told by its slug. Slugs of earlier versions lost letters ("北門1" and "南門1" were both "1"): what
was produced under such a slug stays there and goes on there, as its manifests say the name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from frametally import keys
from frametally.files.names import as_text
from frametally.media.manifests import by_source
from frametally.records import MediaManifest


def source_of(manifests: Sequence[MediaManifest], given: str) -> str:
    """Return the slug of the source `given`, named as it is written or by its slug; it may be a new one."""
    slug = keys.slug(given)
    held = {m.source for m in manifests if m.source == slug or keys.slug(m.source_name) == slug}
    return slug if slug in held else min(held, default=slug)


def names_of(manifests: Sequence[MediaManifest], source: str) -> list[str]:
    """Return the ways in which the media of a source (a slug) write it: one, but for earlier versions."""
    return sorted({composed(m.source_name) for m in manifests if m.source == source})


def source_names(manifests: Sequence[MediaManifest]) -> dict[str, str]:
    """Return how every source is written, by slug; several ways with commas between them."""
    return {source: ", ".join(names_of(of, source)) for source, of in by_source(manifests).items()}


def joined(others: Sequence[MediaManifest], name: str) -> tuple[str, str]:
    """Return the slug of the source `name`, and how it is written: as its media among `others` have it."""
    source = source_of(others, name)
    names = names_of(others, source)
    return source, as_text(name) if not names or composed(name) in names else names[0]


def composed(name: str) -> str:
    """Write a name with its accents encoded in one way (NFC), and what is no text as it is stored."""
    return unicodedata.normalize("NFC", as_text(name))
