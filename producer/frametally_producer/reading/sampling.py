"""Chooses the frames of a video by their presentation times, in exact arithmetic."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from frametally.rules.overlaps import HOLE_MS

_FINER = 16
"""Parts per frame length at the stream's rate, so that the time between frames can be halved repeatedly."""
_STANDS_S = 2
_RESTART_FRAMES = 3
"""Times that jump back by more than this many frames and more than a second start again."""


class PresentationTimes:
    """The strictly increasing times of a stream's frames.

    A frame without a presentation time is placed one frame after the previous one, by the previous frame's
    length or else the stream's average rate. A frame whose time is not after the previous one is placed
    halfway to where the next frame is due, so the frames after it keep their own times. If times start again,
    as in joined recordings, the first new frame is placed one frame after the last one.

    The unit is a part of the stream's tick, small enough that a frame's length at the stream's rate is a
    whole number of units. So only `offset_ms` and halves are rounded.
    """

    def __init__(self, *, time_base: Fraction, start_ticks: int | None, rate: Fraction | None) -> None:
        """Start before the first frame, with ticks of `time_base` seconds and a `rate` if stated."""
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
        """Move to the next frame, given its time and length in ticks, None (or 0) if not stated."""
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
        """The last frame's time from the start of the stream in milliseconds, rounded down."""
        origin = (self._first or 0) if self._start is None else self._start
        return (self._now - origin) * self._part_ms.numerator // self._part_ms.denominator

    @property
    def position_s(self) -> Fraction:
        """The last frame's time from the first frame in seconds."""
        return Fraction((self._now - (self._first or 0)) * self._part_s.numerator, self._part_s.denominator)

    @property
    def end_s(self) -> Fraction | None:
        """The end of the last frame from the time of the first in seconds, or None before the first."""
        return None if self._first is None else (max(self._next, self._now) - self._first) * self._part_s


ALL = "all"
_INT64 = 2**63
_MOST_HELD = 8
"""Most decoded frames to hold while it is undecided whether the first of them is taken."""
_EARLY = Fraction(4, 5)
"""The part of a slot by which a frame may be early: with jitter of up to half of it, all frames fit."""


class Timed(Protocol):
    """A frame with its time."""

    @property
    def position_s(self) -> Fraction:
        """Its presentation time from the first frame in seconds."""


Frame = TypeVar("Frame", bound=Timed)


class _Held(Generic[Frame]):
    """A frame held until it is decided whether it, or one before it, is taken."""

    def __init__(self, frame: Frame, is_taken: bool) -> None:
        self.frame = frame
        self.is_taken = is_taken


class Sampler:
    """Selects frames by a fixed grid of times.

    The grid times are the multiples of 1/fps from the presentation time of the video's first frame. For each
    grid time, the first frame at or after it is taken (once, even for several grid times). If there is none
    before the next grid time, the last frame left out is also taken if it is near. So a variable rate close
    to the grid's loses no frame at the edges, while a constant rate only takes those first frames. The choice
    depends only on the file, and a multiple of a rate takes all frames that the rate takes.
    """

    def __init__(self, *samplings: str) -> None:
        """Take the frames of any of `samplings`: frames per second as a decimal number, or `all`."""
        self._all = ALL in samplings
        self._next_slots = {} if self._all else {Fraction(sampling): 0 for sampling in samplings}

    def sift(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
        """Yield each frame in order with whether it is taken; call it once."""
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


class StandingPictures:
    """Finds the pictures that stand for long in a video, as in a recording of a screen.

    Such a recording has a new picture only if something changes. A picture stands if it is shown for more
    than 2 s and at most a minute, while most pictures of the video are shown for less. The last one has no
    known end.

    Attributes:
        frames: How many frames were noted.
    """

    def __init__(self) -> None:
        """Start before the first frame."""
        self.frames = 0
        self._last_s: Fraction | None = None
        self._steps = 0
        self._short_s = Fraction(0)
        self._ends_s: dict[Fraction, Fraction] = {}

    def noting(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the frames of the whole video, and note their presentation times."""
        for frame in frames:
            step_s = Fraction(0) if self._last_s is None else frame.position_s - self._last_s
            if self._last_s is not None and _STANDS_S < step_s <= HOLE_MS / 1000:
                self._ends_s[self._last_s] = frame.position_s
            elif 0 < step_s <= _STANDS_S:
                self._steps += 1
                self._short_s += step_s
            self._last_s = frame.position_s
            self.frames += 1
            yield frame

    def __bool__(self) -> bool:
        """Return whether a picture of the noted frames stands."""
        return 0 < len(self._ends_s) < self._steps

    def repeats_s(self, position_s: Fraction) -> Iterator[Fraction]:
        """Yield when the picture of a time is shown again, at the usual rate of the video."""
        step_s = self._short_s / max(self._steps, 1)
        end_s = self._ends_s.get(position_s, position_s) if self else position_s
        while (position_s := position_s + step_s) < end_s:
            yield position_s


class CameraSampler:
    """Takes frames of a camera, whose times jitter, at up to a rate.

    At the edge of a slot, two frames may fall into one slot and none into the next. A `Sampler` waits for
    later frames to handle that, but a camera's frames are sent at once. Here, a frame in a used slot may fill
    the next one if that begins soon. Each slot is used once, so at most t * fps + 1.8 frames are taken in t
    seconds.
    """

    def __init__(self, sampling: str) -> None:
        """Take a rate of frames per second as a decimal number, or `all` frames."""
        self._fps = None if sampling == ALL else Fraction(sampling)
        self._next_slot = 0

    def takes(self, position_s: Fraction) -> bool:
        """Return whether the next frame, `position_s` after the first, is taken; call it once per frame."""
        if self._fps is None:
            return True
        slots = position_s * self._fps
        if slots < self._next_slot - _EARLY:
            return False
        self._next_slot = max(math.floor(slots), self._next_slot) + 1
        return True


def count_taken(sampling: str, ticks: NDArray[np.int64], tick_s: Fraction) -> int:
    """Return how many frames a `Sampler` with one sampling takes: frames per second as text, or `all`.

    `ticks` are the increasing times from the first frame, shape (frames,); a tick is `tick_s` seconds.
    """
    if sampling == ALL or not len(ticks):
        return len(ticks)
    slots_per_tick = Fraction(sampling) * tick_s
    # Take a frame if it is in a different grid slot from the previous one.
    fits = int(ticks[-1]) * slots_per_tick.numerator < _INT64
    slots = (ticks if fits else ticks.astype(object)) * slots_per_tick.numerator // slots_per_tick.denominator
    steps = slots[1:] - slots[:-1]
    left_out, after_empty = (np.flatnonzero(steps == 0) + 1, np.flatnonzero(steps > 1) + 1)
    before = np.searchsorted(left_out, after_empty) - 1
    near = (before >= 0) & (after_empty - left_out[before] <= _MOST_HELD) if len(left_out) else before >= 0
    return len(ticks) - len(left_out) + len(np.unique(before[near]))


def denser(first: str, other: str) -> str:
    """Return the sampling with more frames per second."""
    if ALL in (first, other):
        return ALL
    return max(first, other, key=Fraction)


def common_sampling(first: str, other: str) -> str:
    """Return the sampling of the grid times that two samplings share; neither is `all`."""
    a, b = Fraction(first), Fraction(other)
    numerator = math.gcd(a.numerator * b.denominator, b.numerator * a.denominator)
    return str(Fraction(numerator, a.denominator * b.denominator))


def estimate_frames(sampling: str, *, frames: int | None, duration_s: Fraction | None) -> int | None:
    """Estimate how many frames `sampling` takes from a video with a number of frames and a length."""
    if sampling == ALL:
        return frames
    sampled = math.ceil(duration_s * Fraction(sampling)) if duration_s is not None else None
    return min((n for n in (sampled, frames) if n is not None), default=None)
