"""What is told of a camera that is there and shows what cannot be counted: black, still, damaged pictures."""

from __future__ import annotations

from frametally.files.opencv import Pixels, cv2
from frametally.live_records import PictureDoubt
from frametally_videos.checking.picture_measures import Grey, is_black, largest_change, mean_change, parts
from frametally_videos.checking.picture_sequences import STILL_CHANGE, STILL_PART_CHANGE

LASTING_MS = 10_000
"""A lens is covered for a moment by a bird, and a street may stand still between two frames."""
_LOOK_PX = 160

_DAMAGED = "Some of its pictures come damaged, and are left out."
_WORDS = {"black": "Its picture is black.", "frozen": "Its picture does not change: it may be frozen."}


class PictureDoubts:
    """Follows what a camera shows; one sentence at most is told, and none of what is as it should be."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self._damaged_until_ms: int | None = None
        self._black_since_ms: int | None = None
        self._still: tuple[Grey, int] | None = None
        self._at_ms = 0

    def note_damage(self, at_ms: int) -> None:
        """Note that a picture was left out."""
        self._damaged_until_ms = at_ms + LASTING_MS

    def look(self, picture: Pixels, at_ms: int) -> None:
        """Look at a frame that is kept: uint8 of shape (height, width, 3), BGR."""
        step = max(1, picture.shape[1] // _LOOK_PX)
        grey: Grey = cv2.cvtColor(picture[::step, ::step], cv2.COLOR_BGR2GRAY)  # type: ignore[assignment]
        self._at_ms = at_ms
        if not is_black(grey):
            self._black_since_ms = None
        elif self._black_since_ms is None:
            self._black_since_ms = at_ms
        if self._still is None or not _is_same(self._still[0], grey):
            self._still = grey, at_ms

    @property
    def lasting(self) -> PictureDoubt | None:
        """Since when the picture is black or frozen, once that has lasted; black where it is both."""
        if self._black_since_ms is not None:
            doubt = PictureDoubt("black", self._black_since_ms, self._at_ms)
        elif self._still is not None:
            doubt = PictureDoubt("frozen", self._still[1], self._at_ms)
        else:
            return None
        return doubt if doubt.to_ms - doubt.from_ms >= LASTING_MS else None

    @property
    def sentence(self) -> str:
        """What is to be told now; empty: nothing."""
        if self._damaged_until_ms is not None and self._at_ms < self._damaged_until_ms:
            return _DAMAGED
        return "" if self.lasting is None else _WORDS[self.lasting.what]


def _is_same(before: Grey, now: Grey) -> bool:
    if before.shape != now.shape or mean_change(before, now) > STILL_CHANGE:
        return False
    return largest_change(parts(before), parts(now)) <= STILL_PART_CHANGE
