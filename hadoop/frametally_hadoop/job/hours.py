"""UTC hours as they are tracked: each with a margin before and after it. Standard library only.

An hour is tracked by itself, from what was seen in it and in the margins; nothing is carried from one hour to
the next. So it is a function of its frames, whatever else is counted, and when.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from frametally.rules.times import HOUR_MS
from frametally_hadoop.job.tracks.params import MARGIN_MS


def hours_near(time_ms: int) -> tuple[int, ...]:
    """Return the starts of the hours that a frame is tracked in: its own, and the one that it is near to."""
    since = time_ms % HOUR_MS
    own = time_ms - since
    if since < MARGIN_MS:
        return own, own - HOUR_MS
    if since >= HOUR_MS - MARGIN_MS:
        return own, own + HOUR_MS
    return (own,)


def analysed_fps(times_ms: Sequence[int], gap_ms: int) -> int:
    """Return the rate at which footage was analysed while there was some, in hundredths of a frame a second.

    The mean over the steps from one time to the next: a sampler takes frames off a grid, so its single steps
    jitter by a frame of the video, and their mean does not. Steps longer than `gap_ms` (no track
    outlives them) are gaps in the footage and no steps; so single pictures, minutes apart, give 0.

    Args:
        times_ms: Times of the frames, sorted.
        gap_ms: The longest step.
    """
    steps = total_ms = 0
    for earlier, later in pairwise(times_ms):
        if 0 < later - earlier <= gap_ms:
            steps += 1
            total_ms += later - earlier
    return (steps * 100_000 + total_ms // 2) // total_ms if total_ms else 0


def is_enough(fps: int, least_fps: int) -> bool:
    """Return whether footage analysed at `fps` can be tracked: a tenth below the setting will do."""
    return fps * 10 >= least_fps * 9
