"""Chooses the frames of a video by their presentation times, in exact arithmetic."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

_FINER = 16
"""Parts of a frame's length by the rate: so often the time between two frames can be halved."""
_RESTART_FRAMES = 3
"""Times that go back by more frames than this, and by more than a second, start again."""


class PresentationTimes:
    """The times of a stream's frames, one after the other; they only rise.

    A frame without a presentation time comes one frame after the one before: by that frame's own length, or
    else by the stream's average rate. A frame whose time is not after that of the one before comes halfway to
    where the next frame is due, so the frames after it keep their own times. Where times start again (in
    recordings that were joined), the first of them comes one frame after the last.

    Times are counted in parts of the stream's tick, so small that a frame's length by the rate is a whole
    number of them: only `offset_ms` and halves are rounded.
    """

    def __init__(self, *, time_base: Fraction, start_ticks: int | None, rate: Fraction | None) -> None:
        """Begin before the first frame: ticks of `time_base` seconds, `rate` frames a second if stated."""
        length_ticks = 1 / (rate * time_base) if rate else Fraction(0)
        self._parts = parts = length_ticks.denominator * _FINER
        self._usual_length = length_ticks.numerator * _FINER
        self._part_s = time_base / parts
        self._part_ms = self._part_s * 1000
        self._least = max(1, int(1 / self._part_ms))
        self._second = int(1 / self._part_s)
        self._start = None if start_ticks is None else start_ticks * parts
        self._first: int | None = None
        self._now = self._next = self._start or 0
        self._stated = self._shift = 0

    def pass_over(self, pts: int | None, duration_ticks: int | None) -> None:
        """Go on to the next frame: its time and its length in ticks; None (or 0) if it states none."""
        length = duration_ticks * self._parts if duration_ticks else self._usual_length
        due = self._next if self._first is None else max(self._next, self._now + self._least)
        stated = due if pts is None else pts * self._parts
        if pts is not None and self._first is not None:
            if stated > self._now:
                self._shift = 0
            elif self._stated - stated - self._shift > max(_RESTART_FRAMES * length, self._second):
                self._shift = due - stated
            stated += self._shift
        if self._first is None or stated > self._now:
            self._now = stated
            self._next = stated + length
        else:
            self._now += max(self._least, (self._next - self._now) // 2)
        self._first = self._now if self._first is None else self._first
        self._stated = stated

    @property
    def offset_ms(self) -> int:
        """The last frame's time from the start of the stream, milliseconds, rounded down."""
        origin = (self._first or 0) if self._start is None else self._start
        return (self._now - origin) * self._part_ms.numerator // self._part_ms.denominator

    @property
    def position_s(self) -> Fraction:
        """The last frame's time from the first frame, seconds."""
        return Fraction((self._now - (self._first or 0)) * self._part_s.numerator, self._part_s.denominator)

    @property
    def end_s(self) -> Fraction | None:
        """The end of the last frame from the time of the first, seconds; None before the first."""
        return None if self._first is None else (max(self._next, self._now) - self._first) * self._part_s


ALL = "all"
_INT64 = 2**63
_MOST_HELD = 8
"""So many frames are held while it is open whether the first of them is taken: they are decoded ones."""
_EARLY = Fraction(4, 5)
"""By how much of a slot a frame may be early: if each is off by up to half of that, all fit."""


class Timed(Protocol):
    """A frame with its time."""

    @property
    def position_s(self) -> Fraction:
        """Its presentation time from the first frame, seconds."""


Frame = TypeVar("Frame", bound=Timed)


class _Held(Generic[Frame]):
    """A frame of which it is open whether it is taken, or of one before it."""

    def __init__(self, frame: Frame, is_taken: bool) -> None:
        self.frame = frame
        self.is_taken = is_taken


class Sampler:
    """Takes frames off a fixed grid of times.

    The grid is the multiples of 1/fps, counted from the presentation time of the video's first frame. Of each
    grid time, the first frame at or after it is taken (once, if it is that of several). Where none comes
    before the next grid time, the last frame that was left out is taken, too, if it is near: so a variable
    rate that is about the grid's loses no frame at the edges, and a constant rate has those first ones alone.

    The choice is a function of the file alone, and a rate that is a multiple of another's takes all that the
    other does.
    """

    def __init__(self, *samplings: str) -> None:
        """Take what any of `samplings` takes: frames a second as a decimal number, or `all`."""
        self._all = ALL in samplings
        self._next_slots = {} if self._all else {Fraction(sampling): 0 for sampling in samplings}

    def sift(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
        """Yield each frame with whether it is taken, in their order; call it once."""
        held: deque[_Held[Frame]] = deque()
        left_out: dict[Fraction, _Held[Frame]] = {}
        for frame in frames:
            new = _Held(frame, self._all)
            for fps, next_slot in self._next_slots.items():
                slots = frame.position_s * fps
                if slots < next_slot:
                    left_out[fps] = new
                    continue
                slot = math.floor(slots)
                if slot > next_slot and fps in left_out:
                    left_out.pop(fps).is_taken = True
                self._next_slots[fps] = slot + 1
                new.is_taken = True
            held.append(new)
            while held and (len(held) > _MOST_HELD or held[0] not in left_out.values()):
                known = held.popleft()
                left_out = {fps: one for fps, one in left_out.items() if one is not known}
                yield known.frame, known.is_taken
        yield from ((one.frame, one.is_taken) for one in held)


class CameraSampler:
    """Takes frames of a camera, whose times jitter, at up to a rate.

    At the edge of a slot two frames come in one slot and none in the next. What a `Sampler` does about that
    takes a wait for later frames, and a camera's are sent at once. Here a frame in a slot that is used may
    stand for the next one, if that begins soon. Each slot is used once, so of t seconds at most t * fps + 1.8
    frames are taken.
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
    """Return how many frames a `Sampler` of one sampling takes, frames a second as text or `all`.

    `ticks` are times of the frames from the first one, growing, shape (frames,); a tick is `tick_s` seconds.
    """
    if sampling == ALL or not len(ticks):
        return len(ticks)
    slots_per_tick = Fraction(sampling) * tick_s
    # A frame is taken if a grid time lies between it and the one before: if it is in another slot than that.
    fits = int(ticks[-1]) * slots_per_tick.numerator < _INT64
    slots = (ticks if fits else ticks.astype(object)) * slots_per_tick.numerator // slots_per_tick.denominator
    steps = slots[1:] - slots[:-1]
    left_out, after_empty = (np.flatnonzero(steps == 0) + 1, np.flatnonzero(steps > 1) + 1)
    before = np.searchsorted(left_out, after_empty) - 1
    near = (before >= 0) & (after_empty - left_out[before] <= _MOST_HELD) if len(left_out) else before >= 0
    return len(ticks) - len(left_out) + len(np.unique(before[near]))


def denser(first: str, other: str) -> str:
    """Return that of two samplings which has more frames a second."""
    if ALL in (first, other):
        return ALL
    return max(first, other, key=Fraction)


def common_sampling(first: str, other: str) -> str:
    """Return the sampling of the grid times that two samplings share; neither is `all`."""
    a, b = Fraction(first), Fraction(other)
    numerator = math.gcd(a.numerator * b.denominator, b.numerator * a.denominator)
    return str(Fraction(numerator, a.denominator * b.denominator))


def estimate_frames(sampling: str, *, frames: int | None, duration_s: Fraction | None) -> int | None:
    """Estimate how many frames `sampling` takes of a video with that many frames and that length."""
    if sampling == ALL:
        return frames
    sampled = math.ceil(duration_s * Fraction(sampling)) if duration_s is not None else None
    return min((n for n in (sampled, frames) if n is not None), default=None)
