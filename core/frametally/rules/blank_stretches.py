"""Finds when footage showed nothing: black, one-coloured and frozen pictures. Standard library only.

A source is frozen if its sorted frames (neighbours may be in different segments) have no new picture for
`FROZEN_MS`. A picture is new unless the previous frame, or one of the last `AGAIN_MS`, has the same bytes. A
frozen camera repeats its pictures bit for bit, even at key frames. A real scene never does: even if
compression removes all noise between two key frames, the next key frame brings new noise, and key frames are
rarely more than 20 s apart.

A frame with a counted box shows something, however dark its picture is: what a detector finds there is
evidence that no measure of the picture has.

A short black stretch next to a picture that shows something is part of the scene: a fade in a film, a hand in
front of the lens, or an empty drawn scene.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal, Protocol

from frametally.rules.counted_boxes import DetectedBox

BLANK_MS = 10_000
"""A black or one-coloured stretch shows nothing if it lasts this long or is this far from other pictures."""
FROZEN_MS = 60_000
AGAIN_MS = 10_000
LEAST_STEPS = 5
"""Single pictures, minutes apart, may repeat a few times if the camera takes fewer than were fetched."""


Blank = Literal["black", "one_colour"]
"""The kinds of pictures that show nothing."""

BlankReason = Literal["black", "one_colour", "frozen"]
"""Why footage showed nothing."""

BLANK_WORDS: dict[str, str] = {"black": "black", "one_colour": "of one colour", "frozen": "frozen"}
"""The words for them in messages."""

BlankPart = tuple[BlankReason, int, int]
"""Why footage of an interval showed nothing, in how many frames, and for how many milliseconds."""

BlankStretch = tuple[int, int, BlankReason]


class LookedAtFrame(Protocol):
    """A frame line's fields for the look of a picture; `shows` is falsy for an ordinary one."""

    @property
    def captured_at_ms(self) -> int: ...  # noqa: D102
    @property
    def shows(self) -> Any: ...  # noqa: D102


class MeasuredFrame(LookedAtFrame, Protocol):
    """A `LookedAtFrame` with the digest that reveals a frozen picture, empty if there is none."""

    @property
    def picture_digest(self) -> str: ...  # noqa: D102


class JudgedFrame(Protocol):
    """A frame line's fields for whether its picture and boxes show something."""

    @property
    def shows(self) -> Any: ...  # noqa: D102
    @property
    def detections(self) -> Sequence[DetectedBox]: ...  # noqa: D102


def shows_boxes(frame: JudgedFrame, counts: Callable[[DetectedBox], bool]) -> bool:
    """Return whether a frame whose picture looks blank has a counted box, so that it shows something."""
    return bool(frame.shows) and any(map(counts, frame.detections))


def blank_reasons(
    frames: Sequence[MeasuredFrame], *, with_frozen: bool = True
) -> list[BlankReason | None] | None:
    """Return why each of a source's distinct frames, sorted by time, showed nothing.

    An hour and its neighbours agree if the frames of `FROZEN_MS` around it are included; without them, pass
    `with_frozen=False`. Return None if a frame was not measured.
    """
    if not all(map(attrgetter("picture_digest"), frames)):
        return None
    reasons: list[BlankReason | None] = [*blank_looks(frames)]
    for first, last in _frozen_runs(frames) if with_frozen else ():
        reasons[first : last + 1] = [reason or "frozen" for reason in reasons[first : last + 1]]
    return reasons


def blank_looks(frames: Sequence[LookedAtFrame]) -> list[Blank | None]:
    """Return why the picture of each of a source's frames, sorted by time, shows nothing."""
    reasons: list[Blank | None] = [frame.shows or None for frame in frames]
    if not any(reasons):
        return reasons
    end = 0
    for is_plain, run in groupby(reasons, lambda reason: reason is None):
        first, end = end, end + len(list(run))
        first_ms, last_ms = frames[first].captured_at_ms, frames[end - 1].captured_at_ms
        is_alone = (not first or first_ms - frames[first - 1].captured_at_ms > BLANK_MS) and (
            end == len(frames) or frames[end].captured_at_ms - last_ms > BLANK_MS
        )
        if not is_plain and not is_alone and last_ms - first_ms < BLANK_MS:
            reasons[first:end] = [None] * (end - first)
    return reasons


def stretches_of(
    frames: Sequence[MeasuredFrame], reasons: Sequence[BlankReason | None]
) -> list[BlankStretch]:
    """Return the stretches that showed nothing: times of the first and last frame, and the reason."""
    stretches, number = [], 0
    for reason, run in groupby(reasons):
        first, number = number, number + len(list(run))
        if reason:
            stretches.append((frames[first].captured_at_ms, frames[number - 1].captured_at_ms, reason))
    return stretches


def blank_stretches(frames: Sequence[MeasuredFrame]) -> list[BlankStretch] | None:
    """Return the stretches of frames that are sorted by time, or None as `blank_reasons`."""
    reasons = blank_reasons(frames)
    return None if reasons is None else stretches_of(frames, reasons)


def stretches_within(stretches: Iterable[BlankStretch], from_ms: int, to_ms: int) -> list[BlankStretch]:
    """Return the stretches within `[from_ms, to_ms)`, limited to it."""
    return [
        (max(first_ms, from_ms), min(last_ms, to_ms), reason)
        for first_ms, last_ms, reason in stretches
        if last_ms >= from_ms and first_ms < to_ms
    ]


blank_order: Callable[[MeasuredFrame], Any] = attrgetter("captured_at_ms", "picture_digest")
"""Returns a frame's sort key: its time, then its digest, so that all hours sort it the same way."""


def _frozen_runs(frames: Sequence[MeasuredFrame]) -> Iterator[tuple[int, int]]:
    """Yield the indices of the first and last frame of each long enough run without a new picture."""
    newest_ms: dict[str, int] = {}
    first, before = 0, ""
    for number, frame in enumerate(frames):
        digest, time_ms = frame.picture_digest, frame.captured_at_ms
        if digest != before and time_ms - newest_ms.get(digest, time_ms - AGAIN_MS - 1) > AGAIN_MS:
            if number - first > LEAST_STEPS and _lasted(frames, first, number - 1):
                yield first, number - 1
            first = number
        newest_ms[digest], before = time_ms, digest
    if len(frames) - first > LEAST_STEPS and _lasted(frames, first, len(frames) - 1):
        yield first, len(frames) - 1


def _lasted(frames: Sequence[MeasuredFrame], first: int, last: int) -> bool:
    return frames[last].captured_at_ms - frames[first].captured_at_ms >= FROZEN_MS
