"""Defines the interface of every detector, and the name of a model."""

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
    """Finds objects in pictures. Do not use it from several threads at once."""

    @property
    def model_id(self) -> str:
        """Name, back-end, precision and 8 hex digits of a hash over everything that changes a detection."""

    def detect(self, images: Sequence[Pixels]) -> list[list[Detection]]:
        """Return the objects in each of `images`, boxes in pixels of that image.

        The objects found in an image depend only on that image, not on the others in the call or the number
        of threads. Each list is sorted by confidence (highest first), then by the class's index in the
        model's classes, then by box.
        """


@runtime_checkable
class AsyncDetector(Detector, Protocol):
    """A detector that works on several images at once. Do not call `start` from several threads at once."""

    @property
    def least_px(self) -> tuple[int, int]:
        """Width and height of a frame beyond which the network sees no more detail.

        A JPEG may be decoded at a reduced scale as long as both sides stay at least this large. This changes
        detections, so the rule is part of the model id.
        """

    def start(self, image: Pixels, *, frame_px: tuple[int, int] | None = None) -> Future[list[Detection]]:
        """Return a future with what `detect` finds in `image`, with boxes in pixels of the stored frame.

        `image` may be decoded at a reduced scale; `frame_px` is the frame's width and height, by default the
        image's. Waits while the detector is working on as many images as it can. `image` is not used after
        the return. The future may be completed in any thread, and out of order.
        """


def least_px(detector: Detector) -> tuple[int, int] | None:
    """Return how large an image has to be for `detector`, or None if it needs every pixel."""
    return detector.least_px if isinstance(detector, AsyncDetector) else None


def start(
    detector: Detector, image: Pixels, *, frame_px: tuple[int, int] | None = None
) -> Future[list[Detection]]:
    """Return a future with what `detector` finds in `image`, already complete if it is not asynchronous.

    Raises `Misconfigured` if the detector cannot work; the future may also hold this error.
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
    """Return `<name>-<backend>-<precision>-<8 hex>`, with only the characters a-z, 0-9, `.`, `_` and `-`.

    The hex digits are a hash of `ingredients`: everything that changes a detection, as JSON values.
    """
    canonical = json.dumps(ingredients, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:8]
    safe_name = re.sub(r"[^a-z0-9._]+", "-", name.lower()).strip("-._")[:40] or "model"
    return f"{safe_name}-{backend}-{precision}-{digest}"


def check_image(image: Pixels) -> None:
    """Raise `ValueError` unless `image` has shape (height, width, 3), no side 0, and dtype uint8."""
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype != np.uint8:
        raise ValueError(f"expected an image (height, width, 3) of uint8, got {image.shape} of {image.dtype}")
