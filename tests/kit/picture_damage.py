"""Damaged pictures by seeds: of how many, that show something else than the whole one, is damage noticed?

    python -m tests.kit.picture_damage [SEEDS]

prints a table by format. Each seed draws a scene, encodes it, and damages what follows the header: a turned
bit, 40 random bytes, a sector of zeros or of random bytes, a missing or repeated piece, an interrupted copy.
"""

from __future__ import annotations

import io
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from frametally.errors import Poison
from frametally.files.opencv import Pixels
from frametally_producer.reading.picture_reader import decode_header, decode_picture

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 85}),
    "JPEG, progressive": ("JPEG", {"quality": 85, "progressive": True}),
    "JPEG, 4:4:4": ("JPEG", {"quality": 85, "subsampling": 0}),
    "JPEG, restart markers": ("JPEG", {"quality": 85, "restart_marker_blocks": 8}),
    "JPEG, optimized": ("JPEG", {"quality": 95, "optimize": True}),
    "PNG": ("PNG", {}),
    "WebP": ("WEBP", {"quality": 80}),
    "WebP, lossless": ("WEBP", {"lossless": True}),
    "TIFF": ("TIFF", {}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF, deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "BMP": ("BMP", {}),
}
_HEADER_BYTES = {"JPEG": 0, "PNG": 41, "WEBP": 64, "TIFF": 256, "BMP": 54}
_MOST_PIXELS = 1_000_000
_CHANGED_LEVELS, _CHANGED_PART = 20, 0.01
"""A picture shows something else if 1 % of its pixels differ by more than 20 of 255 levels in the mean."""


def _turned_bit(data: bytearray, at: int, _rng: random.Random) -> bytes:
    data[at] ^= 1 << (at % 8)
    return bytes(data)


def _random_bytes(data: bytearray, at: int, rng: random.Random) -> bytes:
    for _ in range(40):
        data[rng.randrange(at, len(data))] = rng.randrange(256)
    return bytes(data)


def _overwritten(data: bytearray, at: int, size: int, content: Callable[[int], bytes]) -> bytes:
    end = min(at + size, len(data))
    data[at:end] = content(end - at)
    return bytes(data)


DAMAGES: dict[str, Callable[[bytearray, int, random.Random], bytes]] = {
    "a turned bit": _turned_bit,
    "40 random bytes": _random_bytes,
    "a sector of zeros": lambda data, at, _: _overwritten(data, at, 4096, bytes),
    "a small sector of zeros": lambda data, at, _: _overwritten(data, at, 512, bytes),
    "a random sector": lambda data, at, rng: _overwritten(data, at, 4096, rng.randbytes),
    "a missing piece": lambda data, at, _: bytes(data[:at] + data[at + 1024 :]),
    "a repeated piece": lambda data, at, _: bytes(data[:at] + data[max(0, at - 1024) :]),
    "an interrupted copy": lambda data, at, _: bytes(data[:at]),
    "an interrupted copy of full length": lambda data, at, _: _overwritten(data, at, len(data), bytes),
}
INTERRUPTED = {"an interrupted copy", "an interrupted copy of full length"}


class Verdict(NamedTuple):
    """What became of a damaged picture.

    Attributes:
        damage: Its key in `DAMAGES`.
        refused: The line that refuses it, or None if it is taken.
        shows_other: Whether it is taken and shows something else than the whole one.
    """

    format: str
    damage: str
    refused: str | None
    shows_other: bool


def read(data: bytes) -> Pixels:
    """Read a picture as a producer does. Raises `Poison`."""
    with tempfile.TemporaryFile() as written:
        written.write(data)
        written.flush()
        with open(written.fileno(), "rb", closefd=False) as file:
            return decode_picture(file, decode_header(file, max_pixels=_MOST_PIXELS))


def scene(rng: np.random.Generator) -> Image.Image:
    """Return a street-like picture: a gradient with texture and a few bright and dark boxes."""
    height_px, width_px = 240, 320
    ground = np.linspace(60, 160, height_px)[:, None, None] + rng.normal(0, 6, (height_px, width_px, 3))
    for _ in range(int(rng.integers(2, 6))):
        top, left = rng.integers(0, height_px - 60), rng.integers(0, width_px - 60)
        ground[top : top + rng.integers(20, 60), left : left + rng.integers(20, 60)] = rng.integers(0, 256, 3)
    return Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))


def encoded(picture: Image.Image, format_name: str) -> bytes:
    """Return a picture's file in one of `FORMATS`."""
    container, options = FORMATS[format_name]
    file = io.BytesIO()
    picture.save(file, container, **options)
    return file.getvalue()


def _first_pixel_byte(data: bytes, format_name: str) -> int:
    container = FORMATS[format_name][0]
    return data.find(b"\xff\xda") + 14 if container == "JPEG" else _HEADER_BYTES[container]


def verdicts(seeds: int, format_name: str) -> Iterator[Verdict]:
    """Yield what becomes of one picture of a format for each seed."""
    for seed in range(seeds):
        rng = random.Random(f"{format_name} {seed}")  # noqa: S311 - a seed, no secret
        whole = encoded(scene(np.random.default_rng(seed)), format_name)
        clean = read(whole)
        damage = list(DAMAGES)[seed % len(DAMAGES)]
        at = rng.randrange(_first_pixel_byte(whole, format_name), len(whole) - 16)
        damaged = DAMAGES[damage](bytearray(whole), at, rng)
        try:
            pixels = read(damaged)
        except Poison as error:
            yield Verdict(format_name, damage, str(error), False)
            continue
        is_other = pixels.shape != clean.shape or bool(
            (np.abs(pixels.astype(int) - clean).mean(axis=2) > _CHANGED_LEVELS).mean() > _CHANGED_PART
        )
        yield Verdict(format_name, damage, None, is_other)


def main(seeds: int) -> None:
    """Print the table."""
    print("| format | damaged | refused | taken, shows the same | taken, shows something else |")
    print("| --- | --- | --- | --- | --- |")
    for format_name in FORMATS:
        numbers = Counter(
            "refused" if v.refused else "other" if v.shows_other else "same"
            for v in verdicts(seeds, format_name)
        )
        print(f"| {format_name} | {seeds} | {numbers['refused']} | {numbers['same']} | {numbers['other']} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 450)
