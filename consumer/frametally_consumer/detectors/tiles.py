"""Splits large pictures into tiles that a network analyses in addition to the whole picture.

Neighbouring tiles overlap, so an object smaller than the overlap is whole in one of them, and a larger one is
large enough in the whole picture. So boxes at an inner border of a tile are dropped, and no object is found
twice.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np

from frametally.files.opencv import Pixels
from frametally.records import Detection
from frametally_consumer.detectors.heads import Floats

TILE_RULE = "tiles-1"
"""Name of the rule for tiling pictures and joining boxes; part of the model id of models with tiles."""

LEAST_TILED_PX = 1920 * 1080
"""Stored frames with fewer pixels have no tiles."""

_OVERLAP = 0.2
"""Overlap of two neighbours, as a fraction of a tile's side."""
_BORDER = 0.01
"""A box this near to an inner border of its tile, as a fraction of the tile's side, counts as cut off."""


class Tile(NamedTuple):
    """A part of a picture: its borders as fractions of the picture's width and height."""

    left: float
    top: float
    right: float
    bottom: float


WHOLE = Tile(0.0, 0.0, 1.0, 1.0)


def tiles_of(counts: tuple[int, int], frame_px: tuple[int, int]) -> list[Tile]:
    """Return the parts of a stored frame of a size to analyse, beginning with the whole frame."""
    if counts == (1, 1) or frame_px[0] * frame_px[1] < LEAST_TILED_PX:
        return [WHOLE]
    columns, rows = (_spans(count) for count in counts)
    return [WHOLE, *(Tile(left, top, right, bottom) for top, bottom in rows for left, right in columns)]


def least_px(counts: tuple[int, int], input_px: tuple[int, int]) -> tuple[int, int]:
    """Return how large a picture must be for each of its tiles to fill the network's input."""
    width_px, height_px = (
        math.ceil(side_px / _side(count)) for side_px, count in zip(input_px, counts, strict=True)
    )
    return width_px, height_px


def cut(image: Pixels, tile: Tile) -> tuple[Pixels, Tile]:
    """Return the whole pixels of a tile, and the tile with the borders rounded to them."""
    height_px, width_px = image.shape[:2]
    left, right = round(tile.left * width_px), round(tile.right * width_px)
    top, bottom = round(tile.top * height_px), round(tile.bottom * height_px)
    borders = Tile(left / width_px, top / height_px, right / width_px, bottom / height_px)
    return image[top:bottom, left:right], borders


def in_picture(rows: Floats, tile: Tile) -> Floats:
    """Return `rows` with boxes of a tile as fractions of the picture, without boxes cut off by the tile."""
    if tile == WHOLE:
        return rows
    near, far = rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2
    is_cut = ((near < _BORDER) & (np.array(tile[:2]) > 0)) | ((far > 1 - _BORDER) & (np.array(tile[2:]) < 1))
    whole: Floats = rows[~is_cut.any(axis=1)].copy()
    size = np.array([tile.right - tile.left, tile.bottom - tile.top], np.float32)
    whole[:, :2] = whole[:, :2] * size + np.array(tile[:2], np.float32)
    whole[:, 2:4] *= size
    return whole


class TiledResult:
    """The detections of a picture, complete once the rows of all its tiles have arrived, in any order."""

    def __init__(self, tiles: int, read: Callable[[Floats], list[Detection]]) -> None:
        """Expect the rows of `tiles` tiles; `read` turns all rows, in the tiles' order, into detections."""
        self.future: Future[list[Detection]] = Future()
        self._read, self._lock = read, threading.Lock()
        self._rows: list[Floats | None] = [None] * tiles

    def put(self, place: int, rows: Future[Floats]) -> None:
        """Take the rows of one tile; the first error of a tile becomes the picture's."""
        with self._lock:
            if self.future.done():
                return
            try:
                self._rows[place] = rows.result()
                parts = [part for part in self._rows if part is not None]
                if len(parts) == len(self._rows):
                    self.future.set_result(self._read(np.concatenate(parts)))
            except Exception as error:
                self.future.set_exception(error)


def _side(count: int) -> float:
    return 1 / (count - (count - 1) * _OVERLAP)


def _spans(count: int) -> list[tuple[float, float]]:
    side = _side(count)
    starts = [place * side * (1 - _OVERLAP) for place in range(count)]
    return [(start, 1.0 if place == count - 1 else start + side) for place, start in enumerate(starts)]
