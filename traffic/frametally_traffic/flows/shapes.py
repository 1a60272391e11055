"""What is drawn over a source, as the counting takes it: whole tenths of a pixel of its stored frames.

`frametally_traffic.drawings` makes it of the stored drawing. Standard library only: a cluster's tasks use it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from frametally.rules.places import Corners, ZoneShape
from frametally_traffic.geometry.crossings import Direction
from frametally_traffic.geometry.ground import Matrix


class LineShape(NamedTuple):
    """A line that is crossed; other fields as `ZoneShape` has them.

    Attributes:
        inward: Of a leg of a junction, the direction of who comes into it; None: it is no leg.
    """

    name: str
    points: Corners
    inward: Direction | None = None
    from_ms: int | None = None
    to_ms: int | None = None


class Calibrated(NamedTuple):
    """A calibration: fields as `Ground` and `ZoneShape` have them; pixels of stored frames."""

    matrix: Matrix
    reach_px: tuple[float, float, float, float]
    scale_error: float
    from_ms: int | None = None
    to_ms: int | None = None


class Shapes(NamedTuple):
    """All that is drawn over one source."""

    lines: tuple[LineShape, ...] = ()
    zones: tuple[ZoneShape, ...] = ()
    grounds: tuple[Calibrated, ...] = ()

    def within(self, from_ms: int, to_ms: int) -> Shapes:
        """Return those that hold in some of `[from_ms, to_ms)`."""
        return Shapes(
            tuple(_holding(self.lines, from_ms, to_ms)),
            tuple(_holding(self.zones, from_ms, to_ms)),
            tuple(_holding(self.grounds, from_ms, to_ms)),
        )

    def to_json(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(self, ensure_ascii=False, separators=(",", ":"))

    def digest(self) -> str:
        """Return 16 hex over all of it."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]


ShapeT = TypeVar("ShapeT", LineShape, ZoneShape, Calibrated)


def parse_shapes(text: str) -> Shapes:
    """Read what `Shapes.to_json` has written."""
    lines, zones, grounds = json.loads(text)
    return Shapes(
        tuple(LineShape(name, _corners(points), *rest) for name, points, *rest in lines),
        tuple(ZoneShape(name, _corners(points), *rest) for name, points, *rest in zones),
        tuple(Calibrated(tuple(matrix), tuple(reach), *rest) for matrix, reach, *rest in grounds),
    )


def holds_at(shape: LineShape | ZoneShape | Calibrated, time_ms: int) -> bool:
    """Return whether a shape holds at an event time."""
    return (shape.from_ms is None or shape.from_ms <= time_ms) and (
        shape.to_ms is None or time_ms < shape.to_ms
    )


def _holding(shapes: Iterable[ShapeT], from_ms: int, to_ms: int) -> Iterable[ShapeT]:
    for shape in shapes:
        if (shape.from_ms is None or shape.from_ms < to_ms) and (
            shape.to_ms is None or shape.to_ms > from_ms
        ):
            yield shape


def _corners(points: Iterable[Iterable[int]]) -> Corners:
    return tuple((x, y) for x, y in points)
