"""When there was footage, by its frames: one rule for the job and for charts by the second.

A frame covers the time up to the next one of its source; where that is over 3 s away, one mean step of its
UTC hour (with a minute around it), and nothing if there are single pictures only. Each interval with frames
has its own part of that, so that intervals add up. Standard library only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from frametally.rules.times import HOUR_MS

_MOST_FPS = 12_000
"""In hundredths: with more frames a second it is not footage, but pictures of nearly one time."""


class FilmedTime(NamedTuple):
    """When there was footage, as far as the frames tell.

    Attributes:
        fps: The rate at which it was analysed while there was some, in hundredths of a frame a second.
        stretches: Times of the first and the last frame of each stretch without a gap, by time.
        step_ms: How long the last frame of a stretch covers.
    """

    fps: int
    stretches: list[tuple[int, int]]
    step_ms: int = 0

    def covered_ms(self, hour_start_ms: int, interval_ms: int) -> Counter[int]:
        """Return by start of the interval how much of it, within the hour, there was footage of."""
        covered: Counter[int] = Counter()
        for first_ms, last_ms in self.stretches:
            at_ms, to_ms = max(first_ms, hour_start_ms), min(last_ms + self.step_ms, hour_start_ms + HOUR_MS)
            while at_ms < to_ms:
                start_ms = at_ms // interval_ms * interval_ms
                next_ms = min(start_ms + interval_ms, to_ms)
                covered[start_ms] += next_ms - at_ms
                at_ms = next_ms
        return covered


def blank_ms(
    times_ms: Sequence[int],
    reasons: Sequence[str | None],
    filmed: FilmedTime,
    gap_ms: int,
    hour_start_ms: int,
    interval_ms: int,
) -> Counter[tuple[int, str]]:
    """Return by interval and reason how much of the hour's `covered_ms` is of frames that show nothing.

    `times_ms` and `reasons` are of the frames that `filmed` was made of.
    """
    spans: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, reason in enumerate(reasons if filmed.stretches else ()):
        if reason:
            at_ms, next_ms = times_ms[number], times_ms[min(number + 1, len(times_ms) - 1)]
            is_last = number + 1 == len(times_ms) or next_ms - at_ms > gap_ms
            spans[reason].append((at_ms, at_ms + filmed.step_ms if is_last else next_ms))
    return Counter(
        {
            (start_ms, reason): of_interval
            for reason, of_reason in spans.items()
            for start_ms, of_interval in FilmedTime(0, of_reason)
            .covered_ms(hour_start_ms, interval_ms)
            .items()
        }
    )


def filmed_time(times_ms: Sequence[int], gap_ms: int) -> FilmedTime:
    """Return what footage frames are of.

    The rate is the mean over the steps from one time to the next: a sampler takes frames off a grid, so its
    single steps jitter by a frame of the video, and their mean does not. Steps longer than `gap_ms` (no track
    outlives them) are gaps in the footage and no steps; so single pictures, minutes apart, give 0, and so
    do more than 120 a second. A stretch goes on for one mean step, to the millisecond, after its last frame.
    """
    steps = total_ms = 0
    begins, ends = list(times_ms[:1]), []
    for earlier, later in pairwise(times_ms):
        if later - earlier > gap_ms:
            ends.append(earlier)
            begins.append(later)
        elif later > earlier:
            steps += 1
            total_ms += later - earlier
    ends += times_ms[-1:]
    if not total_ms:
        return FilmedTime(0, list(zip(begins, ends, strict=True)))
    step_ms = (2 * total_ms + steps) // (2 * steps)
    fps = (steps * 100_000 + total_ms // 2) // total_ms
    if fps > _MOST_FPS:
        return FilmedTime(0, [])
    return FilmedTime(fps, list(zip(begins, ends, strict=True)), step_ms)
