"""When the frames of a video are shown, in exact arithmetic, by whole numbers alone."""

from __future__ import annotations

from fractions import Fraction


class PresentationTimes:
    """The times of a stream's frames, one after the other; they only grow.

    A frame without a presentation time, or with one that is not after that of the frame before it, comes one
    frame after it: by that frame's own length, or else by the stream's average rate.

    Times are counted in parts of the stream's tick, so small that a frame's length by the rate is a whole
    number of them: nothing is rounded but `offset_ms`.
    """

    def __init__(self, *, time_base: Fraction, start_ticks: int | None, rate: Fraction | None) -> None:
        """Begin before the stream's first frame.

        Args:
            time_base: Length of a tick, seconds.
            start_ticks: Where the stream says that it begins.
            rate: Frames a second, if the stream states them.
        """
        length_ticks = 1 / (rate * time_base) if rate else Fraction(0)
        self._parts = parts = length_ticks.denominator
        self._usual_length = length_ticks.numerator
        self._part_s = time_base / parts
        self._part_ms = self._part_s * 1000
        self._start = None if start_ticks is None else start_ticks * parts
        self._first: int | None = None
        self._now = 0
        self._next = self._start or 0

    def pass_over(self, pts: int | None, duration_ticks: int | None) -> None:
        """Go on to the next frame.

        Args:
            pts: Its presentation time, ticks.
            duration_ticks: Its length; None or 0 if it states none.
        """
        stated = None if pts is None else pts * self._parts
        now = self._next
        if stated is not None and (self._first is None or stated > self._now):
            now = stated
        if self._first is None:
            self._first = now
        self._now = now
        self._next = now + (duration_ticks * self._parts if duration_ticks else self._usual_length)

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
        return None if self._first is None else (self._next - self._first) * self._part_s
