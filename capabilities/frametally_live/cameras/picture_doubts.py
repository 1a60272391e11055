"""Checks whether a camera's frames show anything, by picture and boxes, as for counted frames.

Boxes are known a moment after the picture. Once results of a camera arrive, a frame is judged when its own
result is there; without a detector, or if it is late, by its picture alone.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple
from zlib import crc32

from frametally.files.blank_pictures import blank_reason
from frametally.files.opencv import Pixels
from frametally.live_records import PictureDoubt
from frametally.rules.blank_stretches import (
    AGAIN_MS,
    BLANK_MS,
    FROZEN_MS,
    LEAST_STEPS,
    Blank,
    blank_stretches,
)
from frametally_live.feed_records import LATE_MS

DAMAGED_MS = 10_000
"""Damaged pictures are reported until there has been none for this time."""
_ASKED_EVERY_MS = 1000
_DAMAGED = "Some of its pictures are damaged and left out."
_WORDS = {
    "black": "Its picture is black.",
    "one_colour": "Its picture has one colour.",
    "frozen": "Its picture does not change: it may be frozen.",
}


class _Kept(NamedTuple):
    captured_at_ms: int
    shows: Blank | None
    picture_digest: str


class PictureDoubts:
    """Follows a camera's pictures; reports at most one sentence, and only faults.

    Attributes:
        lasting: Since when the picture has shown nothing, once that lasts; black if it is also frozen.
        known_until_ms: Event time of the newest frame with a result; None if there is none.
    """

    def __init__(self) -> None:
        """Start without a picture."""
        self.lasting: PictureDoubt | None = None
        self.known_until_ms: int | None = None
        self._damaged_until_ms: int | None = None
        self._frames: deque[_Kept] = deque()
        self._at_ms = self._asked_at_ms = 0

    def note_damage(self, at_ms: int) -> None:
        """Record that a picture was left out."""
        self._damaged_until_ms = at_ms + DAMAGED_MS

    def look(self, picture: Pixels, jpeg: bytes, at_ms: int) -> None:
        """Check a stored frame: uint8 of shape (height, width, 3), BGR, with its JPEG."""
        if at_ms < self._at_ms:
            self._frames.clear()  # the camera's clock was set back
            self.known_until_ms = None
        self._at_ms = at_ms
        self._frames.append(_Kept(at_ms, blank_reason(picture), f"{crc32(jpeg):08x}"))
        # A key frame is recognized again only if the one before it is still there.
        while len(self._frames) > LEAST_STEPS + 2 and (
            self._frames[0].captured_at_ms < at_ms - FROZEN_MS - 2 * AGAIN_MS
        ):
            self._frames.popleft()
        if not 0 <= at_ms - self._asked_at_ms < _ASKED_EVERY_MS:
            self._asked_at_ms = at_ms
            self.lasting = self._lasting_doubt()

    @property
    def needs_boxes(self) -> bool:
        """Whether a recent picture looks blank, so that boxes decide."""
        return any(frame.shows for frame in self._frames)

    def note_result(self, captured_at_ms: int, *, shows_something: bool) -> None:
        """Record the result of a frame: whether it shows something by its picture and its boxes."""
        self.known_until_ms = max(self.known_until_ms or 0, captured_at_ms)
        for place in reversed(range(len(self._frames) if shows_something else 0)):
            frame = self._frames[place]
            if frame.captured_at_ms == captured_at_ms:
                self._frames[place] = frame._replace(shows=None)
            if frame.captured_at_ms <= captured_at_ms:
                return

    def _judged(self) -> list[_Kept]:
        """Return the frames whose boxes are known, or are not waited for."""
        known_ms = self._at_ms if self.known_until_ms is None else self.known_until_ms
        until_ms = max(known_ms, self._at_ms - LATE_MS)
        return [frame for frame in self._frames if frame.captured_at_ms <= until_ms]

    def _lasting_doubt(self) -> PictureDoubt | None:
        frames = self._judged()
        stretches = blank_stretches(frames)
        if not stretches:
            return None
        from_ms, to_ms, reason = stretches[-1]
        if to_ms != frames[-1].captured_at_ms or to_ms - from_ms < BLANK_MS:
            return None
        before = self.lasting
        if before is not None and before.what == reason and from_ms <= before.to_ms:
            from_ms = min(from_ms, before.from_ms)
        return PictureDoubt(reason, from_ms, to_ms)

    @property
    def sentence(self) -> str:
        """Return the current report; empty if there is none."""
        if self._damaged_until_ms is not None and self._at_ms < self._damaged_until_ms:
            return _DAMAGED
        return "" if self.lasting is None else _WORDS[self.lasting.what]
