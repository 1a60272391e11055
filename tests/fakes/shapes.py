"""Small generated videos of many codecs and shapes: a grey that grows, a red upper left quarter."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple, cast

import av
import numpy as np
from tests.fakes.av1 import usual_turns

FPS, RATE_HZ = 25, 44_100
_TIME_BASE = Fraction(1, 1000)


class Shape(NamedTuple):
    """How a video is made.

    Attributes:
        name: Name of its file.
        codec: FFmpeg's encoder of its pictures.
        pix_fmt: Format of the pictures.
        sound: Encoder of its sound; None for no sound.
        sounds: Number of its tracks.
        size_px: Width and height, as stored.
        rotation: As `set_display_rotation` takes it.
        times_ms: Of its frames; None: `seconds` at `FPS`.
        interlaced: Whether each field shows another time.
        options: Of the encoder.
        hdr: Whether it says that it is of HDR10.
    """

    name: str
    codec: str
    pix_fmt: str = "yuv420p"
    sound: str | None = None
    sounds: int = 1
    size_px: tuple[int, int] = (128, 96)
    rotation: int | None = None
    times_ms: Sequence[int] | None = None
    interlaced: bool = False
    options: dict[str, str] | None = None
    hdr: bool = False
    seconds: float = 2.0

    @property
    def shown_ms(self) -> Sequence[int]:
        """When each frame is shown."""
        if self.times_ms is not None:
            return self.times_ms
        return [1000 * index // FPS for index in range(round(self.seconds * FPS))]


_QUIET = {"x265-params": "log-level=none"}
SHAPES = {
    "hevc": Shape("a.mp4", "libx265", sound="aac", options=_QUIET),
    "vp9": Shape("a.mkv", "libvpx-vp9", sound="libopus", options={"cpu-used": "8"}),
    "av1": Shape("a.mkv", "libsvtav1", options={"preset": "12"}),
    "mpeg4 in avi": Shape("a.avi", "mpeg4", sound="libmp3lame"),
    "mjpeg": Shape("a.avi", "mjpeg", "yuvj422p", sound="pcm_s16le"),
    "mpeg2 stream": Shape("a.ts", "mpeg2video", sound="mp2"),
    "h264 stream": Shape("a.ts", "libx264", sound="aac"),
    "10 bit": Shape("a.mp4", "libx264", "yuv420p10le", sound="aac"),
    "interlaced": Shape(
        "a.mkv",
        "mpeg2video",
        interlaced=True,
        size_px=(192, 128),
        options={"flags": "+ildct+ilme", "b": "3M"},
    ),
    "rotated": Shape("a.mov", "libx265", rotation=90, sound="aac", options=_QUIET),
    "variable rate": Shape(
        "a.mkv", "libx265", times_ms=[0, 40, 70, 300, 333, 900, 940, 1500, 1700, 1960], options=_QUIET
    ),
    "no sound": Shape("a.mkv", "libx264"),
    "ac3 sound": Shape("a.mkv", "libx264", sound="ac3"),
    "hdr": Shape("a.mp4", "libx265", "yuv420p10le", hdr=True, options=_QUIET),
    "odd size": Shape("a.mkv", "ffv1", "yuv444p", size_px=(97, 63)),
    "one row": Shape("a.mkv", "ffv1", "yuv444p", size_px=(64, 1)),
    "alpha": Shape("a.mov", "qtrle", "argb"),
    "two sounds": Shape("a.mkv", "libx265", sound="aac", sounds=2, options=_QUIET),
}
COPIED = {"vp9", "av1", "h264 stream", "no sound", "ac3 sound"}
"""Shapes whose pictures browsers play once they are in an MP4."""


def make_shape(path: Path, shape: Shape) -> Path:
    """Write it to `path`, a folder or a file."""
    path = path / shape.name if path.is_dir() else path
    with usual_turns(), av.open(str(path), "w") as container:
        pictures = cast("av.VideoStream", container.add_stream(shape.codec, rate=FPS))
        pictures.width, pictures.height = shape.size_px
        pictures.pix_fmt = shape.pix_fmt
        if shape.codec not in ("mpeg2video", "mpeg4"):
            pictures.codec_context.time_base = _TIME_BASE
        pictures.codec_context.options = dict(shape.options or {})
        if shape.hdr:
            context = pictures.codec_context
            context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 1
        if shape.rotation is not None:
            pictures.set_display_rotation(shape.rotation)
        tracks = []
        for _ in range(shape.sounds if shape.sound else 0):
            rate_hz = RATE_HZ if shape.sound != "libopus" else 48_000
            tracks.append(cast("av.AudioStream", container.add_stream(str(shape.sound), rate=rate_hz)))
        for track in tracks:
            track.codec_context.layout = "stereo"
        sounded = [0] * len(tracks)
        container.start_encoding()
        for index, at_ms in enumerate(shape.shown_ms):
            frame = av.VideoFrame.from_ndarray(painted(index, shape), format="rgb24")
            frame.pts, frame.time_base = at_ms, _TIME_BASE
            if shape.interlaced:
                frame = frame.reformat(format=shape.pix_fmt)
            container.mux(pictures.encode(frame))
            until_s = (at_ms + 1000 / FPS) / 1000
            for number, track in enumerate(tracks):
                packets, sounded[number] = _tone(track, sounded[number], until_s)
                container.mux(packets)
        container.mux(pictures.encode(None))
        for track in tracks:
            container.mux(track.encode(None))
    return path


def painted(index: int, shape: Shape) -> np.ndarray:
    """A picture (height, width, 3) in RGB; in interlaced video a bar moves from field to field."""
    width_px, height_px = shape.size_px
    picture = np.full((height_px, width_px, 3), 60 + 2 * index % 160, np.uint8)
    picture[: height_px // 2, : width_px // 2] = (255, 0, 0)
    if shape.interlaced:
        picture[:] = 60
        for field in (0, 1):
            at_px = (2 * index + field) * 3 % (width_px - 30)
            picture[field::2, at_px : at_px + 24] = 220
    return picture


def _tone(track: av.AudioStream, done: int, until_s: float) -> tuple[list[av.Packet[av.AudioStream]], int]:
    """A tone from one sample up to a time; return it with the next sample."""
    rate_hz = track.codec_context.sample_rate
    packets: list[av.Packet[av.AudioStream]] = []
    while done < until_s * rate_hz:
        samples = np.sin(np.arange(done, done + 1024) * 2 * np.pi * 440 / rate_hz) * 8000
        both = np.repeat(samples.astype(np.int16), 2).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, done, Fraction(1, rate_hz)
        packets += track.encode(frame)
        done += 1024
    return packets, done
