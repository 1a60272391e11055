"""Derives from frames when there was footage: one rule for the job and for charts by the second.

A frame covers the time up to the next frame of its source. If that is over 3 s away, it covers one mean step
of its UTC hour (with a minute around it), or nothing if there are only single pictures. Each interval gets
its own part of this time, so that intervals add up. Standard library only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from frametally.rules.times import HOUR_MS

_MOST_FPS = 12_000
"""In hundredths of a frame per second; a higher rate means pictures of nearly the same time, not footage."""


class FilmedTime(NamedTuple):
    """When there was footage, as derived from frames.

    Attributes:
        fps: The rate at which the footage was analysed, in hundredths of a frame per second.
        stretches: Times of the first and last frame of each stretch without a gap, in order.
        step_ms: How much time the last frame of a stretch covers.
    """

    fps: int
    stretches: list[tuple[int, int]]
    step_ms: int = 0

    def covered_ms(self, hour_start_ms: int, interval_ms: int) -> Counter[int]:
        """Return how much footage each interval has within the hour, by start of the interval."""
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
    """Return how much of the hour's `covered_ms` shows nothing, by interval and reason.

    `times_ms` and `reasons` belong to the frames that `filmed` was made from.
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
    """Return the footage that the frames at some times make up.

    The rate is the mean over the steps between times: a sampler selects frames by a grid of times, so single
    steps jitter by a frame of the video but their mean does not. Steps longer than `gap_ms`, which no track
    outlives, are gaps in the footage. So the rate of single pictures, minutes apart, is 0, and so is a rate
    above 120 a second. A stretch continues for one mean step, to the millisecond, after its last frame.
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
