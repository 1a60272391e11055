"""Which frames of a video are taken: a rule over presentation times, in exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

ALL = "all"
_INT64 = 2**63
_EARLY = Fraction(4, 5)
"""By how much of a slot a frame may be early: if each is off by up to half of that, all fit."""


class Sampler:
    """Takes frames off a fixed grid of times.

    The grid is the multiples of 1/fps, counted from the presentation time of the video's first frame. Of each
    grid time, the first frame at or after it is taken (once, if it is that of several). So the choice is a
    function of the file alone, and a rate that is a multiple of another's takes all that the other does.
    """

    def __init__(self, *samplings: str) -> None:
        """Take what any of `samplings` takes: frames a second as a decimal number, or `all`."""
        self._all = ALL in samplings
        self._next_slots = {} if self._all else {Fraction(sampling): 0 for sampling in samplings}

    def takes(self, position_s: Fraction) -> bool:
        """Return whether the next frame, `position_s` after the first, is taken; call it once a frame."""
        taken = self._all
        for fps, next_slot in self._next_slots.items():
            slots = position_s * fps
            if slots >= next_slot:
                self._next_slots[fps] = math.floor(slots) + 1
                taken = True
        return taken


class CameraSampler:
    """Takes frames of a camera, whose times jitter, at up to a rate.

    A `Sampler` leaves frames of a camera of just that rate out: at the edge of a slot two frames come in one
    slot and none in the next. Here a frame in a slot that is used may stand for the next one, if that begins
    soon. Each slot is used once, so of t seconds at most t * fps + 1.8 frames are taken.
    """

    def __init__(self, sampling: str) -> None:
        """Take frames a second as a decimal number, or `all`."""
        self._fps = None if sampling == ALL else Fraction(sampling)
        self._next_slot = 0

    def takes(self, position_s: Fraction) -> bool:
        """Return whether the next frame, `position_s` after the first, is taken; call it once a frame."""
        if self._fps is None:
            return True
        slots = position_s * self._fps
        if slots < self._next_slot - _EARLY:
            return False
        self._next_slot = max(math.floor(slots), self._next_slot) + 1
        return True


def count_taken(sampling: str, ticks: NDArray[np.int64], tick_s: Fraction) -> int:
    """Return how many frames a `Sampler` of one sampling takes.

    Args:
        sampling: Frames a second as text, or `all`.
        ticks: Times of the frames from the first one, growing, shape (frames,).
        tick_s: Length of a tick, seconds.
    """
    if sampling == ALL or not len(ticks):
        return len(ticks)
    slots_per_tick = Fraction(sampling) * tick_s
    # A frame is taken if a grid time lies between it and the one before: if it is in another slot than that.
    fits = int(ticks[-1]) * slots_per_tick.numerator < _INT64
    slots = (ticks if fits else ticks.astype(object)) * slots_per_tick.numerator // slots_per_tick.denominator
    return 1 + int(np.count_nonzero(slots[1:] != slots[:-1]))


def denser(one: str, other: str) -> str:
    """Return that of two samplings which has more frames a second."""
    if ALL in (one, other):
        return ALL
    return max(one, other, key=Fraction)


def estimate_frames(sampling: str, *, frames: int | None, duration_s: Fraction | None) -> int | None:
    """Estimate how many frames `sampling` takes of a video with that many frames and that length."""
    if sampling == ALL:
        return frames
    taken = math.ceil(duration_s * Fraction(sampling)) if duration_s is not None else None
    return min((n for n in (taken, frames) if n is not None), default=None)
