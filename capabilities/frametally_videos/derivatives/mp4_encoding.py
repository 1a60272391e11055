"""Writes an MP4 file: chooses an encoder that works here, and limits the file's size."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, cast

import av
from av.codec.codec import UnknownCodecError
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext

from frametally.errors import Misconfigured, Poison
from frametally_videos.derivatives.filters import BT709, FORMAT, LIMITED_RANGE, TIME_BASE

_GOP_S, _MOST_GOP_FRAMES = 2, 250
"""The most that a seek has to decode."""
_BITS_PER_PIXEL = 0.1
_MPEG4_STEPS_PER_CRF = 6
"""Six more steps halve x264's bits, and double MPEG-4's quantizer (2 to 31)."""


class Coding(NamedTuple):
    """The settings for encoding pictures.

    Attributes:
        width_px: Even.
        height_px: Even.
        sample_aspect_ratio: Width to height of a pixel, or None if unknown.
        crf: Quality on x264's scale; 0 is the best.
    """

    width_px: int
    height_px: int
    fps: Fraction
    sample_aspect_ratio: Fraction | None
    crf: int
    preset: str

    def set_up(self, context: VideoCodecContext) -> None:
        """Set up an encoder that is not open yet."""
        context.width, context.height, context.pix_fmt = self.width_px, self.height_px, FORMAT
        context.time_base, context.framerate = TIME_BASE, self.fps
        # FFmpeg's default; with PyAV's, x264 splits each picture into slices, which take more bytes.
        context.thread_type = "AUTO"
        context.gop_size = min(max(round(_GOP_S * self.fps), 1), _MOST_GOP_FRAMES)
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED_RANGE
        if self.sample_aspect_ratio:
            context.sample_aspect_ratio = self.sample_aspect_ratio
        options = self._options(context.name)
        if not options:
            context.bit_rate = max(round(self.width_px * self.height_px * self.fps * _BITS_PER_PIXEL), 10_000)
        context.options = options

    def _options(self, encoder: str) -> dict[str, str]:
        if encoder in ("libx264", "libx265"):
            return {"crf": str(self.crf), "preset": self.preset}
        if encoder.endswith("_nvenc"):
            return {"rc": "vbr", "cq": str(self.crf)}
        if encoder.endswith("_qsv"):
            return {"global_quality": str(self.crf)}
        if encoder == "mpeg4":
            quantizer = str(min(max(round(2 ** (self.crf / _MPEG4_STEPS_PER_CRF - 2)), 2), 31))
            return {"qmin": quantizer, "qmax": quantizer}
        return {}


class Chosen(NamedTuple):
    """The encoder that works, and one sentence for each one tried before it."""

    name: str
    tried: list[str]


def choose_encoder(names: Sequence[str], coding: Coding) -> Chosen:
    """Return the first encoder of `names` that can encode a frame with these settings.

    Raises:
        Misconfigured: No encoder can.
    """
    attempts: list[str] = []
    for name in names:
        why_not = _why_not(name, coding)
        if why_not is None:
            return Chosen(name, attempts)
        attempts.append(f"{name} cannot be used: {why_not}.")
    raise Misconfigured(
        f"no encoder in FRAMETALLY_VIDEO_ENCODERS works here ({' '.join(attempts)}): add libx264 to it"
    )


def _why_not(name: str, coding: Coding) -> str | None:
    try:
        context = av.CodecContext.create(name, "w")
    except UnknownCodecError:
        return "FFmpeg has no encoder with that name"
    if context.type != "video":
        return "it does not encode video"
    try:
        coding.set_up(cast("VideoCodecContext", context))
        black = av.VideoFrame(coding.width_px, coding.height_px, FORMAT)
        for plane, value in zip(black.planes, (16, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        black.pts, black.time_base = 0, TIME_BASE
        encoder = cast("VideoCodecContext", context)
        if [*encoder.encode(black), *encoder.encode(None)]:
            return None
    except (av.FFmpegError, ValueError, OSError) as error:
        return str(getattr(error, "strerror", None) or error).partition("\n")[0][:200]
    return "it produces no output"


_LOOK_EVERY_PACKETS = 100
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@dataclass
class Mp4File:
    """An MP4 file being written, with its tracks."""

    container: OutputContainer
    path: Path
    _: KW_ONLY
    most_bytes: int

    def __post_init__(self) -> None:
        """Start counting the file's packets."""
        self._packets = 0

    def put(self, packets: Iterable[av.Packet[Any]]) -> None:
        """Write packets of its tracks.

        Raises:
            Poison: The file becomes larger than allowed.
            OSError: The disk failed, or FFmpeg refused a packet.
        """
        for packet in packets:
            self.container.mux(packet)
            self._packets += 1
            if not self._packets % _LOOK_EVERY_PACKETS:
                self.check_size()

    def check_size(self) -> None:
        """Raise `Poison` if the file is larger than allowed."""
        if self.path.stat().st_size > self.most_bytes:
            raise Poison(
                f"would exceed its limit of {self.most_bytes / 1e6:.0f} MB (3 times the original, at most "
                "20 GB): shorten it, or upload it as H.264"
            )


@contextmanager
def open_mp4(path: Path, *, most_bytes: int) -> Iterator[Mp4File]:
    """Open a new file, complete at the end of the block.

    Raises:
        Poison: The file becomes larger than allowed.
        Misconfigured: The file cannot be written.
    """
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            file = Mp4File(container, path, most_bytes=most_bytes)
            yield file
        file.check_size()
    except OSError as error:  # or an error of FFmpeg
        if error.errno in _NO_ROOM:
            reason = "no space is left there: free some space"
        elif error.errno == errno.EFBIG:
            reason = "it would exceed the size limit for a job's files"
        else:
            reason = str(error.strerror or error).partition("\n")[0][:200]
        raise Misconfigured(f"frametally could not write a video to {path.parent}: {reason}") from error
