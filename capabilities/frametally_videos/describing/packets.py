"""Reads facts from packets, without decoding them: number, times and sizes of frames, and gaps."""

from __future__ import annotations

import contextlib
import datetime
from array import array
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from frametally.records import TimeSource
from frametally.rules.times import DAY_MS, EPOCH, HOUR_S, MILLISECOND
from frametally_producer.reading.video_file import Video

Ticks = NDArray[np.int64]

_NONE = -(2**63)
_MOST_REORDERED = 32
"""Frames by which presentation order may differ from decoding order; codecs allow 16."""
_VP8_SHOWN = 0x10
FIRST_PACKETS = 100


class Timing(NamedTuple):
    """The times at which a stream's frames are shown.

    Attributes:
        ticks: Presentation times in order, without duplicates, shape (frames,).
        end_ticks: End of the last frame.
    """

    ticks: Ticks
    end_ticks: int


class PacketCounts(NamedTuple):
    """Facts about one video stream from its packets.

    Attributes:
        frames: Number of packets that decode to a shown frame.
        longest_gop: Most frames from one key frame to the next, or None without key frames.
        is_reordered: Whether some frames are decoded before frames that are shown earlier.
        timing: Times of the frames, or None if packets lack them or they jump.
        first_frame: The first frame that can be decoded, or None if none of the first packets can.
    """

    frames: int
    size_bytes: int
    longest_gop: int | None
    is_reordered: bool
    timing: Timing | None
    first_frame: av.VideoFrame | None


class _Count:
    """Counts one stream's packets."""

    def __init__(self, stream: VideoStream) -> None:
        self.stream = stream
        self.is_vp8 = stream.codec_context.name == "vp8"
        self.pts, self.dts = array("q"), array("q")
        self.duration_ticks = self.size_bytes = self.gop = self.longest_gop = self.packets = 0
        self.has_begun = False
        self.first_frame: av.VideoFrame | None = None

    def add(self, packet: av.Packet[VideoStream]) -> None:
        size_bytes = packet.size
        if not size_bytes:
            return
        self.size_bytes += size_bytes
        self.packets += 1
        if self.first_frame is None and self.packets <= FIRST_PACKETS:
            self._decode(packet)
        if packet.is_keyframe:
            self.has_begun = True
            self.longest_gop = max(self.longest_gop, self.gop)
            self.gop = 0
        # An edit list hides pictures that are needed only to decode others.
        is_hidden = packet.is_discard or (self.is_vp8 and not memoryview(packet)[0] & _VP8_SHOWN)
        if is_hidden or not self.has_begun:
            return
        self.gop += 1
        pts, dts = packet.pts, packet.dts
        self.pts.append(_NONE if pts is None else pts)
        self.dts.append(_NONE if dts is None else dts)
        self.duration_ticks = packet.duration or 0

    def end(self, rate: Fraction | None) -> PacketCounts:
        if self.first_frame is None:
            self._decode(None)
        pts, dts = np.array(self.pts, np.int64), np.array(self.dts, np.int64)
        has_pts = len(pts) > 0 and bool((pts != _NONE).all())
        context = self.stream.codec_context
        return PacketCounts(
            frames=len(pts),
            size_bytes=self.size_bytes,
            longest_gop=max(self.longest_gop, self.gop) or None,
            # Decoding times do not show it, so ask the codec.
            is_reordered=bool((pts[1:] < pts[:-1]).any()) if has_pts else context.has_b_frames,
            timing=self._timing(_in_order(pts if has_pts else dts), rate),
            first_frame=self.first_frame,
        )

    def _timing(self, ticks: Ticks | None, rate: Fraction | None) -> Timing | None:
        if ticks is None:
            return None
        tick_s = self.stream.time_base
        last = self.duration_ticks
        if not last and rate and tick_s:
            last = round(1 / (rate * tick_s))
        if not last and len(ticks) > 1:
            last = int(ticks[-1] - ticks[-2])
        return Timing(ticks, int(ticks[-1]) + last)

    def _decode(self, packet: av.Packet[VideoStream] | None) -> None:
        with contextlib.suppress(av.FFmpegError):
            self.first_frame = next(iter(self.stream.decode(packet)), None)


def count_packets(
    container: av.container.InputContainer, streams: list[VideoStream]
) -> dict[int, PacketCounts]:
    """Read all packets of some streams, up to the first unreadable one; return facts by the stream's index.

    Packets of each stream are decoded only until there is one frame.
    """
    counts = {stream.index: _Count(stream) for stream in streams}
    for packet in _packets(container, streams):
        counts[packet.stream.index].add(packet)  # not `stream_index`, which the last, empty packet lacks
    return {index: count.end(count.stream.average_rate) for index, count in counts.items()}


def _packets(container: av.container.InputContainer, streams: list[VideoStream]) -> Iterator[av.Packet[Any]]:
    try:
        yield from container.demux(streams)
    except (av.FFmpegError, OSError):
        return


def _in_order(ticks: Ticks) -> Ticks | None:
    """Return times in presentation order, or None if some are missing, repeated or too far out of order."""
    if not len(ticks) or (ticks == _NONE).any():
        return None
    order = np.argsort(ticks, kind="stable")
    if np.abs(order - np.arange(len(order))).max() > _MOST_REORDERED:
        return None
    ordered: Ticks = ticks[order]
    return ordered if bool((np.diff(ordered) > 0).all()) else None


_GAP = 1.8
"""A step at least this many times as long as usual skips a frame; smaller ones are a variable rate."""
_UNASKED_AT_END = 16
"""Frames to ignore at the end: a truncated file lacks reordered frames that are stored later."""
_MOST_SPANS = 100
CLOCK_AHEAD_S = float(HOUR_S)
"""How far a camera's clock may be ahead of the server's."""
_RESET_DAYS = [
    (datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) - EPOCH) // MILLISECOND
    for year in (1904, 1970, 1980, 2000)
]
"""Days of clocks that were never set: QuickTime's, Unix's, FAT's and many cameras', in ms since 1970."""

_CLOCKS: tuple[TimeSource, ...] = ("exif", "container", "file_time")


class Gaps(NamedTuple):
    """Gaps between frames.

    Attributes:
        missing: Number of missing frames.
        spans_s: Times of the frames around each gap, seconds after the first; the longest hundred, in order.
    """

    missing: int
    spans_s: list[tuple[float, float]]


def gaps(ticks: Ticks, tick_s: Fraction) -> Gaps:
    """Return the gaps in a stream, given its frames' times in order."""
    steps = np.diff(ticks)
    usual = float(np.median(steps)) if len(steps) else 0.0
    steps = steps[: len(steps) - _UNASKED_AT_END]
    places = np.flatnonzero(steps >= _GAP * usual)
    missing = int(np.rint(steps[places] / usual).sum()) - len(places)
    longest = np.sort(places[np.argsort(-steps[places], kind="stable")][:_MOST_SPANS])
    first = int(ticks[0])
    spans_s = [
        (
            round(float((int(ticks[place]) - first) * tick_s), 3),
            round(float((int(ticks[place + 1]) - first) * tick_s), 3),
        )
        for place in longest
    ]
    return Gaps(missing, spans_s)


def clock_fault(
    started_at_ms: int | None, time_source: TimeSource | None, duration_s: float, uploaded_at_ms: int
) -> tuple[float | None, str | None]:
    """Return how many seconds after its upload a video ends, and the problem with its event time.

    Both may be None. Times from a person or a file name are trusted, except in the future.
    """
    if started_at_ms is None:
        return None, "It has no start time."
    ahead_s = (started_at_ms - uploaded_at_ms) / 1000 + duration_s
    if ahead_s > CLOCK_AHEAD_S:
        return ahead_s, f"According to its own time, it ended {ahead_s / HOUR_S:.1f} h after it was uploaded."
    if time_source in _CLOCKS and any(0 <= started_at_ms - day < DAY_MS for day in _RESET_DAYS):
        year = (EPOCH + started_at_ms * MILLISECOND).year
        return (
            ahead_s,
            f"It says that it was filmed on the first day of {year}, as clocks do that were never set.",
        )
    return ahead_s, None


class FoundTimes(NamedTuple):
    """Facts about a video from its packets, and those that it states.

    Attributes:
        length_s: Length of its pictures, or None if unknown.
        gaps: Gaps between its frames, or None if its times are missing or jump.
    """

    length_s: float | None
    stated_s: float | None
    fps: float | None
    frames: int
    gaps: Gaps | None


def found_times(video: Video) -> FoundTimes:
    """Read an open video's packets; return the values for the checks of times."""
    stream = video.stream
    counts = count_packets(video.container, [stream])[stream.index]
    return times_of(counts, stream.time_base, video.duration_s)


def times_of(counts: PacketCounts, tick_s: Fraction | None, stated_s: Fraction | None) -> FoundTimes:
    """Return the values for the checks of times."""
    stated = None if stated_s is None else float(stated_s)
    if counts.timing is None or tick_s is None:
        return FoundTimes(stated, stated, counts.frames / stated if stated else None, counts.frames, None)
    ticks, end = counts.timing
    length_s = float((end - int(ticks[0])) * tick_s)
    fps = counts.frames / length_s if length_s else None
    return FoundTimes(length_s, stated, fps, counts.frames, gaps(ticks, tick_s))
