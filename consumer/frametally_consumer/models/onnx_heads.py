"""The outputs of YOLO networks exported as ONNX files, v5 to v11, recognised by their shape.

Their coordinates are pixels of the network's input, and no row is suppressed (v10's are, nearly).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from frametally.errors import Misconfigured
from frametally_consumer.models.heads import Head

ONNX_HEADS_VERSION = 1
"""Raised whenever anything here changes a row; part of the model id."""

Floats = npt.NDArray[np.float32]

_MARGIN = 1e-4
"""Scores are compared with the least confidence in ten-thousandths afterwards: none of those is left out."""
_MOST_END_TO_END_ROWS = 1000


class ObjectnessHead:
    """YOLOv5 and YOLOv7: (1, boxes, 5 + classes): centre, size, objectness, class probabilities."""

    name = f"yolov5-{ONNX_HEADS_VERSION}"

    def __init__(self, place: int, size_px: tuple[int, int]) -> None:
        """The head at `place` among the outputs, of a network with an input of `size_px` (width, height)."""
        self._place = place
        self._scale = np.array([*size_px, *size_px], np.float32)

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """As `Head.rows` says."""
        found = outputs[self._place][0]
        made: Floats = found[found[:, 4] >= min_confidence - _MARGIN].astype(np.float32)
        made[:, :4] /= self._scale
        made[:, 5:] *= made[:, 4:5]
        return made


class ScoresHead:
    """YOLOv8, v9 and v11: (1, 4 + classes, boxes): centre, size, class probabilities."""

    name = f"yolov8-{ONNX_HEADS_VERSION}"

    def __init__(self, place: int, size_px: tuple[int, int]) -> None:
        """As `ObjectnessHead`."""
        self._place = place
        self._scale = np.array([*size_px, *size_px], np.float32)

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """As `Head.rows` says; the objectness is the best class's score."""
        found = outputs[self._place][0]
        best = found[4:].max(axis=0)
        wanted = np.flatnonzero(best >= min_confidence - _MARGIN)
        made = np.empty((len(wanted), 1 + len(found)), np.float32)
        made[:, :4] = found[:4, wanted].T / self._scale
        made[:, 4] = best[wanted]
        made[:, 5:] = found[4:, wanted].T
        return made


class EndToEndHead:
    """YOLOv10: (1, boxes, 6): left, top, right, bottom, score, class."""

    name = f"yolov10-{ONNX_HEADS_VERSION}"

    def __init__(self, place: int, size_px: tuple[int, int], classes: int) -> None:
        """As `ObjectnessHead`; `classes` is how many the model has."""
        self._place, self._classes = place, classes
        self._scale = np.array([*size_px, *size_px], np.float32)

    def rows(self, outputs: Sequence[Floats], *, min_confidence: float) -> Floats:
        """As `Head.rows` says.

        Raises:
            Misconfigured: A class that has no name.
        """
        found = outputs[self._place][0]
        found = found[found[:, 4] >= min_confidence - _MARGIN]
        class_index = found[:, 5].astype(np.int64)
        if not (
            np.equal(class_index, found[:, 5]) & (class_index >= 0) & (class_index < self._classes)
        ).all():
            raise Misconfigured(
                f"the network answers with class {found[:, 5].max():g}, but there are {self._classes} class "
                "names; give the names file that belongs to it"
            )
        made = np.zeros((len(found), 5 + self._classes), np.float32)
        corners = found[:, :4] / self._scale
        made[:, :2] = (corners[:, :2] + corners[:, 2:]) / 2
        made[:, 2:4] = corners[:, 2:] - corners[:, :2]
        made[:, 4] = found[:, 4]
        made[np.arange(len(found)), 5 + class_index] = found[:, 4]
        return made


def recognise(
    shapes: Sequence[tuple[int, ...]], *, classes: int, size_px: tuple[int, int], name: str
) -> Head:
    """The head that has outputs of these shapes.

    Args:
        shapes: Of the network's outputs, in its order.
        classes: How many class names there are.
        size_px: Width and height of the network's input.
        name: What an error line calls the network.

    Raises:
        Misconfigured: None that is known, or several.
    """
    cells = sum((size_px[0] // stride) * (size_px[1] // stride) for stride in (8, 16, 32))
    heads: list[Head] = []
    for place, shape in enumerate(shapes):
        if len(shape) != 3 or shape[0] != 1:
            continue
        _, rows, columns = shape
        # With one class a row of v5 has 6 numbers, too; it has three rows a cell.
        if columns == 6 and rows <= _MOST_END_TO_END_ROWS and rows != 3 * cells:
            heads.append(EndToEndHead(place, size_px, classes))
        elif columns == 5 + classes:
            heads.append(ObjectnessHead(place, size_px))
        elif rows == 4 + classes:
            heads.append(ScoresHead(place, size_px))
    if len(heads) == 1:
        return heads[0]
    given = ", ".join("x".join(map(str, shape)) for shape in shapes)
    raise Misconfigured(
        f"{name}: its outputs ({given}) are no YOLO head of {classes} classes: expected 1 x boxes x "
        f"{5 + classes} (v5, v7), 1 x {4 + classes} x boxes (v8 to v11) or 1 x boxes x 6 (v10); give the "
        "names file that belongs to it, or export it as docs/models.md says"
    )


def check_rows(rows: Floats, *, name: str) -> None:
    """Raises unless `rows`, all that a network makes of a picture, can be boxes and probabilities.

    Raises:
        Misconfigured: They cannot.
    """
    scores = rows[:, 4:]
    if scores.size and not (scores.min() >= -_MARGIN and scores.max() <= 1 + _MARGIN):
        raise Misconfigured(
            f"{name}: its scores go from {scores.min():.3g} to {scores.max():.3g}, no probabilities; "
            "export it with its detection head, as docs/models.md says"
        )
    # As parts of the input: a box that was a part already is now less than a pixel.
    if len(rows) and np.abs(rows[:, :4]).max() < 0.05:
        raise Misconfigured(
            f"{name}: its boxes are no pixels of the network's input; export it with pixel coordinates"
        )
