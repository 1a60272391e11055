"""Tests a network at start, in a few milliseconds, so that a broken one cannot detect nonsense silently.

The picture is drawn here, and YOLOv4-tiny finds its stop sign with a confidence of 0.99. When a network is
converted, what the reference makes of the picture is kept beside it: the rows with the highest scores. At
every start the back-end must give the same ones again. That works for any network, whatever its classes are.
Of the reference itself only YOLOv4-tiny at its own size is known: where it finds the stop sign.
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
        rows: How many rows there are.
        places: Those of them with the highest scores.
        values: Their numbers, as `heads.Head.rows` gives them.
    """

    picture_version: int
    rows: int
    places: list[int]
    values: list[list[float]]


class Tolerance(NamedTuple):
    """The tolerance of a back-end's results.

    Attributes:
        score: Of any objectness and any class's score.
        logit: Of the rows' objectness, as a mean, before the sigmoid: sees a network that finds nothing.
    """

    score: float
    logit: float


TOLERANCES = {
    "f32": Tolerance(0.005, 0.02),
    # bf16 keeps 8 bits of a number's value.
    "bf16": Tolerance(0.06, 0.15),
    # Against what the very same INT8 network gave when it was made: CPUs round in unlike ways.
    "int8": Tolerance(0.1, 0.3),
}

_STOP_SIGN_BOX = (390, 54, 180, 180)
"""Left, top, width and height in pixels."""
_STOP_SIGN = 11
_STOP_SIGN_ROW = [0.7503, 0.2997, 0.2747, 0.3749, 0.9997, 0.9997]
"""Centre, size, objectness and score of the row with the highest score, of YOLOv4-tiny at 416x416."""


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
    """Return what to expect from now on of the network that made `rows` of the picture."""
    places = np.sort(np.argsort(-rows[:, 5:].max(axis=1), kind="stable")[:_ROWS])
    return Expected(
        picture_version=PICTURE_VERSION,
        rows=len(rows),
        places=places.tolist(),
        values=np.round(rows[places].astype(np.float64), 6).tolist(),
    )


def check(rows: Floats, expected: Expected, tolerance: Tolerance, *, name: str, remedy: str) -> None:
    """Do nothing if `rows`, (n, 5 + classes), which a back-end makes of the picture, are as expected.

    Raises:
        Misconfigured: It detects something else than it should.
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
    """Do as `check` for `rows` that the reference makes with YOLOv4-tiny at 416x416.

    Raises:
        Misconfigured: What it finds with the highest score is not the stop sign, or not as it should be.
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
