"""One frame, filtered as all of a derivative's are."""

from __future__ import annotations

from fractions import Fraction

import av
import msgspec
import numpy as np
from av.video.reformatter import VideoReformatter

from frametally.errors import Poison
from frametally.files.opencv import Pixels
from frametally_producer.reading.pixels import encode_jpeg
from frametally_producer.reading.video_file import Video
from frametally_videos.derivatives.filters import PictureFilter, Wanted
from frametally_videos.derivatives.picture_size import derivative_size_px
from frametally_videos.media_records import Enhancement

_MOST_DECODED = 300
"""Frames: ten seconds between two that stand by themselves, at 30 a second."""
_JPEG_QUALITY = 90
_PARTS = 1_000_000
"""Of a second: finer than players tell a position."""


def frame_jpeg(video: Video, position_s: float, enhancement: Enhancement, *, most_side_px: int) -> bytes:
    """Return the frame that is shown at a position as a JPEG; see `frametally_videos.library.frame_preview`.

    Raises:
        Poison: None can be decoded.
    """
    if video.duration_s is not None:
        position_s = min(position_s, float(video.duration_s))
    # Of what a browser tells in binary digits: 3.9 s is not the frame before.
    place_s = Fraction(round(position_s * _PARTS), _PARTS)
    frame = next(video.glimpses([place_s], most_decoded=_MOST_DECODED))
    if frame is None:
        frame = next(video.glimpses([Fraction(0)], most_decoded=_MOST_DECODED))
    if frame is None:
        raise Poison("gives no picture there; play it to see, or export it again")
    return encode_jpeg(_pixels(_filtered(frame, enhancement, most_side_px)), _JPEG_QUALITY)


def _filtered(frame: av.VideoFrame, enhancement: Enhancement, most_side_px: int) -> av.VideoFrame:
    asked = enhancement.deinterlace
    interlaced = asked == "on" or (asked == "auto" and frame.interlaced_frame)
    width_px, height_px = derivative_size_px(frame, most_side_px)
    single = msgspec.structs.replace(enhancement, fps=None)
    wanted = Wanted(width_px, height_px, single, "auto" if interlaced else None)
    chain = PictureFilter(wanted)
    return [*chain.feed(frame, ticks=0, duration_ticks=0), *chain.finish()][0]


def _pixels(frame: av.VideoFrame) -> Pixels:
    bgr = VideoReformatter().reformat(frame, format="bgr24").to_ndarray()
    return np.asarray(bgr, np.uint8)
