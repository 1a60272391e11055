"""The interface of every detector, and the name of a model."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol, runtime_checkable

import numpy as np

from frametally.files.opencv import Pixels
from frametally.records import Detection


class Detector(Protocol):
    """Finds objects in pictures. Not for use by several threads at once."""

    @property
    def model_id(self) -> str:
        """Name, back-end, precision and 8 hex over everything that changes a detection."""

    def detect(self, images: Sequence[Pixels]) -> list[list[Detection]]:
        """Return the objects in each of `images`, boxes in pixels of that image.

        What is found in an image depends on nothing but that image: not on the others in the call, not on
        the number of threads. Each list is sorted by confidence (highest first), then by the class's place
        among the model's classes, then by box.
        """


@runtime_checkable
class AsyncDetector(Detector, Protocol):
    """A detector that works on several images at once. `start` is for one thread at a time."""

    @property
    def least_px(self) -> tuple[int, int]:
        """Width and height of the network's input: more of a frame it does not see.

        A JPEG may be decoded at a reduced scale as long as both of its sides stay at least that large. That
        changes what is found, so the rule is part of the model id.
        """

    def start(self, image: Pixels, *, frame_px: tuple[int, int] | None = None) -> Future[list[Detection]]:
        """Return what `detect` would find in `image`, later, with boxes in pixels of the stored frame.

        `image` may be decoded at a reduced scale; `frame_px` is the frame's width and height, None: the
        image's. Waits while as many images are under way as the detector can work on. `image` is not used
        after the return. The future may be completed in any thread, and out of order.
        """


def least_px(detector: Detector) -> tuple[int, int] | None:
    """Return how large an image has to be for `detector`; None if it wants every pixel."""
    return detector.least_px if isinstance(detector, AsyncDetector) else None


def start(
    detector: Detector, image: Pixels, *, frame_px: tuple[int, int] | None = None
) -> Future[list[Detection]]:
    """Return what `detector` finds in `image`: later if the detector can, or else now.

    Raises `Misconfigured` if the detector cannot work; the future may hold the same.
    """
    if isinstance(detector, AsyncDetector):
        return detector.start(image, frame_px=frame_px)
    done: Future[list[Detection]] = Future()
    try:
        done.set_result(detector.detect([image])[0])
    except Exception as error:
        done.set_exception(error)
    return done


def make_model_id(*, name: str, backend: str, precision: str, ingredients: Mapping[str, object]) -> str:
    """Return `<name>-<backend>-<precision>-<8 hex>`, of the characters a-z, 0-9, `.`, `_` and `-` only.

    The hex is over `ingredients`: everything that changes a detection, as JSON values.
    """
    canonical = json.dumps(ingredients, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:8]
    safe_name = re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-._")[:40] or "model"
    return f"{safe_name}-{backend}-{precision}-{digest}"


def check_image(image: Pixels) -> None:
    """Raise `ValueError` unless `image` has shape (height, width, 3), no side 0, and dtype uint8."""
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype != np.uint8:
        raise ValueError(f"expected an image (height, width, 3) of uint8, got {image.shape} of {image.dtype}")
