"""The addresses of frames for browsers: links to the store or to the dashboard, and smaller sizes."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

from frametally.actions.parameters import choice
from frametally.actions.problems import Problem
from frametally.errors import Poison
from frametally.files.opencv import (
    cv2,
    decode_pixels,
    jpeg_size_px,
    reduced_px,
    reduction_for,
)
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.settings.loading import Settings

LINK_S = 300
"""Validity of a link; anyone who has it can see the frame."""
_ANY_KEY = "images/any.jpg"


def picture_link(store: ObjectStore, settings: Settings, key: str) -> str | None:
    """Return a link by which a browser gets the frame from the store, or None if it must come from here."""
    if not settings.web_store_links:
        return None
    try:
        link = store.address(key, ttl_s=LINK_S)
    except ObjectMissing:  # it is in a pack
        return None
    return link if link.startswith(("http://", "https://")) else None


def picture_origin(store: ObjectStore, settings: Settings) -> str:
    """Return the origin of such links, such as `https://s3.example.org`, or empty if there are none."""
    if not settings.web_store_links or not settings.store_url.startswith("s3://"):
        return ""
    parts = urlsplit(store.address(_ANY_KEY, ttl_s=LINK_S))
    return f"{parts.scheme}://{parts.netloc}"


def no_such_frame() -> Problem:
    """Return the problem that a frame does not exist, or not for this visitor."""
    return Problem(
        404,
        "The store does not have this frame.",
        parameter="path",
        remedy="It was deleted or never stored; use paths from another response.",
    )


WIDTH = choice(
    "w",
    "Width of a smaller JPEG in pixels; a narrower picture is returned unchanged.",
    ("", "320", "640", "1280"),
    "320",
)

_QUALITY = 80
_MOST_PIXELS = 30_000_000
"""Most pixels that are decoded: a JPEG that is larger even at its greatest reduction stays as it is."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""Number of requests that may hold decoded pixels at once."""


def smaller(jpeg: bytes, width_px: int) -> bytes:
    """Return a stored frame as a JPEG of that width; unchanged if it is not wider or cannot be decoded."""
    try:
        size_px = jpeg_size_px(jpeg)
        if size_px[0] <= width_px:
            return jpeg
        wanted_px = (width_px, max(1, round(size_px[1] * width_px / size_px[0])))
        reduction = reduction_for(*size_px, wanted_px)
        if reduced_px(size_px[0], reduction) * reduced_px(size_px[1], reduction) > _MOST_PIXELS:
            return jpeg
        with _AT_ONCE:
            pixels = cv2.resize(decode_pixels(jpeg, reduction), wanted_px, interpolation=cv2.INTER_AREA)
            return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    except Poison:
        return jpeg  # viewers see what is stored
