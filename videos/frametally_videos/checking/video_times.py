"""What is found of a video without its pictures: frames left out, its length, an impossible clock."""

from __future__ import annotations

import datetime
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from frametally.records import TimeSource
from frametally.rules.times import DAY_MS, EPOCH, HOUR_S, MILLISECOND
from frametally_producer.reading.video_file import Video
from frametally_videos.describing.packets import PacketCounts, Ticks, count_packets

_GAP = 1.8
"""Steps of so many usual ones have left a frame out; what varies less is a variable rate."""
_MOST_REORDERED = 16
"""Frames at the end that are not asked: of a file that was cut those are missing that come later in it."""
_MOST_SPANS = 100
CLOCK_AHEAD_S = float(HOUR_S)
"""By how much a camera's clock may be ahead of the server's."""
_RESET_DAYS = [
    (datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) - EPOCH) // MILLISECOND
    for year in (1904, 1970, 1980, 2000)
]
"""Where clocks begin that were never set: QuickTime's, Unix's, FAT's, and those of many cameras."""

_CLOCKS: tuple[TimeSource, ...] = ("exif", "container", "file_time")


class Gaps(NamedTuple):
    """Where frames were left out.

    Attributes:
        missing: How many frames there could be more.
        spans_s: Between which frames, seconds after the first; the longest hundred, in their order.
    """

    missing: int
    spans_s: list[tuple[float, float]]


def gaps(ticks: Ticks, tick_s: Fraction) -> Gaps:
    """Return where frames were left out of a stream, by its frames' times in their order."""
    steps = np.diff(ticks)
    usual = float(np.median(steps)) if len(steps) else 0.0
    steps = steps[: len(steps) - _MOST_REORDERED]
    at = np.flatnonzero(steps >= _GAP * usual)
    missing = int(np.rint(steps[at] / usual).sum()) - len(at)
    longest = np.sort(at[np.argsort(-steps[at], kind="stable")][:_MOST_SPANS])
    first = int(ticks[0])
    spans_s = [
        (
            round(float((int(ticks[one]) - first) * tick_s), 3),
            round(float((int(ticks[one + 1]) - first) * tick_s), 3),
        )
        for one in longest
    ]
    return Gaps(missing, spans_s)


def clock_fault(
    started_at_ms: int | None, time_source: TimeSource | None, duration_s: float, uploaded_at_ms: int
) -> tuple[float | None, str | None]:
    """Return by how many seconds a video ends after it was uploaded, and what is wrong with its event time.

    Both may be None. What a person says, or a file's name, is believed, but for times to come.
    """
    if started_at_ms is None:
        return None, "Nothing tells when it was filmed."
    ahead_s = (started_at_ms - uploaded_at_ms) / 1000 + duration_s
    if ahead_s > CLOCK_AHEAD_S:
        return ahead_s, f"It says that it ended {ahead_s / HOUR_S:.1f} h after it was uploaded."
    if time_source in _CLOCKS and any(0 <= started_at_ms - day < DAY_MS for day in _RESET_DAYS):
        year = (EPOCH + started_at_ms * MILLISECOND).year
        return (
            ahead_s,
            f"It says that it was filmed on the first day of {year}, as a clock does that was never set.",
        )
    return ahead_s, None


class FoundTimes(NamedTuple):
    """What the packets of a video tell, and what it states.

    Attributes:
        length_s: Of its pictures; None where nothing tells it.
        stated_s: What it states; None where it states nothing.
        fps: Frames a second, on average; None where nothing tells it.
        frames: How many it has.
        gaps: Where frames were left out; None where its times jump.
    """

    length_s: float | None
    stated_s: float | None
    fps: float | None
    frames: int
    gaps: Gaps | None


def found_times(video: Video) -> FoundTimes:
    """Read an open video's packets; return what the checks of times compare."""
    stream = video.stream
    counts = count_packets(video.container, [stream])[stream.index]
    return times_of(counts, stream.time_base, video.duration_s)


def times_of(counts: PacketCounts, tick_s: Fraction | None, stated_s: Fraction | None) -> FoundTimes:
    """Return what the checks of times compare.

    Args:
        counts: Of its pictures' packets.
        tick_s: Seconds of their tick.
        stated_s: The length that it states.
    """
    stated = None if stated_s is None else float(stated_s)
    if counts.timing is None or tick_s is None:
        return FoundTimes(stated, stated, counts.frames / stated if stated else None, counts.frames, None)
    ticks, end = counts.timing
    length_s = float((end - int(ticks[0])) * tick_s)
    fps = counts.frames / length_s if length_s else None
    return FoundTimes(length_s, stated, fps, counts.frames, gaps(ticks, tick_s))
