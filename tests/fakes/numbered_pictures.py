"""Pictures that show their number, and are recognized pixel by pixel: a smeared one does not match."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tests.fakes.footage import Picture

FRAMES, BITS, CELL_PX = 200, 8, 16
WIDTH_PX, HEIGHT_PX = 320, 240


def numbered(frames: int = FRAMES) -> Iterator[Picture]:
    """Pictures that all differ: cells show the number, and a bar moves and changes with it."""
    ground = np.random.default_rng(1).integers(60, 120, (HEIGHT_PX // 8, WIDTH_PX // 8), np.uint8)
    for number in range(frames):
        picture = np.repeat(np.kron(ground, np.ones((8, 8), np.uint8))[:, :, None], 3, axis=2)
        for bit in range(BITS):
            picture[:CELL_PX, bit * CELL_PX : (bit + 1) * CELL_PX] = 235 if number >> bit & 1 else 16
        at = number * 11 % (WIDTH_PX - 80)
        picture[40 : HEIGHT_PX - 20, at : at + 80] = 16 + number * 37 % 220
        yield picture


TRUTH = [picture[:, :, 0] for picture in numbered()]


def number_of(picture: Picture) -> int | None:
    """The number of the picture; None if it is not one of them."""
    grey = picture.mean(axis=2) if picture.ndim == 3 else picture
    cells = [
        grey[4 : CELL_PX - 4, at + 4 : at + CELL_PX - 4].mean() for at in range(0, BITS * CELL_PX, CELL_PX)
    ]
    number = sum(1 << bit for bit, cell in enumerate(cells) if cell > 125)
    if number >= FRAMES:
        return None
    off = np.abs(grey.astype(float) - TRUTH[number])
    off = off.reshape(HEIGHT_PX // 16, 16, WIDTH_PX // 16, 16).mean(axis=(1, 3))
    return number if off.max() < 24 else None
