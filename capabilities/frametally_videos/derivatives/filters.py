"""Filters a video's pictures: FFmpeg's filters, with numeric arguments only, and OpenCV's local contrast.

The order: deinterlace, rotate upright, drop or repeat frames for the target rate, and convert to the target
size, 8 bits and BT.709; then denoise, change luminance and colours, sharpen, and raise local contrast.

Luminance changes as documented for FFmpeg's filter `eq` (contrast, then brightness, then gamma), which PyAV's
wheels lack. With y from 0 (black, code 16) to 1 (white, code 235):

    y' = clip(contrast * (y - 1/2) + 1/2 + brightness, 0, 1) ** (1 / gamma)

and with c the distance of a colour difference from grey (code 128): c' = saturation * c, clipped to codes 16
to 240. FFmpeg's scaler maps pictures beyond BT.709 (HDR10, HLG, BT.2020) by its perceptual intent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

import av
import msgspec
import numpy as np
from av.filter import Graph
from av.video.reformatter import VideoReformatter

from frametally.errors import Poison
from frametally.files.opencv import Pixels, cv2
from frametally_producer.reading.pixels import encode_jpeg
from frametally_producer.reading.video_file import Video, orientation_of, shown_size_px
from frametally_videos.media_records import Enhancement

TIME_BASE = Fraction(1, 60_000)
"""Of the output: a frame lasts whole ticks at 24, 25, 30, 50, 60 and 120 frames a second, and at 1000/1001 of
30 and 60. MPEG-4 part 2 allows nothing finer than 1/65535."""

MOST_SIDE_PX = 1920
"""The longest side of versions for browsers, in pixels."""

Parity = Literal["tff", "bff", "auto"]
"""The first field of an interlaced picture: the upper, the lower, or as each frame states."""

FORMAT = "yuv420p"
BT709, LIMITED_RANGE = 1, 1
_UNKNOWN, _BT601 = 2, 6
_BT2020, _PQ, _HLG = 9, 16, 18
_FULL_RANGE = 2
_LEAST_HD_ROWS = 720
"""Pictures with fewer rows and no stated colour matrix count as BT.601, as in players."""
_BLACK, _WHITE = 16, 235
_UPRIGHT: dict[int, tuple[tuple[str, str], ...]] = {
    2: (("hflip", ""),),
    3: (("hflip", ""), ("vflip", "")),
    4: (("vflip", ""),),
    5: (("transpose", "dir=cclock_flip"),),
    6: (("transpose", "dir=clock"),),
    7: (("transpose", "dir=clock_flip"),),
    8: (("transpose", "dir=cclock"),),
}
"""FFmpeg filters by EXIF orientation; see `reading.pixels`."""
_STRONGEST_DENOISE = 0.15
"""At full strength, luminance differences below this part of the range are noise."""
_STRONGEST_SHARPEN = 1.5
_CLIP_LIMIT, _TILES = 3.0, 8
_LEAST_PX = 2
_MOST_DECODED = 300
"""Frames: ten seconds between two key frames at 30 frames a second."""
_JPEG_QUALITY = 90
_PARTS_OF_SECOND = 1_000_000
"""Parts of a second: finer than the positions that players report."""
# Input and output of CLAHE have the full range.
_STRETCHED = np.clip(np.rint((np.arange(256) - _BLACK) * 255 / (_WHITE - _BLACK)), 0, 255).astype(np.uint8)
_BACK = np.rint(_BLACK + np.arange(256) * (_WHITE - _BLACK) / 255).astype(np.uint8)


class Wanted(NamedTuple):
    """The target form of pictures.

    Attributes:
        width_px: Even.
        height_px: Even.
        enhancement: The changes; `parity` replaces its `deinterlace`.
        parity: Of interlaced pictures to deinterlace, or None to deinterlace none.
    """

    width_px: int
    height_px: int
    enhancement: Enhancement
    parity: Parity | None = None


@dataclass
class PictureFilter:
    """Filters the frames of one video in order; some are held until later ones arrive."""

    wanted: Wanted

    def __post_init__(self) -> None:
        """Start without a filter graph; the first frame creates it."""
        self._graph: Graph | None = None
        self._shape: tuple[object, ...] = ()
        strength = self.wanted.enhancement.local_contrast
        self._local_contrast = _LocalContrast(strength) if strength else None

    def feed(self, frame: av.VideoFrame, *, ticks: int, duration_ticks: int) -> Iterator[av.VideoFrame]:
        """Yield the pictures that are ready after `frame`: BT.709, 4:2:0, 8 bits, with times in `TIME_BASE`.

        The frames' size and format may change.
        """
        if frame.colorspace == _UNKNOWN:
            frame.colorspace = BT709 if frame.height >= _LEAST_HD_ROWS else _BT601
        shape = _shape_of(frame)
        if shape != self._shape:
            yield from self.finish()
            self._graph, self._shape = _graph_for(frame, self.wanted), shape
        assert self._graph  # noqa: S101 - for the type checker
        frame.pts, frame.duration, frame.time_base = ticks, duration_ticks, TIME_BASE
        self._graph.vpush(frame)
        yield from self._ready()

    def finish(self) -> Iterator[av.VideoFrame]:
        """Yield the frames that the filter still holds."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready()
            self._graph, self._shape = None, ()

    def _ready(self) -> Iterator[av.VideoFrame]:
        assert self._graph  # noqa: S101 - for the type checker
        while True:
            try:
                frame = self._graph.vpull()
            except (BlockingIOError, EOFError):
                return
            if frame.pts is not None and frame.time_base is not None:
                frame.pts, frame.time_base = round(frame.pts * frame.time_base / TIME_BASE), TIME_BASE
            if self._local_contrast is not None:
                self._local_contrast.raise_in(frame)
            yield frame


class _LocalContrast:
    """Contrast-limited adaptive histogram equalization of luminance (Zuiderveld, Graphics Gems IV, 1994)."""

    def __init__(self, strength: float) -> None:
        self._strength = strength
        self._clahe = cv2.createCLAHE(_CLIP_LIMIT, (_TILES, _TILES))

    def raise_in(self, frame: av.VideoFrame) -> None:
        frame.make_writable()
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
            : plane.height, : plane.width
        ]
        before: Pixels = np.ascontiguousarray(rows)
        equal = cv2.LUT(self._clahe.apply(cv2.LUT(before, _STRETCHED)), _BACK)
        rows[:] = cv2.addWeighted(before, 1 - self._strength, equal, self._strength, 0)


def parity_of(frames: Iterator[av.VideoFrame]) -> Parity | None:
    """Return how frames are interlaced, or None if they are not.

    FFmpeg's `idet` looks at the pictures; if it cannot decide, as nothing moves, the frames' flags count.
    """
    graph: Graph | None = None
    frame_count = flagged = 0
    shape: tuple[object, ...] = ()
    verdicts: dict[str, str] = {}
    for frame in frames:
        if graph is None:
            shape, graph = _shape_of(frame), _linked(frame, [("idet", "")])
        if _shape_of(frame) != shape:
            break
        frame_count += 1
        flagged += frame.interlaced_frame
        frame.pts, frame.time_base = frame_count, TIME_BASE
        graph.vpush(frame)
        verdicts = _verdicts(graph) or verdicts
    if graph is None:
        return None
    graph.vpush(None)
    verdicts = _verdicts(graph) or verdicts
    upper, lower, whole = (
        float(verdicts.get(f"lavfi.idet.multiple.{verdict}", 0)) for verdict in ("tff", "bff", "progressive")
    )
    if not upper + lower + whole:
        return "auto" if 2 * flagged > frame_count else None
    if upper + lower <= whole:
        return None
    return "tff" if upper >= lower else "bff"


def _verdicts(graph: Graph) -> dict[str, str]:
    verdicts: dict[str, str] = {}
    while True:
        try:
            verdicts = graph.vpull().metadata
        except (BlockingIOError, EOFError):
            return verdicts


def _graph_for(frame: av.VideoFrame, plan: Wanted) -> Graph:
    steps: list[tuple[str, str]] = []
    if plan.parity is not None:
        steps.append(("bwdif", f"mode=send_frame:parity={plan.parity}:deint=all"))
    steps += _UPRIGHT.get(orientation_of(frame), ())
    if plan.enhancement.fps is not None:
        steps.append(("fps", f"fps={plan.enhancement.fps:.6f}"))
    steps += _conversion(frame, plan, turned=bool(steps))
    return _linked(frame, [*steps, *_enhancing(plan.enhancement)])


def _conversion(frame: av.VideoFrame, plan: Wanted, *, turned: bool) -> list[tuple[str, str]]:
    """Return the steps that convert a picture to its size, 8 bits and BT.709; none if it already matches."""
    beyond = frame.color_trc in (_PQ, _HLG) or frame.color_primaries == _BT2020
    is_so = frame.format.name == FORMAT and frame.colorspace == BT709 and frame.color_range != _FULL_RANGE
    size_px = (frame.width, frame.height)
    if is_so and not beyond and not turned and size_px == (plan.width_px, plan.height_px):
        return []
    scale = f"w={plan.width_px}:h={plan.height_px}:out_color_matrix=bt709:out_range=tv"
    if beyond:
        scale += ":out_primaries=bt709:out_transfer=bt709:intent=perceptual"
    return [("scale", scale), ("format", f"pix_fmts={FORMAT}")]


def _enhancing(enhancement: Enhancement) -> list[tuple[str, str]]:
    steps: list[tuple[str, str]] = []
    if enhancement.denoise:
        steps.append(
            ("bilateral", f"sigmaS=2:sigmaR={_STRONGEST_DENOISE * enhancement.denoise:.9f}:planes=7")
        )
    if (enhancement.brightness, enhancement.contrast, enhancement.gamma, enhancement.saturation) != (
        0.0,
        1.0,
        1.0,
        1.0,
    ):
        span = _WHITE - _BLACK
        linear = f"{enhancement.contrast:.9f}*((val-{_BLACK})/{span}-0.5)+0.5+({enhancement.brightness:.9f})"
        luminance = f"{_BLACK}.5+{span}*pow(clip({linear},0,1),{1 / enhancement.gamma:.9f})"
        colour = f"clip(128.5+{enhancement.saturation:.9f}*(val-128),16,240)"
        steps.append(("lutyuv", f"y='{luminance}':u='{colour}':v='{colour}'"))
    if enhancement.sharpen:
        steps.append(("unsharp", f"lx=5:ly=5:la={_STRONGEST_SHARPEN * enhancement.sharpen:.9f}:ca=0"))
    return steps


def _linked(frame: av.VideoFrame, steps: list[tuple[str, str]]) -> Graph:
    graph = Graph()
    nodes = [
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=TIME_BASE)
    ]
    nodes += [graph.add(name, arguments) for name, arguments in steps]
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph


def _shape_of(frame: av.VideoFrame) -> tuple[object, ...]:
    return (
        *(frame.width, frame.height, frame.format.name, orientation_of(frame)),
        *(frame.colorspace, frame.color_range, frame.color_trc, frame.color_primaries),
    )


def derivative_size_px(first: av.VideoFrame, most_side_px: int) -> tuple[int, int]:
    """Return the upright width and height: even, as 4:2:0 requires, and no larger than the original's.

    Only a side of one pixel becomes two. Proportions stay the same to a pixel.
    """
    sides_px = shown_size_px(first)
    longest_px = max(sides_px)
    parts = min(most_side_px, longest_px)
    width_px, height_px = (max(_LEAST_PX, side * parts // longest_px // 2 * 2) for side in sides_px)
    return width_px, height_px


def frame_jpeg(video: Video, position_s: float, enhancement: Enhancement) -> bytes:
    """Return the frame that is shown at a position as a JPEG; see `video_looks.frame_picture`.

    Raises:
        Poison: No frame can be decoded.
    """
    if video.duration_s is not None:
        position_s = min(position_s, float(video.duration_s))
    # A browser's binary 3.9 s may be slightly less, but does not mean the previous frame.
    place_s = Fraction(round(position_s * _PARTS_OF_SECOND), _PARTS_OF_SECOND)
    frame = next(video.glimpses([place_s], most_decoded=_MOST_DECODED))
    if frame is None:
        frame = next(video.glimpses([Fraction(0)], most_decoded=_MOST_DECODED))
    if frame is None:
        raise Poison("has no picture at that time; play it to check, or export it again")
    return encode_jpeg(_pixels(_filtered(frame, enhancement, MOST_SIDE_PX)), _JPEG_QUALITY)


def _filtered(frame: av.VideoFrame, enhancement: Enhancement, most_side_px: int) -> av.VideoFrame:
    deinterlace = enhancement.deinterlace
    interlaced = deinterlace == "on" or (deinterlace == "auto" and frame.interlaced_frame)
    width_px, height_px = derivative_size_px(frame, most_side_px)
    single = msgspec.structs.replace(enhancement, fps=None)
    plan = Wanted(width_px, height_px, single, "auto" if interlaced else None)
    chain = PictureFilter(plan)
    return [*chain.feed(frame, ticks=0, duration_ticks=0), *chain.finish()][0]


def _pixels(frame: av.VideoFrame) -> Pixels:
    bgr = VideoReformatter().reformat(frame, format="bgr24").to_ndarray()
    return np.asarray(bgr, np.uint8)
