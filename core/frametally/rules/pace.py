"""How fast a film runs: from its own time to event time, for time-lapse and slow motion."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from frametally.errors import Poison

_LEAST, _MOST = Fraction(1, 10_000), 10_000_000
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,12})?([eE][+-]?\d{1,2})?|\.\d{1,12}|\d{1,9}/[1-9]\d{0,8}")
_TEXT = re.compile(r"(speed|frame) (\d+(?:/\d+)?)")


class Pace(NamedTuple):
    """How much event time passes while a film runs; neither: as much as film time.

    Attributes:
        speed: Seconds of event time for each second of film; 60: a minute passes in a second.
        frame_s: Seconds of event time from each frame to the next one.
    """

    speed: Fraction | None = None
    frame_s: Fraction | None = None

    def __str__(self) -> str:
        """Write it as manifests have it; empty for real time."""
        if self.frame_s is not None:
            return f"frame {self.frame_s}"
        return "" if self.speed is None else f"speed {self.speed}"

    def event_s(self, position_s: Fraction, frame_index: int) -> Fraction:
        """Return the event time that passes from the first frame to the one at that place, seconds."""
        if self.frame_s is not None:
            return self.frame_s * frame_index
        return position_s * (self.speed or 1)

    def event_length_s(self, length_s: Fraction | None, frames: int | None) -> Fraction | None:
        """Return the event time that a film of that length, or of so many frames, covers, seconds."""
        if self.frame_s is not None:
            return None if frames is None else self.frame_s * frames
        return None if length_s is None else length_s * (self.speed or 1)

    def ratio(self, fps: Fraction | None) -> Fraction:
        """Return the seconds of event time for each second of a film of that rate."""
        if self.frame_s is not None:
            return self.frame_s * fps if fps else Fraction(1)
        return self.speed or Fraction(1)


def read_pace(text: str) -> Pace:
    """Read a pace as manifests have it. Raises `Poison` if this version knows no such pace."""
    if not text:
        return Pace()
    match = _TEXT.fullmatch(text)
    if match is None:
        raise Poison(f"its pace {text!r} is not known here: upgrade frametally")
    value = Fraction(match[2])
    return Pace(frame_s=value) if match[1] == "frame" else Pace(speed=value)


def parse_pace_number(text: str) -> Fraction:
    """Read a number that a person typed, such as 60, 0.125 or 1/8. Raises `ValueError`."""
    value = Fraction(text.strip()) if _NUMBER.fullmatch(text.strip()) else Fraction(0)
    if not _LEAST <= value <= _MOST:
        raise ValueError(f"{text!r} is not a number from {float(_LEAST):g} to {_MOST:,}")
    return value
