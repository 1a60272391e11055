"""The outermost boxes of an MP4 or MOV file (ISO/IEC 14496-12, 4.2): its brands, and what comes first."""

from __future__ import annotations

import os
from io import BufferedReader
from typing import Literal, NamedTuple

_HEADER_BYTES, _LARGE_HEADER_BYTES = 8, 16
_LARGE, _TO_THE_END = 1, 0
_BRAND_BYTES = 4
_MOST_BOXES, _MOST_BRANDS = 1000, 64


class OutermostBoxes(NamedTuple):
    """What the outermost boxes say.

    Attributes:
        brands: The major brand, then those that it is compatible with, each once; empty in old MOV files.
        moov: Whether the box that a player needs first stands before or after the pictures.
    """

    brands: list[str]
    moov: Literal["first", "last"]


def read_boxes(file: BufferedReader) -> OutermostBoxes:
    """Read the headers of an MP4's or MOV's outermost boxes, up to the first that holds pictures.

    That FFmpeg could open it is taken for granted: a `moov` that was not met by then comes later.
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
    """Return the brands of an `ftyp` box: the major one, its version (left out), the compatible ones."""
    texts = [content[at : at + _BRAND_BYTES].decode("latin-1") for at in range(0, len(content), _BRAND_BYTES)]
    return list(dict.fromkeys(text.strip() for text in texts[:1] + texts[2:] if text.isprintable()))
