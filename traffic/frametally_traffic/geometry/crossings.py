"""Crossings of a line: when, in which direction, and when that is not known. Standard library only."""

from __future__ import annotations

from typing import Literal, NamedTuple

from frametally.rules.path_columns import UNSEEN_MS
from frametally_traffic.geometry.borders import Border, Passage, along
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath

Direction = Literal["to_right", "to_left"]
"""Which hand of somebody who walks over the picture along the line, from its first point to its last, a
crossing goes to."""

CrossingMissing = Literal["too_few_boxes", "gap", "never_clear", "hidden"]
"""Why a crossing is not measured: fewer boxes than three, or none near enough to the line; none near enough,
as it was not seen for more than a second; all that was seen of it lies on the line, or nearly; it came back
as its box changed in size, and went over again: its lower part was hidden."""

LEAST_BOXES = 3
NEAR_HEIGHTS = 4
"""Boxes about a crossing that are further apart tell none. At 5 a second a car (of 1.5 m) may do 108 km/h."""
JUMP_PART = 4
"""A box that loses or gains this part of its height, of the greater one, within a second has not moved so."""


class Crossing(NamedTuple):
    """An object has gone from one side of a line to the other.

    Attributes:
        time_ms: When, interpolated; of a flicker on the line, the last time in this direction.
        direction: To which side.
        step: On the way from point `step` of its path to the next one: the boxes that prove it.
        missing: Why it is not measured and counts in no direction; None: it is.
    """

    time_ms: int
    direction: Direction
    step: int
    missing: CrossingMissing | None


class LineCounts(NamedTuple):
    """Crossings of a line in an interval; those that are not measured apart."""

    to_right: int = 0
    to_left: int = 0
    not_measured: int = 0

    @property
    def gross(self) -> int:
        """All of them: there and back are two."""
        return self.to_right + self.to_left

    @property
    def net(self) -> int:
        """Those to the right less those to the left: there and back are none."""
        return self.to_right - self.to_left


def crossings_of(followed: FollowedPath, line: Border) -> list[Crossing]:
    """Return where an object crosses a line within its hours, by time.

    A crossing is measured if the path has three boxes, the boxes about it are no further apart than
    `NEAR_HEIGHTS` of their height (so both sides of a gap are near the line), and the object was seen clear
    of the line on one side at least. On the other it may have ended, as at the border of the picture.

    One that comes back as its box jumps in size, and goes over again, has not turned round: something hid its
    lower part. Neither of these two crossings is measured, so it counts once.
    """
    path = followed.path
    crossings = [
        Crossing(
            change.passage.time_ms(path),
            "to_right" if change.passage.side > 0 else "to_left",
            change.passage.step,
            why_sparse(path, change.passage) or (None if change.is_clear else "never_clear"),
        )
        for change in line.changes(path)
    ]
    for at in range(1, len(crossings) - 1):
        before, now, after = crossings[at - 1 : at + 2]
        is_undone = before.direction == after.direction != now.direction
        if is_undone and before.missing != "hidden" and jumps(path, now.step):
            crossings[at : at + 2] = [
                one if one.missing else one._replace(missing="hidden") for one in (now, after)
            ]
    return [crossing for crossing in crossings if followed.from_ms <= crossing.time_ms < followed.to_ms]


def jumps(path: FootPath, step: int) -> bool:
    """Return whether a box gains or loses `JUMP_PART` of its height on a step of a second at most."""
    first, last = path.height[step : step + 2]
    is_brief = path.time_ms[step + 1] - path.time_ms[step] <= UNSEEN_MS
    return is_brief and first != last and JUMP_PART * abs(last - first) >= max(first, last)


def why_sparse(path: FootPath, passage: Passage) -> Literal["too_few_boxes", "gap"] | None:
    """Return why the boxes about a passage tell too little of it; None: they tell enough."""
    step = passage.step
    boxes = path.boxes[step + 1]
    dx, dy = path.x[step + 1] - path.x[step], path.y[step + 1] - path.y[step]
    reach = NEAR_HEIGHTS * boxes * along(path.height, passage)
    if dx * dx + dy * dy <= reach * reach and sum(path.boxes) >= LEAST_BOXES:
        return None
    passed_ms = path.time_ms[step + 1] - path.time_ms[step]
    return "gap" if boxes == 1 and passed_ms > UNSEEN_MS else "too_few_boxes"
