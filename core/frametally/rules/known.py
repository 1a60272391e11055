"""Decides whether a number is known, and if not, why: one rule for every number of a bar or a range.

The job, charts, totals, lines and zones, reports, exports, alerts and gold use it. An unknown number is null,
never 0: objects that could not be followed are not absent. `OF_BARS` declares the numbers that a chart can
show, and `OF_TRACKS` those that the job takes from tracks: their fields and columns come from them. Standard
library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

Missing: TypeAlias = Literal[
    "no_footage",
    "not_analysed",
    "shows_nothing",
    "not_tracked",
    "too_slow",
    "too_weak",
    "too_fast",
    "other_size",
    "not_drawn",
    "cut_path",
    "too_few",
]
"""Why a number is unknown, in order: nothing was filmed; footage is not counted yet; the footage shows
nothing; tracking was off or not recorded; too few frames a second; fewer than half of the counted boxes are
in tracks; others were too fast to follow, so there are more objects; the drawing is for a picture of another
shape; nothing was drawn for that time; most paths across the drawn shape are incomplete; there is too little
data.
"""

NOT_MEASURED: tuple[Missing, ...] = ("not_tracked", "too_slow")
"""The reasons for which no object of some time was followed; those of other times are the known part."""

AmountT = TypeVar("AmountT", int, float)

Metric: TypeAlias = Literal["detections", "mean_per_frame", "peak", "objects"]
"""A number that a chart can show; `OF_BARS` declares them."""
AskedMetric: TypeAlias = Literal[Metric, "auto"]
"""`auto`: unique objects if they are known, else boxes per frame."""

MadeOf: TypeAlias = Literal["boxes", "objects", "passages"]
"""The data behind a number: boxes (detections, means, peaks), tracks (unique objects), or the paths of tracks
across a drawn shape (crossings, stays, movements, quarter-hours, occupancy).
"""
REASONS: Mapping[MadeOf, tuple[Missing, ...]] = {
    "boxes": ("shows_nothing", "other_size", "not_drawn", "not_analysed", "no_footage"),
    "objects": (*NOT_MEASURED, "too_weak", "too_fast"),
    "passages": (*NOT_MEASURED, "too_weak", "other_size", "cut_path"),
}
"""Why numbers can be null. Every number has the reasons of boxes, in this order, and then no known part."""


TRACK_GAP_MS = 3000
"""A track ends after this long without a box; longer steps between frames are gaps in the footage."""

HOUR_MARGIN_MS = 60_000
"""Each UTC hour is tracked together with the footage this long before and after it."""


def is_fast_enough(fps: int, least_fps: int) -> bool:
    """Return whether footage analysed at `fps` can be tracked, both in hundredths of a frame a second.

    A tenth below the setting is enough. Single pictures have a rate of 0 and are never tracked.
    """
    return fps > 0 and least_fps * 9 <= fps * 10


def is_too_weak(detections: Any, tracked_detections: Any) -> Any:
    """Return whether fewer than half of the boxes are in tracks, for numbers or for arrays."""
    return 2 * tracked_detections < detections


def are_too_fast(fast_objects: Any, followed: Any) -> Any:
    """Return whether those too fast exceed a tenth of the followed objects, for numbers or for arrays."""
    return 10 * fast_objects > followed


class Basis(NamedTuple):
    """The inputs that decide whether a number is known, for one label, summed over a bar or a range.

    Attributes:
        followed: Objects that were followed, or None if any part could not be tracked.
        detections: Counted boxes.
        tracked_detections: Counted boxes in tracks, or None if that was not recorded.
        slowest_fps: Slowest rate at which any part was analysed, or None if tracking was off.
        frames: Frames analysed that show something.
        is_waiting: Whether there is footage that is not counted yet.
        is_blank: Whether all of its footage shows nothing.
        is_other_size: Whether the picture has another shape than the one under the drawing.
        passages: Passages that were measured.
        cut_passages: Passages that could not be measured, such as paths that end short of a line.
        fast_objects: Objects that were seen but too fast to follow, or None if that was not recorded.
    """

    followed: int | None = 0
    detections: int = 0
    tracked_detections: int | None = None
    slowest_fps: float | None = None
    frames: int = 1
    is_waiting: bool = False
    is_blank: bool = False
    is_other_size: bool = False
    passages: int = 0
    cut_passages: int = 0
    fast_objects: int | None = None


class Count(Protocol):
    """The numbers of one label in a bar, as records, indexes and answers have them."""

    @property
    def detections(self) -> int: ...  # noqa: D102
    @property
    def objects(self) -> int | None: ...  # noqa: D102
    @property
    def tracked_detections(self) -> int | None: ...  # noqa: D102
    @property
    def fast_objects(self) -> int | None: ...  # noqa: D102


def basis_of(count: Count, slowest_fps: float | None = None) -> Basis:
    """Return the basis of a count whose `objects` are those that were followed."""
    return Basis(
        count.objects,
        count.detections,
        count.tracked_detections,
        slowest_fps,
        fast_objects=count.fast_objects,
    )


def why_not_counted(reasons: Iterable[Missing]) -> Missing:
    """Return why no frame was counted: the first in order of the reasons why its parts were not."""
    return min(reasons, key=REASONS["boxes"].index, default="no_footage")


def why_unknown(made_of: MadeOf, basis: Basis) -> Missing | None:
    """Return why a number is unknown, or None if it is known.

    Half of the counted boxes must be in tracks. We measured persons in five clips: with 71 to 91 % of the
    boxes in tracks, objects were 0 to 12 % off; with 45 %, they were useless. None of the 40 boxes of a man
    who always faces the camera were, which gave 0 objects.
    """
    if basis.is_blank or not basis.frames:
        return "shows_nothing" if basis.is_blank else "not_analysed" if basis.is_waiting else "no_footage"
    if made_of == "boxes":
        return None
    if basis.followed is None:
        return "not_tracked" if basis.slowest_fps is None else "too_slow"
    tracked = basis.tracked_detections
    if tracked is not None and is_too_weak(basis.detections, tracked):
        return "too_weak"
    if made_of == "objects":
        return "too_fast" if are_too_fast(basis.fast_objects or 0, basis.followed) else None
    if basis.is_other_size:
        return "other_size"
    return "cut_path" if basis.cut_passages > basis.passages else None


class Number(NamedTuple):
    """A known number, or null with the reason and the known part.

    Attributes:
        value: The number, or None if it is unknown.
        missing: Why it is unknown.
        at_least: The sum of the known parts of an unknown number, or None if no part is known.
    """

    value: int | None
    missing: Missing | None = None
    at_least: int | None = None


def objects_of(basis: Basis) -> Number:
    """Return the objects; if some were too fast, those that were followed are the known part."""
    missing = why_unknown("objects", basis)
    if missing is None:
        return Number(basis.followed)
    return Number(None, missing, basis.followed if missing == "too_fast" else None)


def add_up(parts: Iterable[Number]) -> Number:
    """Return the sum of some numbers, known in part if one of them is unknown."""
    every = [*parts]
    missing = next((part.missing for part in every if part.value is None), None)
    known_parts = [
        number
        for part in every
        for number in [part.at_least if part.value is None else part.value]
        if number is not None
    ]
    if missing is None:
        return Number(sum(known_parts))
    return Number(None, missing, sum(known_parts) if known_parts else None)


def sum_or_unknown(first: AmountT | None, second: AmountT | None) -> AmountT | None:
    """Return the sum, or None if either is unknown."""
    return None if first is None or second is None else first + second


def sum_all_or_unknown(numbers: Iterable[int | None]) -> int | None:
    """Return the sum, or None if any is unknown."""
    every = [*numbers]
    known_numbers = [number for number in every if number is not None]
    return sum(known_numbers) if len(known_numbers) == len(every) else None


def slowest_or_unknown(first: float | None, second: float | None) -> float | None:
    """Return the slower rate, or None if either is unknown."""
    return None if first is None or second is None else min(first, second)


class CountNumber(NamedTuple):
    """A number of an interval. It is null, never 0, for one of the `REASONS` of what it is made of.

    Its words on pages are the texts `web.<name>_title` and `web.<name>_explained` of each language.

    Attributes:
        name: Its name everywhere.
        unit: What it counts.
        meaning: Its description in exports, in the API's description and in the docs.
        made_of: The data behind it.
        is_whole: Whether it is a whole number.
        needs_objects: Whether it is null also where no part of `objects` is known; over several labels, it is
            then the sum of those with such a part.
        is_left_out_at_0: Whether answers and files have null instead of 0, and sums take null for 0.
    """

    name: str
    unit: Literal["boxes", "objects", "boxes per frame", "boxes at once"]
    meaning: str
    made_of: MadeOf = "objects"
    is_whole: bool = True
    needs_objects: bool = False
    is_left_out_at_0: bool = False

    def add_up(self, parts: Iterable[int | None]) -> int | None:
        """Return the sum of some parts, over intervals, sources or labels."""
        if self.is_left_out_at_0:
            return sum([part or 0 for part in parts]) or None
        return sum_all_or_unknown(parts)


OF_TRACKS = (
    CountNumber("objects", "objects", "unique objects, each counted when it was first seen"),
    CountNumber("tracked_detections", "boxes", "detections that are in tracks"),
    CountNumber(
        "objects_from_start",
        "objects",
        "those of the objects that were there when the footage began",
        needs_objects=True,
    ),
    CountNumber(
        "fast_objects",
        "objects",
        "objects that were seen but too fast to follow, which objects lacks; null without any",
        is_left_out_at_0=True,
    ),
)
"""In the order of stored cells: whole numbers that add up, and a new one is the last."""
OF_BARS = (
    CountNumber("detections", "boxes", "boxes, summed over the frames analysed", "boxes"),
    CountNumber("mean_per_frame", "boxes per frame", "detections / frames analysed", "boxes", is_whole=False),
    CountNumber("peak", "boxes at once", "most boxes of one label in one frame", "boxes"),
    OF_TRACKS[0],
)
"""In the order of `Metric`."""
NAMES_OF_TRACKS = tuple(number.name for number in OF_TRACKS)
LATER_OF_TRACKS = OF_TRACKS[2:]
"""Those of which nothing but the declaration knows the name, except where a rule takes it."""
