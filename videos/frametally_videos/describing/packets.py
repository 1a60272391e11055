"""What packets tell without being decoded: how many frames, when, how large, which stand by themselves."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

Ticks = NDArray[np.int64]

_NONE = -(2**63)
_MOST_REORDERED = 32
"""Frames by which presentation may differ from the order of decoding; codes allow 16."""
_VP8_SHOWN = 0x10
FIRST_PACKETS = 100


class Timing(NamedTuple):
    """When a stream's frames are shown.

    Attributes:
        ticks: Presentation times in their order, each once, shape (frames,).
        end_ticks: When the last one ends.
    """

    ticks: Ticks
    end_ticks: int


class PacketCounts(NamedTuple):
    """Of one stream of moving pictures.

    Attributes:
        frames: Packets that decode to a frame.
        size_bytes: Of all its packets.
        longest_gop: Most frames from one that stands by itself to the next; None where none does.
        is_reordered: Whether some are decoded before frames that are shown earlier.
        timing: None where the packets do not tell it, or times jump.
        first_frame: The first that decodes; None where none of the first packets does.
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
        self.first_frame: av.VideoFrame | None = None

    def add(self, packet: av.Packet[VideoStream]) -> None:
        size_bytes = packet.size
        if not size_bytes:
            return
        self.size_bytes += size_bytes
        self.packets += 1
        if self.first_frame is None and self.packets <= FIRST_PACKETS:
            self._decode(packet)
        if packet.is_discard or (self.is_vp8 and not memoryview(packet)[0] & _VP8_SHOWN):
            return
        if packet.is_keyframe:
            self.longest_gop = max(self.longest_gop, self.gop)
            self.gop = 1
        elif self.gop:
            self.gop += 1
        else:  # nothing stands before it that it could be predicted from
            return
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
            # Where only times of decoding are told, the code's word is all there is.
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
    """Read all packets of some streams; return what each stream's tell, by the stream's index.

    What cannot be read ends it: all up to there is told. Of each stream, packets are decoded until there is
    one frame.
    """
    counts = {stream.index: _Count(stream) for stream in streams}
    for packet in _packets(container, streams):
        counts[packet.stream_index].add(packet)
    return {index: count.end(count.stream.average_rate) for index, count in counts.items()}


def _packets(container: av.container.InputContainer, streams: list[VideoStream]) -> Iterator[av.Packet[Any]]:
    try:
        yield from container.demux(streams)
    except (av.FFmpegError, OSError):
        return


def _in_order(ticks: Ticks) -> Ticks | None:
    """Return times in the order of presentation; None unless they only grow, but for reordered frames."""
    if not len(ticks) or (ticks == _NONE).any():
        return None
    order = np.argsort(ticks, kind="stable")
    if np.abs(order - np.arange(len(order))).max() > _MOST_REORDERED:
        return None
    ordered: Ticks = ticks[order]
    return ordered if bool((np.diff(ordered) > 0).all()) else None
