"""When there was footage, by its frames: one rule for the job and for charts by the second.

Standard library only.
"""

from __future__ import annotations

from collections import Counter
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
        step_ms: How long the last frame of a stretch covers; see `Coverage.covered_ms`.
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
