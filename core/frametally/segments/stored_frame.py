"""Loads the picture of an announcement, and checks every step; a failure makes a dead letter.

The consumer reads frames with it, and so does the check whether a dead letter's cause is fixed.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode

from frametally import keys
from frametally.errors import Poison
from frametally.files.opencv import Pixels, decode_pixels, jpeg_size_px, reduced_px, reduction_for
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.records import Cause, FrameAnnouncement, Stage, decode

_CHANNELS = 3
_MOST_SIDE_PX = 65_535  # JPEG's limit (ITU-T T.81, B.2.2)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MEDIA = re.compile(r"[0-9a-f]{64}(\.[1-9]\d{0,8})?")  # see `keys.media_id`


class BadFrame(Poison):
    """A message that cannot be analysed: the stage, the cause as a word, and the reason as a sentence."""

    def __init__(self, stage: Stage, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.stage: Stage = stage
        self.cause: Cause = cause


def parse_announcement(message: bytes) -> FrameAnnouncement:
    """Decode the announcement in a message.

    Raises:
        BadFrame: It is not an announcement, or it contradicts itself.
    """
    try:
        frame = decode(message, FrameAnnouncement)
        keys.check_image_key(frame.image_path)
    except Poison as error:
        raise BadFrame("parse", "malformed", str(error)) from error
    problem = _contradiction(frame)
    if problem:
        raise BadFrame("parse", "malformed", f"not a valid FrameAnnouncement: {problem}")
    return frame


def _contradiction(frame: FrameAnnouncement) -> str | None:
    """Return what is impossible in an announcement with valid types, or None."""
    path = frame.image_path
    medium = path.rpartition("/")[2].split("-")[-2]
    try:
        expected = keys.image_key(frame.source, frame.captured_at_ms, medium, frame.frame_index)
    except (ValueError, OverflowError, OSError):  # a time outside the calendar
        expected = ""
    if path != expected:
        return f"image_path {path} does not match its source, captured_at_ms and frame_index"
    if not (0 < frame.width_px <= _MOST_SIDE_PX and 0 < frame.height_px <= _MOST_SIDE_PX):
        return f"a JPEG cannot have {frame.width_px}x{frame.height_px} pixels"
    if not 0 < frame.bytes < 1 << 40:
        return f"a JPEG cannot have {frame.bytes} bytes"
    if not _SHA256.fullmatch(frame.sha256):
        return "sha256 is not a SHA-256 in hex"
    if not _MEDIA.fullmatch(frame.media):
        return "media is not a SHA-256 in hex, with or without a revision"
    return None


def picture_digest(sha256: str) -> str:
    """Return the first 24 bits of a picture's SHA-256, given in hex, as four characters of base64."""
    return b64encode(bytes.fromhex(sha256[:6])).decode()


def decoded_bytes(
    frame: FrameAnnouncement, *, max_pixels: int, least_px: tuple[int, int] | None = None
) -> int:
    """Return the most bytes that `decode_frame` holds for this frame: its JPEG plus its pixels."""
    width_px, height_px = _decoded_px(frame.width_px, frame.height_px, least_px)
    return min(width_px * height_px, max_pixels) * _CHANNELS + frame.bytes


def _decoded_px(width_px: int, height_px: int, least_px: tuple[int, int] | None) -> tuple[int, int]:
    reduction = reduction_for(width_px, height_px, least_px)
    return reduced_px(width_px, reduction), reduced_px(height_px, reduction)


def read_frame(
    store: ObjectStore, frame: FrameAnnouncement, *, max_pixels: int, least_px: tuple[int, int] | None = None
) -> Pixels:
    """Return the pixels of an announced frame. Raises as `read_picture` and `decode_frame`."""
    return decode_frame(frame, read_picture(store, frame), max_pixels=max_pixels, least_px=least_px)


def read_picture(store: ObjectStore, frame: FrameAnnouncement) -> bytes:
    """Return the stored JPEG of an announced frame.

    Raises:
        BadFrame: There is no such picture.
        Retryable: The store is unavailable.
    """
    path = frame.image_path
    try:
        data = store.get(path)
    except ObjectMissing as error:
        raise BadFrame("fetch", "missing", str(error)) from error
    if hashlib.sha256(data).hexdigest() != frame.sha256:
        raise BadFrame(
            "verify", "checksum", f"{path} differs from the announced picture: its sha256 is different"
        )
    return data


def decode_frame(
    frame: FrameAnnouncement, data: bytes, *, max_pixels: int, least_px: tuple[int, int] | None = None
) -> Pixels:
    """Return the pixels of an announced frame's JPEG.

    Args:
        frame: The announcement.
        data: The JPEG's bytes.
        max_pixels: Width times height above which a picture is rejected by its header, before decoding.
        least_px: Sufficient width and height: the picture may be decoded at a half, a quarter or an eighth of
            its sides as long as both stay at least this large. None means full size.

    Returns:
        Shape `(frame.height_px, frame.width_px, 3)`, or that reduced and rounded up, dtype uint8, channels
        blue, green, red.

    Raises:
        BadFrame: It is not the announced picture, has too many pixels, or cannot be decoded.
    """
    path = frame.image_path
    try:
        width_px, height_px = jpeg_size_px(data)
        if width_px * height_px > max_pixels:
            raise BadFrame(
                "decode",
                "oversized",
                f"{path} has {width_px}x{height_px} pixels according to its header; at most {max_pixels} "
                "are allowed (FRAMETALLY_MAX_IMAGE_MEGAPIXELS)",
            )
        if (width_px, height_px) != (frame.width_px, frame.height_px):
            raise _other_size(frame, width_px, height_px)
        image = decode_pixels(data, reduction_for(width_px, height_px, least_px))
    except BadFrame:
        raise
    except Poison as error:
        raise BadFrame("decode", "undecodable", f"{path}: {error}") from error
    if image.shape[1::-1] != _decoded_px(frame.width_px, frame.height_px, least_px):
        raise _other_size(frame, image.shape[1], image.shape[0])
    return image


def _other_size(frame: FrameAnnouncement, width_px: int, height_px: int) -> BadFrame:
    return BadFrame(
        "verify",
        "size",
        f"{frame.image_path} is {width_px}x{height_px}, but was announced as "
        f"{frame.width_px}x{frame.height_px}",
    )
