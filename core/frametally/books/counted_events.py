"""Events that plug-ins count one by one, each at its moment, such as crossings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple, Protocol, get_args

import msgspec

from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest, Run
from frametally.settings.loading import Settings

CheckedMetric = Literal["detections", "visits", "crossings"]
"""What people can check: detections in frames, the others in pieces of footage that play."""
CHECKED_METRICS: tuple[CheckedMetric, ...] = get_args(CheckedMetric)


class CountedEvent(NamedTuple):
    """An event.

    Attributes:
        source: Slug.
        at_ms: Event time.
        label: Class name; where the event has a direction, as `directed_label` has it.
    """

    source: str
    at_ms: int
    label: str


def directed_label(label: str, direction: str) -> str:
    """Return what tells events of a label in one direction from others: `car/to_right`."""
    return f"{label}/{direction}"


class EventShape(msgspec.Struct, frozen=True, kw_only=True):
    """A line over a picture.

    Attributes:
        points: `(x, y)` in pixels of a picture of `width_px` times `height_px`.
        width_px: Width of that picture.
        height_px: Its height.
        from_ms: Event time from which it holds; null: always.
        to_ms: Event time at which it ends; null: never.
    """

    points: tuple[tuple[float, float], ...]
    width_px: int
    height_px: int
    from_ms: int | None = None
    to_ms: int | None = None


class EventPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where in a source's picture events are counted.

    Attributes:
        name: Its name, such as that of a line.
        directions: Names of the directions that are counted, by `to_right` and `to_left`.
        shapes: The drawn shapes, of all times.
    """

    source: str
    name: str
    directions: dict[str, str]
    shapes: tuple[EventShape, ...]

    def holds_in(self, from_ms: int, to_ms: int) -> bool:
        """Return whether it holds in some of `[from_ms, to_ms)`."""
        return any(
            (shape.from_ms is None or shape.from_ms < to_ms)
            and (shape.to_ms is None or shape.to_ms > from_ms)
            for shape in self.shapes
        )


class EventFootage(NamedTuple):
    """The data that events are read from.

    Attributes:
        store: Holds what runs counted.
        settings: Of the process.
        runs: The current runs of all models and series.
        media: All manifests.
    """

    store: ObjectStore
    settings: Settings
    runs: Sequence[Run]
    media: Sequence[MediaManifest]


class CountedEvents(Protocol):
    """The hook `counted_events` of a plug-in.

    Attributes:
        metric: What it counts, such as `crossings`.
    """

    metric: str

    def places(self, store: ObjectStore) -> Iterator[EventPlace]:
        """Yield all places where it counts, by source and name."""

    def read(
        self,
        footage: EventFootage,
        place: EventPlace,
        *,
        model: str,
        base_interval_s: int,
        from_ms: int,
        to_ms: int,
    ) -> Iterator[CountedEvent]:
        """Yield the events of `[from_ms, to_ms)` at a place in its directions, in any order.

        Raises:
            Poison: What was counted is damaged, or is of an earlier release.
            Retryable: The store is away.
        """
