"""Texts that a container carries: those that are kept, and whether one says where a video was filmed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

KEPT = {
    "artist": "artist",
    "com.android.manufacturer": "make",
    "com.android.model": "model",
    "com.android.version": "software",
    "com.apple.quicktime.make": "make",
    "com.apple.quicktime.model": "model",
    "com.apple.quicktime.software": "software",
    "copyright": "copyright",
    "encoder": "encoder",
    "genre": "genre",
    "make": "make",
    "model": "model",
    "software": "software",
    "title": "title",
}
"""By FFmpeg's name of a tag, in small letters: the name that it is kept under. Comments and descriptions are
none of them: some cameras write there where they are."""

_LONGEST_TEXT = 500
# FFmpeg's names for QuickTime's and Android's `©xyz`, 3GPP's `loci`, Apple's and EXIF's places.
_PLACE_NAME = re.compile(r"location|gps|geotag|\bxyz\b|latitude|longitude", re.IGNORECASE)
# ISO 6709, in degrees, with minutes, or with seconds: +48.1372+011.5755/
_PLACE = re.compile(r"[+-]\d{2}(\d{2}){0,2}(\.\d+)?[+-]\d{3}(\d{2}){0,2}(\.\d+)?")


def kept_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return a container's texts that are kept, by name; what looks like a place is none of them."""
    kept: dict[str, str] = {}
    for name, text in metadata.items():
        known = KEPT.get(name.lower())
        if known is not None and text and not _tells_place(name, text):
            kept.setdefault(known, text[:_LONGEST_TEXT])
    return kept


def has_location(metadata: Iterable[Mapping[str, str]]) -> bool:
    """Return whether any of the texts of a container, its streams or its first frames says a place."""
    return any(_tells_place(name, text) for texts in metadata for name, text in texts.items())


def _tells_place(name: str, text: str) -> bool:
    return bool(_PLACE_NAME.search(name) or _PLACE.search(text))
