"""Crossings of a line: time and direction, or the reason why they are unknown.

Standard library only; `flows/flow_rows.py` is the numpy twin: it finds the crossings of many paths at once.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from frametally.rules.path_columns import UNSEEN_MS
from frametally_traffic.geometry.borders import Border, Passage, along
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath

Direction = Literal["to_right", "to_left"]
"""The hand to which a crossing goes, for a person who walks over the picture along the line, from its first
point to its last."""

CrossingMissing = Literal["too_few_boxes", "gap", "never_clear", "hidden"]
"""Why a crossing is not measured: fewer than three boxes; no box near enough to the line; no box near enough,
because it was not seen for more than a second; everything seen of it is on the line, or nearly; it came back
as its box changed in size, and crossed again: its lower part was hidden."""

LEAST_BOXES = 3
NEAR_HEIGHTS = 4
"""Boxes about a crossing that are further apart tell none. At 5 a second a car (of 1.5 m) may do 108 km/h."""
JUMP_PART = 4
"""A box that loses or gains this part of its height, of the greater one, within a second has not moved so."""


class Crossing(NamedTuple):
    """An object has gone from one side of a line to the other.

    Attributes:
        time_ms: When, interpolated; of a flicker on the line, the last time in this direction.
        step: On the way from point `step` of its path to the next one: the boxes that prove it.
        missing: Why it is not measured and counts in no direction; None: it is.
    """

    time_ms: int
    direction: Direction
    step: int
    missing: CrossingMissing | None


def crossings_of(followed: FollowedPath, line: Border) -> list[Crossing]:
    """Return where an object crosses a line within its hours, by time.

    A crossing is measured if the path has three boxes, the boxes about it are at most as far apart as
    `NEAR_HEIGHTS` of their height (so both sides of a gap are near the line), and the object was seen clear
    of the line on at least one side. On the other it may have ended, as at the border of the picture.

    An object that comes back as its box jumps in size, and crosses again, has not turned round: something hid
    its lower part. Neither of these two crossings is measured, so it counts once.
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
    for number in range(1, len(crossings) - 1):
        before, now, after = crossings[number - 1 : number + 2]
        is_undone = before.direction == after.direction != now.direction
        if is_undone and before.missing != "hidden" and jumps(path, now.step):
            crossings[number : number + 2] = [
                crossing if crossing.missing else crossing._replace(missing="hidden")
                for crossing in (now, after)
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
