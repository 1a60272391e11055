"""Names the places in a source's picture where objects are counted; in their series they act as sources.

The series `<model>~flows` (crossings, movements, entries and exits of zones, from tracks) has these places:

- `<source>/line/<line>/<to_right | to_left | not_measured>`;
- `<source>/movement/<line come over>/<line gone over>`;
- `<source>/visits/<unassigned | never_at_a_leg>`;
- `<source>/zone/<zone>/<field of ZoneCounts>`.

The series `<model>~zones` (boxes whose foot point is in a zone, from frames) has `<source>/zone/<zone>`. Its
counts are made with the model's counts and published in the same runs. Names are escaped as in a URL path.
Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote

FLOWS = "flows"
ZONES = "zones"
SIMULATED_MODEL = "simulated-town"
"""The model of the demo's simulated town only; it is never the default."""
_MARK = "~"


Corners = tuple[tuple[float, float], ...]
Size = tuple[int, int]
"""Width and height of a picture, in pixels."""
_SHAPE_OFF = 0.01


@lru_cache(maxsize=1024)
def has_one_shape(size: Size, other: Size) -> bool:
    """Return whether one of two picture sizes may be the other, scaled.

    Their proportions differ by at most 1 %, or by what rounding sides to whole pixels explains.
    """
    (width, height), (other_width, other_height) = sorted((size, other))
    off = abs(width * other_height - height * other_width)
    return off <= max(_SHAPE_OFF * height * other_width, (other_width + other_height) / 2)


def common_sizes(sizes: Iterable[Size]) -> dict[Size, Size]:
    """Return the largest size of the same shape for each size; scaling to it loses no precision.

    An unknown size (0) is its own shape.
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
    """Return tenths of a pixel on a picture side of length `side`, scaled to a side of length `to_side`."""
    return value if side == to_side else (2 * value * to_side + side) // (2 * side)


class SizedFrame(Protocol):
    """The fields of a frame that decide which drawings apply to it; sides of 0 are unknown."""

    @property
    def captured_at_ms(self) -> int: ...  # noqa: D102
    @property
    def width_px(self) -> int: ...  # noqa: D102
    @property
    def height_px(self) -> int: ...  # noqa: D102


class ZoneShape(NamedTuple):
    """A part of a source's picture within which a run was counted.

    Attributes:
        name: Unique within a source at any one time.
        points: The corners in order, in pixels of the picture of `drawn_over`, or in tenths of a pixel of the
            frames if that is None.
        from_ms: Event time from which it applies, or None if it has no start.
        to_ms: Event time before which it applies, or None if it has no end.
        drawn_over: Size of the picture under the drawing, or None if it is scaled to the frames.
    """

    name: str
    points: Corners
    from_ms: int | None = None
    to_ms: int | None = None
    drawn_over: Size | None = None

    def is_on(self, frame: SizedFrame) -> bool:
        """Return whether it applies to a frame: at its time, and in a picture of its shape."""
        size = frame.width_px, frame.height_px
        return self.holds_at(frame.captured_at_ms) and (
            self.drawn_over is None or has_one_shape(self.drawn_over, size)
        )

    def holds_at(self, time_ms: int) -> bool:
        """Return whether it applies at an event time."""
        return (self.from_ms is None or self.from_ms <= time_ms) and (
            self.to_ms is None or time_ms < self.to_ms
        )


Zones = tuple[ZoneShape, ...]


def parse_zones(fields: Iterable[Sequence[Any]]) -> Zones:
    """Return the zones in decoded JSON, each a list of its fields in order."""
    return tuple(ZoneShape(*map(as_tuples, zone)) for zone in fields)


def as_tuples(value: Any) -> Any:
    """Return decoded JSON with all lists as tuples."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


def zones_between(zones: Iterable[ZoneShape], from_ms: int, to_ms: int) -> Zones:
    """Return the zones that apply within `[from_ms, to_ms)`; drop their bounds outside it.

    So changes at other times do not affect the result.
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
    """The results of a run within zones; `names` is empty if none of its zones has frames any more.

    Attributes:
        names: Names of the part files, in order.
        crc32: Checksums of the lines of each part file.
        duplicates_dropped: Lines that repeated a frame, once per zone.
        footage_sha256: As in `Run`, over the footage of sources with zones.
        hours: 16 hex digits of a source's hour files, by `within_zones` of the source.
        zones: By source the zones that hold on the day.
    """

    names: tuple[str, ...] = ()
    crc32: tuple[int, ...] = ()
    frames: int = 0
    duplicates_dropped: int = 0
    hours: Mapping[str, str] = {}
    footage_sha256: str = ""
    zones: Mapping[str, Zones] = {}


class Place(NamedTuple):
    """A part of a source's picture, or what happens there.

    Attributes:
        kind: `line`, `movement`, `visits` or `zone`.
        names: The parts after the kind, unescaped.
    """

    source: str
    kind: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join((self.source, self.kind, *(quote(name, safe="") for name in self.names)))


def parse_place(text: str) -> Place:
    """Parse a place. Raises `ValueError` if it is not one, such as a source."""
    source, kind, *names = text.split("/")
    return Place(source, kind, tuple(map(unquote, names)))


def source_of(text: str) -> str:
    """Return the source of a place, or a source unchanged."""
    return text.partition("/")[0]


def within_zones(source: str) -> str:
    """Return the name under which a run has the hours of a source's zones: `<source>/zones`."""
    return f"{source}/{ZONES}"


def series_model(model: str, series: str) -> str:
    """Return the name of a model's series `flows` or `zones`."""
    return f"{model}{_MARK}{series}"


def base_model(series: str) -> str:
    """Return the model whose detections a series was counted from, or a model unchanged."""
    return series.partition(_MARK)[0]


def series_of(model: str) -> str:
    """Return which series of places it is, `flows` or `zones`, or an empty string for a model."""
    return model.partition(_MARK)[2]


def in_words(model: str) -> str:
    """Return the display name of a series, `<model>, within zones`, or a model unchanged."""
    where = {FLOWS: ", at lines and zones", ZONES: ", within zones"}.get(series_of(model), "")
    return f"{base_model(model)}{where}"


def is_of_places(model: str) -> bool:
    """Return whether it is a series whose sources are places."""
    return _MARK in model
