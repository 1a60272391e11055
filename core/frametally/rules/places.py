"""Places in a source's picture where objects are counted. In their series, they take the role of sources.

The series `<model>~flows` (crossings, movements, zones' comings and goings, from tracks) has these places:

- `<source>/line/<line>/<to_right | to_left | not_measured>`;
- `<source>/movement/<line come over>/<line gone over>`;
- `<source>/visits/<unassigned | never_at_a_leg>`;
- `<source>/zone/<zone>/<field of ZoneCounts>`.

The series `<model>~zones` (boxes whose foot point is in a zone, from frames) has `<source>/zone/<zone>`. Its
counts are made with those of the model, and published in the same runs. Names are escaped as in the path of
an URL. Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote

FLOWS = "flows"
ZONES = "zones"
SIMULATED_MODEL = "simulated-town"
"""The model that the demo's simulated town is counted by, and nothing else; it is never the default."""
_MARK = "~"


Corners = tuple[tuple[float, float], ...]
Size = tuple[int, int]
"""Width and height of a picture, in pixels."""
_SHAPE_OFF = 0.01


@lru_cache(maxsize=1024)
def has_one_shape(size: Size, other: Size) -> bool:
    """Return whether pictures of two sizes may be one picture, scaled.

    Their proportions differ by 1 % at most, or by as much as the rounding of sides to whole pixels explains.
    """
    (width, height), (other_width, other_height) = sorted((size, other))
    off = abs(width * other_height - height * other_width)
    return off <= max(_SHAPE_OFF * height * other_width, (other_width + other_height) / 2)


def common_sizes(sizes: Iterable[Size]) -> dict[Size, Size]:
    """Return by each size the largest of its shape: scaled to that, boxes and paths lose nothing.

    A size of 0, which says nothing, is a shape of its own.
    """
    largest: list[Size] = []
    common = {}
    for size in sorted(set(sizes), key=lambda size: (size[0] * size[1], size), reverse=True):
        same_shape = (other for other in largest if all(size) and has_one_shape(size, other))
        common[size] = next(same_shape, size)
        if common[size] == size:
            largest.append(size)
    return common


def scaled(value: int, side: int, to_side: int) -> int:
    """Return a whole number of tenths of a pixel, of a picture with one side, on a picture with another."""
    return value if side == to_side else (2 * value * to_side + side) // (2 * side)


class SizedFrame(Protocol):
    """A frame, as far as it decides what of a drawing is on it; sides of 0 are unknown."""

    @property
    def captured_at_ms(self) -> int: ...  # noqa: D102
    @property
    def width_px(self) -> int: ...  # noqa: D102
    @property
    def height_px(self) -> int: ...  # noqa: D102


class ZoneShape(NamedTuple):
    """A part of a source's picture, as a run was counted within it.

    Attributes:
        name: Of a source, at one time no two have the same.
        points: In turn, in pixels of the picture of `drawn_over`; without it, in tenths of a pixel of the
            frames.
        from_ms: Event time from which on it holds; None: from the first.
        to_ms: Event time before which it does; None: to the last.
        drawn_over: Size of the picture under the drawing; None: it is scaled to the frames.
    """

    name: str
    points: Corners
    from_ms: int | None = None
    to_ms: int | None = None
    drawn_over: Size | None = None

    def is_on(self, frame: SizedFrame) -> bool:
        """Return whether it is there on a frame: at its time, and in a picture of its shape."""
        size = frame.width_px, frame.height_px
        return self.holds_at(frame.captured_at_ms) and (
            self.drawn_over is None or has_one_shape(self.drawn_over, size)
        )

    def holds_at(self, time_ms: int) -> bool:
        """Return whether it holds at an event time."""
        return (self.from_ms is None or self.from_ms <= time_ms) and (
            self.to_ms is None or time_ms < self.to_ms
        )


Zones = tuple[ZoneShape, ...]


def parse_zones(fields: Iterable[Sequence[Any]]) -> Zones:
    """Read zones from JSON, where each is its fields in order."""
    return tuple(ZoneShape(*map(as_tuples, zone)) for zone in fields)


def as_tuples(value: Any) -> Any:
    """Return what JSON has as lists as tuples."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


def zones_between(zones: Iterable[ZoneShape], from_ms: int, to_ms: int) -> Zones:
    """Return the zones that hold in some of `[from_ms, to_ms)`, their times limited to it.

    So changes at other times leave them as they are.
    """
    return tuple(
        zone._replace(
            from_ms=None if zone.from_ms is None or zone.from_ms <= from_ms else zone.from_ms,
            to_ms=None if zone.to_ms is None or zone.to_ms >= to_ms else zone.to_ms,
        )
        for zone in zones
        if (zone.from_ms is None or zone.from_ms < to_ms) and (zone.to_ms is None or zone.to_ms > from_ms)
    )


class ZoneParts(NamedTuple):
    """What a run counted within zones; no names: none of its zones has frames any more.

    Attributes:
        names: Of the part files, in order.
        crc32: Of the lines of each.
        duplicates_dropped: Lines that repeated a frame, once a zone.
        footage_sha256: As in the run, over the footage of sources with zones.
        hours: By `within_zones` of a source 16 hex of its hour files.
    """

    names: tuple[str, ...] = ()
    crc32: tuple[int, ...] = ()
    frames: int = 0
    duplicates_dropped: int = 0
    hours: Mapping[str, str] = {}
    footage_sha256: str = ""


class Place(NamedTuple):
    """A part of a source's picture, or what happens there.

    Attributes:
        kind: `line`, `movement`, `visits` or `zone`.
        names: What follows the kind, unescaped.
    """

    source: str
    kind: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join((self.source, self.kind, *(quote(name, safe="") for name in self.names)))


def parse_place(text: str) -> Place:
    """Read a place. Raises `ValueError` where it is not one, as for a source itself."""
    source, kind, *names = text.split("/")
    return Place(source, kind, tuple(map(unquote, names)))


def source_of(text: str) -> str:
    """Return the source of a place; of a source, itself."""
    return text.partition("/")[0]


def within_zones(source: str) -> str:
    """Return the name under which a run has the hours of a source's zones: `<source>/zones`."""
    return f"{source}/{ZONES}"


def series_model(model: str, series: str) -> str:
    """Return the model's part of the name of the series `flows` or `zones` of a model."""
    return f"{model}{_MARK}{series}"


def base_model(series: str) -> str:
    """Return the model whose detections a series was counted from; of a model, itself."""
    return series.partition(_MARK)[0]


def series_of(model: str) -> str:
    """Return which series of places it is, `flows` or `zones`; of a model, an empty text."""
    return model.partition(_MARK)[2]


def in_words(model: str) -> str:
    """Return a series as people read it, `<model>, within zones`; of a model, itself."""
    where = {FLOWS: ", at lines and zones", ZONES: ", within zones"}.get(series_of(model), "")
    return f"{base_model(model)}{where}"


def is_of_places(model: str) -> bool:
    """Return whether a series' sources are places, not sources."""
    return _MARK in model
