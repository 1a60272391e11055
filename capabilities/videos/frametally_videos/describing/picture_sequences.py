"""Pictures in their order: black, frozen or repeated ones, in a video and before a camera."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, groupby

from frametally.files.opencv import Pixels, cv2
from frametally.live_records import PictureDoubt
from frametally_videos.describing.picture_pass import (
    Grey,
    PictureLook,
    is_black,
    largest_change,
    mean_change,
    parts,
)

Spans = list[tuple[float, float]]

STILL_CHANGE, STILL_PART_CHANGE = 0.1, 2.0
"""Change that coding makes in a repeated picture: a tenth of a level of all of it, two of one part."""
_EXACT_CHANGE, _QUIET_PART_CHANGE = 0.001, 5.0
"""A picture that stands is, for half of the frames at least, the same bit by bit; some are coded
again, which changes a part by up to five levels. A camera's noise always changes something."""
FROZEN_S = 5.0
_ENOUGH_S = FROZEN_S - 1e-6
_LEAST_STEPS = 5
_MOST_REPEATS = 4
"""Frames that show one picture again, where a camera of five frames a second is recorded at 25."""
_MOST_SPANS = 100


def black_looks(looks: Sequence[PictureLook]) -> list[bool]:
    """Return of each look whether it is black."""
    return [look.is_black for look in looks]


def frozen_looks(looks: Sequence[PictureLook]) -> list[bool]:
    """Return of each look whether its picture is frozen for `FROZEN_S`; black ones are not."""
    frozen = [False] * len(looks)
    exact = list(
        accumulate((look.mean_change is not None and look.mean_change <= _EXACT_CHANGE) for look in looks)
    )
    began = last = 0
    for number, look in enumerate(looks):
        if look.is_black or _part_change(look) > _QUIET_PART_CHANGE:
            began = number
            continue
        # The shortest time that is long enough and ends here.
        while began < number and look.position_s - looks[began + 1].position_s >= _ENOUGH_S:
            began += 1
        steps = number - began
        is_long = steps >= _LEAST_STEPS and look.position_s - looks[began].position_s >= _ENOUGH_S
        if is_long and 2 * (exact[number] - exact[began]) >= steps:
            last = max(last, began)
            frozen[last : number + 1] = [True] * (number + 1 - last)
            last = number
    return frozen


def repeated_looks(looks: Sequence[PictureLook], frozen: Sequence[bool]) -> list[bool]:
    """Return of each look whether it shows the picture before it again, in the midst of movement."""
    is_repeat = [
        look.follows and not look.is_black and not stands and _comes_again(look)
        for look, stands in zip(looks, frozen, strict=True)
    ]
    repeats: list[bool] = []
    for value, run in groupby(is_repeat):
        length, number = len(list(run)), len(repeats)
        around = [*looks[max(0, number - 1) : number], *looks[number + length : number + length + 1]]
        moves = all(_part_change(look) > STILL_PART_CHANGE for look in around)
        repeats += [value and moves and length <= _MOST_REPEATS] * length
    return repeats


def spans(looks: Sequence[PictureLook], mask: Sequence[bool]) -> Spans:
    """Return where looks were chosen, from and to, seconds; the longest hundred, in their order."""
    ranges: Spans = []
    number = 0
    for value, run in groupby(mask):
        length = len(list(run))
        if value:
            begin_s, last_s = looks[number].position_s, looks[number + length - 1].position_s
            after = number + length
            # The next look may be far away, in another stretch.
            end_s = looks[after].position_s if after < len(looks) and looks[after].follows else last_s
            ranges.append((round(begin_s, 3), round(max(end_s, last_s), 3)))
        number += length
    longest = sorted(ranges, key=lambda span: span[0] - span[1])[:_MOST_SPANS]
    return sorted(longest)


def _part_change(look: PictureLook) -> float:
    return float("inf") if look.largest_change is None else look.largest_change


def _comes_again(look: PictureLook) -> bool:
    is_same = look.mean_change is not None and look.mean_change <= STILL_CHANGE
    return is_same and _part_change(look) <= STILL_PART_CHANGE


LASTING_MS = 10_000
"""A lens is covered for a moment by a bird, and a street may stand still between two frames."""
_LOOK_PX = 160

_DAMAGED = "Some of its pictures are damaged and left out."
_WORDS = {"black": "Its picture is black.", "frozen": "Its picture does not change: it may be frozen."}


class PictureDoubts:
    """Follows a camera's pictures; reports at most one sentence, and only faults."""

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
        """The time since when the picture is black or frozen, once that has lasted; black if it is both."""
        if self._black_since_ms is not None:
            doubt = PictureDoubt("black", self._black_since_ms, self._at_ms)
        elif self._still is not None:
            doubt = PictureDoubt("frozen", self._still[1], self._at_ms)
        else:
            return None
        return doubt if doubt.to_ms - doubt.from_ms >= LASTING_MS else None

    @property
    def sentence(self) -> str:
        """Return the current report; empty: nothing."""
        if self._damaged_until_ms is not None and self._at_ms < self._damaged_until_ms:
            return _DAMAGED
        return "" if self.lasting is None else _WORDS[self.lasting.what]


def _is_same(before: Grey, now: Grey) -> bool:
    if before.shape != now.shape or mean_change(before, now) > STILL_CHANGE:
        return False
    return largest_change(parts(before), parts(now)) <= STILL_PART_CHANGE
