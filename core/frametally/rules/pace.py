"""Converts a film's own time to event time, for time-lapse and slow motion."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from frametally.errors import Poison

_LEAST, _MOST = Fraction(1, 10_000), 10_000_000
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,12})?([eE][+-]?\d{1,2})?|\.\d{1,12}|\d{1,9}/[1-9]\d{0,8}")
_TEXT = re.compile(r"(speed|frame) (\d+(?:/\d+)?)")


class Pace(NamedTuple):
    """How much event time passes while a film runs; as much as film time if neither is set.

    Attributes:
        speed: Seconds of event time per second of film; with 60, a minute passes in a second.
        frame_s: Seconds of event time from one frame to the next.
    """

    speed: Fraction | None = None
    frame_s: Fraction | None = None

    def __str__(self) -> str:
        """Return the text form of manifests, empty for real time."""
        if self.frame_s is not None:
            return f"frame {self.frame_s}"
        return "" if self.speed is None else f"speed {self.speed}"

    def event_s(self, position_s: Fraction, frame_index: int) -> Fraction:
        """Return the event time from the first frame to the one at a position, in seconds."""
        if self.frame_s is not None:
            return self.frame_s * frame_index
        return position_s * (self.speed or 1)

    def event_length_s(self, length_s: Fraction | None, frames: int | None) -> Fraction | None:
        """Return the event time that a film of a length or number of frames covers, in seconds."""
        if self.frame_s is not None:
            return None if frames is None else self.frame_s * frames
        return None if length_s is None else length_s * (self.speed or 1)

    def ratio(self, fps: Fraction | None) -> Fraction:
        """Return the seconds of event time per second of a film with a frame rate."""
        if self.frame_s is not None:
            return self.frame_s * fps if fps else Fraction(1)
        return self.speed or Fraction(1)


def read_pace(text: str) -> Pace:
    """Parse the text form of manifests. Raises `Poison` if this version does not know the pace."""
    if not text:
        return Pace()
    match = _TEXT.fullmatch(text)
    if match is None:
        raise Poison(f"its pace {text!r} is not known here: upgrade frametally")
    value = Fraction(match[2])
    return Pace(frame_s=value) if match[1] == "frame" else Pace(speed=value)


def parse_pace_number(text: str) -> Fraction:
    """Parse a number that a person typed, such as 60, 0.125 or 1/8. Raises `ValueError` if it is invalid."""
    value = Fraction(text.strip()) if _NUMBER.fullmatch(text.strip()) else Fraction(0)
    if not _LEAST <= value <= _MOST:
        raise ValueError(f"{text!r} is not a number from {float(_LEAST):g} to {_MOST:,}")
    return value
