"""Decides which boxes count: one rule for the counting job, its tracks and the proof of a bar."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, Protocol

from frametally.errors import Misconfigured
from frametally.rules.known import LATER_OF_TRACKS

COUNTING_VERSION = 12 + len(LATER_OF_TRACKS)
"""Raised whenever the same segments and settings would give different part files; all days are then stale.
A number that is declared raises it."""

MIN_CONFIDENCE = 0.25
MIN_TRACKING_FPS = 5.0
TRACK_LABEL_CONFIDENCE = "*=0.6,bus=0.4,car=0.4,truck=0.4"
TRACK_GROUPS = "two-wheeler=bicycle+motorbike,vehicle=bus+car+truck"
"""The defaults of the settings of these names; the counting job starts from them, too."""

FRAMES_FOR_A_DETECTION = 100
"""A working model finds something in this many frames that show something."""


class DetectedBox(Protocol):
    """One box: `confidence` 0 to 1, `box` as (left, top, width, height) in pixels."""

    @property
    def label(self) -> str: ...  # noqa: D102
    @property
    def confidence(self) -> float: ...  # noqa: D102
    @property
    def box(self) -> tuple[float, float, float, float]: ...  # noqa: D102


class CountedBoxes(NamedTuple):
    """Which boxes count, compared in the stored integer units.

    Attributes:
        min_confidence: Least confidence of a counted box, in ten-thousandths.
        min_side: Least length of a box's shorter side, in tenths of a pixel of its stored frame; 0 for any.
        labels: Labels to count, sorted; empty for all.
    """

    min_confidence: int
    min_side: int = 0
    labels: tuple[str, ...] = ()

    @classmethod
    def from_limits(cls, *, min_confidence: float, min_side_px: float, labels: str) -> CountedBoxes:
        """Read the limits as people write them: 0 to 1, pixels, labels separated by commas."""
        return cls(_units(min_confidence, 10_000), _units(min_side_px, 10), label_list(labels))

    def rule(self) -> Callable[[DetectedBox], bool]:
        """Return the test of one box, to be reused for many boxes."""
        least_confidence = least_float(self.min_confidence, 10_000)
        least_side = least_float(self.min_side, 10) if self.min_side else None
        labels = frozenset(self.labels)

        def is_sure(box: DetectedBox) -> bool:
            return box.confidence >= least_confidence

        def counts(box: DetectedBox) -> bool:
            return (
                is_sure(box)
                and (least_side is None or min(box.box[2:]) >= least_side)
                and (not labels or box.label in labels)
            )

        return counts if least_side is not None or labels else is_sure


@cache
def least_float(least: int, units: int) -> float:
    """Return the smallest float that is at least `least` when rounded to whole `units`.

    Comparing a float with this one gives the same result as rounding it, at a third of the cost.
    """
    number = (least - 0.5) / units
    while round(number * units) >= least:
        number = math.nextafter(number, -math.inf)
    while round(number * units) < least:
        number = math.nextafter(number, math.inf)
    return number


def label_list(text: str) -> tuple[str, ...]:
    """Return the distinct comma-separated labels, sorted."""
    return tuple(sorted({label.strip() for label in text.split(",")} - {""}))


def _units(value: float, units: int) -> int:
    """Return the smallest whole number of units not below `value`; rounds first, as 0.07 * 100 is 7.0…1."""
    return math.ceil(round(value * units, 6))


LabelGroups = tuple[tuple[str, tuple[str, ...]], ...]
"""Pairs of a group's name and its labels, both sorted; a label is in one group at most."""


def label_groups(text: str) -> LabelGroups:
    """Read groups of labels, such as `vehicle=car+truck, two-wheeler=bicycle+motorbike`; return them sorted.

    Raises `Misconfigured` for a group without a name or with fewer than two labels, a repeated name, or a
    label in two groups.
    """
    groups: dict[str, tuple[str, ...]] = {}
    for item in filter(str.strip, text.split(",")):
        name, _, members = item.partition("=")
        labels = tuple(sorted({label.strip() for label in members.split("+")} - {""}))
        if not name.strip() or name.strip() in groups or len(labels) < 2:
            raise Misconfigured(
                f"FRAMETALLY_TRACK_GROUPS: {item.strip()!r} is not a new name with two or more labels; "
                "write it like vehicle=car+truck+bus"
            )
        groups[name.strip()] = labels
    return checked_groups(tuple(sorted(groups.items())))


def checked_groups(groups: LabelGroups) -> LabelGroups:
    """Return `groups` unchanged. Raises `Misconfigured` if a label is in two groups."""
    grouped = [label for _, labels in groups for label in labels]
    twice = sorted({label for label in grouped if grouped.count(label) > 1})
    if twice:
        raise Misconfigured(
            f"FRAMETALLY_TRACK_GROUPS: {twice[0]!r} is in two groups; leave it in only one of them"
        )
    return groups
