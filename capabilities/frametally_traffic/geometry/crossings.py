"""Finds the exact crossings of a path and a drawn line: the one rule for lines and for the rims of zones.

A path crosses where it comes onto the line from one side and leaves it to the other. So an object on the line
still counts as on the side that it came from. It has not crossed if it only touches the line, or if its path
begins or ends on it. At a corner the sides are those of the corner; at an end, which belongs to the line,
those of the extended line. Nothing is rounded here.

An object that jitters on the line crosses it once. A point is *clear* of the line if it is further away than
`1 / FLICKER_PART` of the box's height (boxes jitter less, and a path is accurate to a tenth of it). The
passages between two clear points add up to one crossing or none.

`flows/flow_rows.py` is its numpy counterpart. A change of the rule changes both, and raises `FLOWS_VERSION`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Literal, NamedTuple

from frametally.rules.path_columns import UNSEEN_MS
from frametally_traffic.geometry.foot_paths import FollowedPath, FootPath

FLICKER_PART = 4

Place = tuple[int, int]
Exact = int | Fraction


class Passage(NamedTuple):
    """A path's passage over a border, at a part, 0 to 1, of the way from point `step` to the next one.

    `side` is 1 if it goes to the right as seen by someone walking along the border, -1 if to the left.
    """

    step: int
    part: Fraction
    side: int

    def time_ms(self, path: FootPath) -> int:
        """Return the time of the crossing, interpolated linearly; half a millisecond is rounded up."""
        first, last = path.time_ms[self.step : self.step + 2]
        return first + (2 * self.part.numerator * (last - first) + self.part.denominator) // (
            2 * self.part.denominator
        )


class Change(NamedTuple):
    """A path's change of sides without flicker: the last passage in that direction.

    `is_clear`: whether the path was clear of the border before or after it.
    """

    passage: Passage
    is_clear: bool


def tenths(points: Sequence[tuple[float, float]]) -> list[Place]:
    """Return points, given in pixels, as whole tenths of a pixel; halves are rounded to even."""
    return [(round(x * 10), round(y * 10)) for x, y in points]


class Border:
    """A line that goes through `points`, in tenths of a pixel, or a ring of them.

    It does not meet itself; the checks of drawings ensure that.
    """

    def __init__(self, points: Sequence[Place], *, is_closed: bool = False) -> None:
        """Connect the points in order.

        Raises:
            ValueError: They are all in one place.
        """
        distinct = [points[0], *(now for before, now in pairwise(points) if now != before)]
        if is_closed and distinct[-1] != distinct[0]:
            distinct.append(distinct[0])
        if len(distinct) < 2:
            raise ValueError("a border needs at least two points that are at least a tenth of a pixel apart")
        self.pieces = [(ax, ay, bx - ax, by - ay) for (ax, ay), (bx, by) in pairwise(distinct)]
        self.is_closed = is_closed
        self._left, self._right = min(x for x, _ in distinct), max(x for x, _ in distinct)
        self._top, self._bottom = min(y for _, y in distinct), max(y for _, y in distinct)

    def is_far(self, path: FootPath) -> bool:
        """Return whether a path stays outside the rectangle around this border, so that they cannot meet."""
        return (
            max(path.x) < self._left
            or min(path.x) > self._right
            or max(path.y) < self._top
            or min(path.y) > self._bottom
        )

    def distance2(self, x: Exact, y: Exact) -> Fraction:
        """Return the squared distance to a place, in tenths of a pixel."""
        return min(Fraction(*_distance2(piece, x, y)) for piece in self.pieces)

    def is_clear(self, x: Exact, y: Exact, height: Exact) -> bool:
        """Return whether a foot point is so far away that what happens before and after it is separate."""
        return self._is_beyond(x, y, height * height)

    def _is_beyond(self, x: Exact, y: Exact, height2: Exact) -> bool:
        for piece in self.pieces:
            over, under = _distance2(piece, x, y)
            if FLICKER_PART * FLICKER_PART * over <= height2 * under:
                return False
        return True

    def changes(self, path: FootPath) -> Iterator[Change]:
        """Yield a path's changes of sides by time, without flicker."""
        if self.is_far(path):
            return
        passages = list(self.passages(path))
        if not passages:
            return
        start = Passage(0, Fraction(0), 0)
        end = Passage(len(path.x) - 1, Fraction(0), 0)
        was_clear = self._is_clear_between(path, start, passages[0])
        run = [passages[0]]
        for before, now in pairwise([*passages, end]):
            if not (is_clear := self._is_clear_between(path, before, now)) and now is not end:
                run.append(now)
                continue
            to_right = sum(passage.side for passage in run)
            if to_right:
                side = 1 if to_right > 0 else -1
                last = max(passage for passage in run if passage.side == side)
                yield Change(last, was_clear or is_clear)
            run, was_clear = [now], is_clear

    def _is_clear_between(self, path: FootPath, since: Passage, until: Passage) -> bool:
        """Return whether a path is clear of this border between two passages.

        This checks its points, and half way between them: it may go straight through a narrow zone or over a
        corner. From one straight piece, no place between two points is further away than both.
        """
        first = since.step if not since.part else since.step + 1
        if any(
            self.is_clear(path.x[step], path.y[step], path.height[step])
            for step in range(first, until.step + 1)
        ):
            return True
        return len(self.pieces) > 1 and any(
            self.is_clear(*(along(column, half_way) for column in (path.x, path.y, path.height)))
            for half_way in _half_ways(since, until)
        )

    def passages(self, path: FootPath) -> Iterator[Passage]:
        """Yield a path's passages over this border by time, including flicker."""
        came_from = 0  # side from which it came onto the line; 0 if it is not on it, or unknown
        for step, (x, y, to_x, to_y) in enumerate(
            zip(path.x[:-1], path.y[:-1], path.x[1:], path.y[1:], strict=True)
        ):
            meetings = self._meetings(x, y, to_x, to_y)
            if 0 not in meetings:
                came_from = 0
            dx, dy = to_x - x, to_y - y
            for part in sorted(meetings):
                place = x + part * dx, y + part * dy
                if part > 0:
                    came_from = self._side(meetings[part], place, -dx, -dy) or came_from
                if part < 1 and (side := self._side(meetings[part], place, dx, dy)):
                    if came_from == -side:
                        yield Passage(step, part, side)
                    came_from = 0

    def _meetings(self, x: int, y: int, to_x: int, to_y: int) -> dict[Fraction, int]:
        """Return at which parts of a step it comes onto the border or leaves it, and on which piece."""
        left, right = (x, to_x) if x < to_x else (to_x, x)
        top, bottom = (y, to_y) if y < to_y else (to_y, y)
        if right < self._left or left > self._right or bottom < self._top or top > self._bottom:
            return {}
        dx, dy = to_x - x, to_y - y
        meetings: dict[Fraction, int] = {}
        for number, (ax, ay, ux, uy) in enumerate(self.pieces):
            before = ux * (y - ay) - uy * (x - ax)
            after = ux * (to_y - ay) - uy * (to_x - ax)
            if (before > 0 and after > 0) or (before < 0 and after < 0):
                continue
            if before != after:
                start = dx * (ay - y) - dy * (ax - x)
                end = start + dx * uy - dy * ux
                if not ((start > 0 and end > 0) or (start < 0 and end < 0)):
                    meetings[Fraction(before, before - after)] = number
            elif _distance2(self.pieces[number], x, y)[0] == 0:  # it moves along the piece, or stands on it
                meetings[Fraction(0)] = number
        return meetings

    def _side(self, number: int, place: tuple[Exact, Exact], dx: int, dy: int) -> int:
        """Return the side that a small step from `place` on a piece leads to; 0 if along the border."""
        ax, ay, ux, uy = piece = self.pieces[number]
        arrival, goes = piece, piece
        if place == (ax, ay) and (number or self.is_closed):
            arrival = self.pieces[number - 1]
        elif place == (ax + ux, ay + uy) and (number + 1 < len(self.pieces) or self.is_closed):
            goes = self.pieces[(number + 1) % len(self.pieces)]
        of_came = arrival[2] * dy - arrival[3] * dx
        of_goes = goes[2] * dy - goes[3] * dx
        turn = arrival[2] * goes[3] - arrival[3] * goes[2]
        if turn < 0:  # the border turns towards the narrow side of the corner
            return 1 if of_came > 0 or of_goes > 0 else -1 if of_came < 0 and of_goes < 0 else 0
        return -1 if of_came < 0 or of_goes < 0 else 1 if of_came > 0 and of_goes > 0 else 0


def _half_ways(since: Passage, until: Passage) -> Iterator[Passage]:
    for step in range(since.step, until.step + 1):
        first = since.part if step == since.step else Fraction(0)
        last = until.part if step == until.step else Fraction(1)
        if first < last:
            yield Passage(step, (first + last) / 2, 0)


def along(column: Sequence[int], passage: Passage) -> Fraction:
    """Return the interpolated value of one of a path's columns at a passage."""
    first, last = column[passage.step : passage.step + 2]
    return first + passage.part * (last - first)


def _distance2(piece: tuple[int, int, int, int], x: Exact, y: Exact) -> tuple[Exact, int]:
    """Return the squared distance from a piece to a place as a fraction: numerator, denominator."""
    ax, ay, ux, uy = piece
    px, py = x - ax, y - ay
    length2 = ux * ux + uy * uy
    along = px * ux + py * uy
    if along <= 0:
        return px * px + py * py, 1
    if along >= length2:
        px, py = px - ux, py - uy
        return px * px + py * py, 1
    across = ux * py - uy * px
    return across * across, length2


Direction = Literal["to_right", "to_left"]
"""The side to which a crossing goes, as seen by someone walking along the line from its first point to its
last."""

CrossingMissing = Literal["too_few_boxes", "gap", "never_clear", "hidden", "cut_path"]
"""Why a crossing is not measured. `too_few_boxes`: fewer than three boxes, or none near enough to the line.
`gap`: none near enough, as it was unseen for more than a second. `never_clear`: seen only on the line or
close to it. `hidden`: it came back as its box changed in size, and crossed again, so its lower part was
hidden. `cut_path`: the path begins just beyond the line or ends just short of it."""

LEAST_BOXES = 3
NEAR_HEIGHTS = 4
"""Boxes further apart prove no crossing. With 5 boxes a second, a car 1.5 m high may drive at 108 km/h."""
JUMP_PART = 4
"""A box that gains or loses `1 / JUMP_PART` of its greater height within a second has not moved like that."""


class Crossing(NamedTuple):
    """An object's crossing from one side of a line to the other.

    Attributes:
        time_ms: Interpolated time; with flicker on the line, of the last passage in this direction.
        step: Point of the path before it; this one and the next are the boxes that prove it.
        missing: Why it is not measured and counts in no direction; None if it is measured.
    """

    time_ms: int
    direction: Direction
    step: int
    missing: CrossingMissing | None


def crossings_of(followed: FollowedPath, line: Border) -> list[Crossing]:
    """Return an object's crossings of a line within its hours, by time.

    A crossing is measured if the path has three boxes, the boxes around it are at most `NEAR_HEIGHTS` of
    their heights apart (so both sides of a gap are near the line), and the object was seen clear of the line
    on at least one side. On the other side it may have ended, as at the border of the picture.

    An object that comes back as its box jumps in size, and crosses again, has not turned round: its lower
    part was hidden. These two crossings are not measured, so it counts once.
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
    """Return whether a box's height jumps by `1 / JUMP_PART` of the greater one in a second at most."""
    first, last = path.height[step : step + 2]
    is_brief = path.time_ms[step + 1] - path.time_ms[step] <= UNSEEN_MS
    return is_brief and first != last and JUMP_PART * abs(last - first) >= max(first, last)


def why_sparse(path: FootPath, passage: Passage) -> Literal["too_few_boxes", "gap"] | None:
    """Return why the boxes around a passage do not prove it, or None if they do."""
    step = passage.step
    boxes = path.boxes[step + 1]
    dx, dy = path.x[step + 1] - path.x[step], path.y[step + 1] - path.y[step]
    reach = NEAR_HEIGHTS * boxes * along(path.height, passage)
    if dx * dx + dy * dy <= reach * reach and sum(path.boxes) >= LEAST_BOXES:
        return None
    passed_ms = path.time_ms[step + 1] - path.time_ms[step]
    return "gap" if boxes == 1 and passed_ms > UNSEEN_MS else "too_few_boxes"
