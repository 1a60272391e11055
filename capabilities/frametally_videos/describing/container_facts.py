"""Reads a container's data outside its streams: the texts to keep, and an MP4's outermost boxes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from io import BufferedReader
from typing import Literal, NamedTuple

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
"""The names under which tags are kept, by FFmpeg's lower-case names. Comments and descriptions are left out,
since some cameras write their location there."""

_LONGEST_TEXT = 500
# FFmpeg's names for locations in QuickTime and Android (`©xyz`), 3GPP (`loci`), Apple's tags and EXIF.
_PLACE_NAME = re.compile(r"location|gps|geotag|\bxyz\b|latitude|longitude", re.IGNORECASE)
# ISO 6709 in degrees, optionally with minutes or also seconds: +48.1372+011.5755/
_PLACE = re.compile(r"[+-]\d{2}(\d{2}){0,2}(\.\d+)?[+-]\d{3}(\d{2}){0,2}(\.\d+)?")


def kept_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return a container's texts to keep, by name, without those that look like a location."""
    tags: dict[str, str] = {}
    for name, text in metadata.items():
        tag = KEPT.get(name.lower())
        if tag is not None and text and not _tells_place(name, text):
            tags.setdefault(tag, text[:_LONGEST_TEXT])
    return tags


def has_location(metadata: Iterable[Mapping[str, str]]) -> bool:
    """Return whether any text of a container, its streams or its first frames contains a location."""
    return any(_tells_place(name, text) for texts in metadata for name, text in texts.items())


def _tells_place(name: str, text: str) -> bool:
    return bool(_PLACE_NAME.search(name) or _PLACE.search(text))


_HEADER_BYTES, _LARGE_HEADER_BYTES = 8, 16
_LARGE, _TO_THE_END = 1, 0
_BRAND_BYTES = 4
_MOST_BOXES, _MOST_BRANDS = 1000, 64


class OutermostBoxes(NamedTuple):
    """The contents of the outermost boxes.

    Attributes:
        brands: The major brand, then the compatible ones, each once; empty in old MOV files.
        moov: Whether the `moov` box, which a player needs first, comes before or after the pictures.
    """

    brands: list[str]
    moov: Literal["first", "last"]


def read_boxes(file: BufferedReader) -> OutermostBoxes:
    """Read the headers of an MP4's or MOV's outermost boxes, up to the first one with pictures.

    FFmpeg must have opened the file: a `moov` box not found by then comes later.
    """
    brands: list[str] = []
    size_bytes = file.seek(0, os.SEEK_END)
    at_byte = 0
    for _ in range(_MOST_BOXES):
        file.seek(at_byte)
        header = file.read(_LARGE_HEADER_BYTES)
        if len(header) < _HEADER_BYTES:
            break
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        start = _HEADER_BYTES
        if length == _LARGE:
            length, start = int.from_bytes(header[8:16], "big"), _LARGE_HEADER_BYTES
        elif length == _TO_THE_END:
            length = size_bytes - at_byte
        if kind == b"moov":
            return OutermostBoxes(brands, "first")
        if kind == b"mdat" or length < start:
            break
        if kind == b"ftyp":
            file.seek(at_byte + start)
            brands = _brands(file.read(min(length - start, _MOST_BRANDS * _BRAND_BYTES)))
        at_byte += length
    return OutermostBoxes(brands, "last")


def _brands(content: bytes) -> list[str]:
    """Return the brands of an `ftyp` box: the major one, then the compatible ones, without the version."""
    texts = [
        content[offset : offset + _BRAND_BYTES].decode("latin-1")
        for offset in range(0, len(content), _BRAND_BYTES)
    ]
    return list(dict.fromkeys(text.strip() for text in texts[:1] + texts[2:] if text.isprintable()))
