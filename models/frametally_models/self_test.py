"""Tests a network at start, in a few milliseconds, so that a broken one cannot silently detect nonsense.

The test draws its picture, in which YOLOv4-tiny finds the stop sign with a confidence of 0.99. When a network
is converted, the reference's rows with the highest scores are stored with it. At every start the back-end
must give the same rows again. That works for any network, whatever its classes. For the reference itself,
only one result is known: where YOLOv4-tiny at its own size finds the stop sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from frametally.errors import Misconfigured
from frametally.files.opencv import Pixels, cv2
from frametally.records import Detection
from frametally_consumer.detectors.heads import Floats
from frametally_models.detector_agreement import LEAST_IOU, iou

PICTURE_VERSION = 1
_ROWS = 48
_WIDTH_PX, _HEIGHT_PX = 640, 480
_FAR, _NEAR = 0.924, 0.383  # cosine and sine of 22.5 degrees
_OCTAGON = [
    *((_FAR, _NEAR), (_NEAR, _FAR), (-_NEAR, _FAR), (-_FAR, _NEAR)),
    *((-_FAR, -_NEAR), (-_NEAR, -_FAR), (_NEAR, -_FAR), (_FAR, -_NEAR)),
]


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """The expected result of the network for the picture.

    Attributes:
        picture_version: `PICTURE_VERSION` of the picture.
        rows: The number of rows.
        places: The indices of the rows with the highest scores.
        values: The numbers of these rows, as from `heads.Head.rows`.
    """

    picture_version: int
    rows: int
    places: list[int]
    values: list[list[float]]


class Tolerance(NamedTuple):
    """The tolerance of a back-end's results.

    Attributes:
        score: For any objectness and any class's score.
        logit: For the rows' mean objectness before the sigmoid; reveals a network that finds nothing.
    """

    score: float
    logit: float


TOLERANCES = {
    "f32": Tolerance(0.005, 0.02),
    # bf16 keeps 8 bits of a number's value.
    "bf16": Tolerance(0.06, 0.15),
    # Compared with the results of the same INT8 network when it was made: CPUs round differently.
    "int8": Tolerance(0.1, 0.3),
}

_STOP_SIGN_BOX = (390, 54, 180, 180)
"""Left, top, width and height in pixels."""
_STOP_SIGN = 11
_STOP_SIGN_ROW = [0.7503, 0.2997, 0.2747, 0.3749, 0.9997, 0.9997]
"""YOLOv4-tiny's row with the highest score at 416x416: centre, size, objectness and score."""


def draw_picture() -> Pixels:
    """Draw the picture, (480, 640, 3) uint8 BGR: a stop sign and a car on a street."""
    rows, columns = np.mgrid[:_HEIGHT_PX, :_WIDTH_PX]
    sky = 70 + columns * 130 // _WIDTH_PX - rows * 60 // _HEIGHT_PX + (rows * 7 + columns * 13) % 11
    picture = np.repeat(sky.astype(np.uint8)[..., np.newaxis], 3, axis=2)
    street, body, glass, tyre, hub = (70, 70, 70), (40, 30, 160), (30, 30, 30), (20, 20, 20), (170, 170, 170)
    white, red, pole = (240, 240, 240), (30, 20, 190), (120, 120, 120)
    cv2.rectangle(picture, (0, 298), (_WIDTH_PX, _HEIGHT_PX), street, -1)
    cv2.rectangle(picture, (51, 264), (307, 384), body, -1)
    _fill(picture, [(83, 264), (115, 202), (243, 202), (281, 264)], (60, 50, 190))
    _fill(picture, [(102, 264), (125, 216), (230, 216), (256, 264)], glass)
    for centre in ((102, 384), (249, 384)):
        cv2.circle(picture, centre, 32, tyre, -1)
        cv2.circle(picture, centre, 14, hub, -1)
    cv2.rectangle(picture, (476, 233), (484, 420), pole, -1)
    for radius, colour in ((97, white), (90, red)):
        corners = [(480 + round(radius * x), 144 + round(radius * y)) for x, y in _OCTAGON]
        _fill(picture, corners, colour)
    cv2.putText(picture, "STOP", (410, 166), cv2.FONT_HERSHEY_SIMPLEX, 1.6, white, 5)
    return picture


def expect(rows: Floats) -> Expected:
    """Return the expected result of the network that made `rows` of the picture."""
    places = np.sort(np.argsort(-rows[:, 5:].max(axis=1), kind="stable")[:_ROWS])
    return Expected(
        picture_version=PICTURE_VERSION,
        rows=len(rows),
        places=places.tolist(),
        values=np.round(rows[places].astype(np.float64), 6).tolist(),
    )


def check(rows: Floats, expected: Expected, tolerance: Tolerance, *, name: str, remedy: str) -> None:
    """Check that a back-end's `rows` of the picture, (n, 5 + classes), are as expected.

    Raises:
        Misconfigured: They differ.
    """
    if len(rows) != expected.rows:
        raise Misconfigured(f"{name}: the self-test returned {len(rows)} rows, not {expected.rows}; {remedy}")
    values = np.array(expected.values, np.float32)
    score = float(np.abs(rows[expected.places, 4:] - values[:, 4:]).max())
    logit = float(np.abs(_logit(rows[expected.places, 4]) - _logit(values[:, 4])).mean())
    if not (score <= tolerance.score and logit <= tolerance.logit):
        raise Misconfigured(
            f"{name}: the self-test did not find the objects that it should (scores differ by {score:.3f}, "
            f"allowed {tolerance.score}; logits by {logit:.3f}, allowed {tolerance.logit}); {remedy}"
        )


def check_stop_sign(rows: Floats, *, name: str, remedy: str) -> None:
    """Check the reference's `rows` of YOLOv4-tiny at 416x416, as `check` does.

    Raises:
        Misconfigured: The row with the highest score is not the stop sign's, or its numbers are off.
    """
    best = rows[rows[:, 5:].max(axis=1).argmax()]
    off = np.abs(best[[*range(5), 5 + _STOP_SIGN]] - np.array(_STOP_SIGN_ROW, np.float32)).max()
    if not off <= TOLERANCES["f32"].score:
        raise Misconfigured(
            f"{name}: the self-test did not find the stop sign as it should (numbers differ by {off:.3f}, "
            f"allowed {TOLERANCES['f32'].score}); {remedy}"
        )


def read_stop_sign(detections: Sequence[Detection]) -> Detection | None:
    """Return the most confident of the picture's `detections` at the place of its stop sign, if any."""
    return next((box for box in detections if iou(box.box, _STOP_SIGN_BOX) >= LEAST_IOU), None)


def _logit(probability: Floats) -> npt.NDArray[np.float64]:
    clipped = np.clip(probability.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _fill(picture: Pixels, corners: list[tuple[int, int]], colour: tuple[int, int, int]) -> None:
    cv2.fillPoly(picture, [np.array(corners, np.int32)], colour)
