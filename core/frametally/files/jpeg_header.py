"""Reads a JPEG's markers without decoding and without OpenCV, which not every stage has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from frametally.errors import Poison

START_OF_IMAGE = b"\xff\xd8"
_NO_LENGTH = {0x01, *range(0xD0, 0xD8)}  # TEM and the restart markers stand alone
_START_OF_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # DHT, JPG and DAC share the range
_START_OF_SCAN, _END_OF_IMAGE, _COMMENT = 0xDA, 0xD9, 0xFE
_BEHIND_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # neither a stuffed byte nor a restart

# Each scan passes over all pixels again: the product bounds the time, some 0.7 ns per pixel and scan.
_MOST_SCANS, _MOST_SCANNED_PIXELS = 100, 2_000_000_000
_ALWAYS_ALLOWED_SCANS = 20  # a camera's or a browser's progressive JPEG has about 10
# The shortest possible codes, one for each coefficient that starts a block: in baseline and extended JPEGs
# one DC and one AC coefficient, in progressive ones the DC coefficient.
_LEAST_BITS_PER_BLOCK = {0xC0: 2, 0xC1: 2, 0xC2: 1}
_BLOCK_PX = 8
_PAGE_BYTES = 4096  # a file system loses whole pages, which then are zeros
_MOST_PIECES = 10_000  # markers and fill bytes: a picture with much metadata has some hundreds


def has_all_bytes(data: bytes) -> bool:
    """Return whether a JPEG has no gap: power loss can leave a file empty, short, or zeros in places.

    It is faster than a decoder, which fills a gap with grey. Camera makers may pad a JPEG with zeros.
    """
    data = data.rstrip(b"\0")
    zeros = bytes(_PAGE_BYTES)
    return data.endswith(b"\xff\xd9") and not any(
        data.startswith(zeros, first_byte) for first_byte in range(0, len(data), _PAGE_BYTES)
    )


class _Marker(NamedTuple):
    code: int
    position: int


def jpeg_size_px(data: bytes) -> tuple[int, int]:
    """Return `(width, height)` in pixels from a JPEG's header (ITU-T T.81, B.2.2), without decoding.

    Raises:
        Poison: Not a JPEG, or one with a damaged header.
    """
    if not data:
        raise Poison("the picture is empty (0 bytes)")
    if data[:2] != START_OF_IMAGE:
        raise Poison("the picture is not a JPEG")
    for marker in _markers(data):
        if marker.code in _START_OF_FRAME:
            width, height = _frame_size_px(data, marker.position)
            if len(data) < marker.position + 9 or not width or not height:
                break
            return width, height
        if marker.code == _START_OF_SCAN:
            break
    raise Poison("the JPEG's header is damaged")


def comments_of(data: bytes) -> Iterator[bytes]:
    """Yield the comments in a JPEG's header (ITU-T T.81, B.2.4.5). Raises `Poison` as `jpeg_size_px`."""
    for marker in _markers(data):
        if marker.code == _START_OF_SCAN:
            return
        if marker.code == _COMMENT:
            length = int.from_bytes(data[marker.position + 2 : marker.position + 4])
            yield data[marker.position + 4 : marker.position + 2 + length]


def with_comments(data: bytes, comments: Iterable[bytes]) -> bytes:
    """Return a JPEG with comments of at most 65,533 bytes each before its frame header."""
    place = next(marker.position for marker in _markers(data) if marker.code in _START_OF_FRAME)
    parts = (b"\xff\xfe" + (len(text) + 2).to_bytes(2) + text for text in comments)
    return b"".join((data[:place], *parts, data[place:]))


def check_scans(data: bytes) -> None:
    """Refuse a JPEG that would take too long to decode, or that cannot hold the pixels that it claims.

    Raises:
        Poison: It has too many scans for its size, too few bytes in them, too many markers, or a damaged
            header.
    """
    width_px, height_px = jpeg_size_px(data)
    most = min(_MOST_SCANS, max(_ALWAYS_ALLOWED_SCANS, _MOST_SCANNED_PIXELS // (width_px * height_px)))
    scans = first_scan = end = 0
    least_bits = 0
    for marker in _markers(data):
        end = marker.position
        if marker.code in _LEAST_BITS_PER_BLOCK:
            least_bits = _LEAST_BITS_PER_BLOCK[marker.code] * _blocks(data, marker.position)
        elif marker.code == _START_OF_SCAN:
            scans += 1
            first_scan = first_scan or marker.position
            if scans > most:
                raise Poison(f"it has more than {most} scans, which would take too long to decode")
    if first_scan and (end - first_scan) * 8 < least_bits:
        raise Poison(
            f"it is cut short: {end - first_scan} bytes cannot contain the {width_px}x{height_px} pixels "
            "that its header gives"
        )


def _markers(data: bytes) -> Iterator[_Marker]:
    """Yield a JPEG's markers up to its end or to damage, then the end of the data.

    Skips the pixels of scans as a decoder does that looks for the next marker.

    Raises:
        Poison: It has more markers than a picture needs.
    """
    position = 2
    pieces = 0
    while position + 4 <= len(data) and data[position] == 0xFF:
        pieces += 1
        if pieces > _MOST_PIECES:
            raise Poison(f"the JPEG has more than {_MOST_PIECES} markers")
        code = data[position + 1]
        if code == 0xFF:  # fill byte
            position += 1
            continue
        if code == _END_OF_IMAGE:
            break
        if code not in _NO_LENGTH:
            yield _Marker(code, position)
            position += int.from_bytes(data[position + 2 : position + 4])
        position += 2
        if code == _START_OF_SCAN:
            behind = _BEHIND_SCAN.search(data, position)
            position = behind.start() if behind else len(data)
    yield _Marker(_END_OF_IMAGE, position)


def _frame_size_px(data: bytes, position: int) -> tuple[int, int]:
    height_px, width_px = (int.from_bytes(data[position + start : position + start + 2]) for start in (5, 7))
    return width_px, height_px


def _blocks(data: bytes, position: int) -> int:
    """Return how many blocks of 8x8 samples the frame header at `position` claims, over all components.

    Raises:
        Poison: The data ends before the number of components.
    """
    if len(data) <= position + 9:
        raise Poison("the JPEG's header is damaged")
    width_px, height_px = _frame_size_px(data, position)
    samplings = data[position + 11 : position + 10 + 3 * data[position + 9] : 3]
    factors = [(max(1, byte >> 4), max(1, byte & 15)) for byte in samplings]
    most_across, most_down = (max((factor[axis] for factor in factors), default=1) for axis in (0, 1))
    return sum(
        -(-width_px * across // (most_across * _BLOCK_PX)) * -(-height_px * down // (most_down * _BLOCK_PX))
        for across, down in factors
    )
