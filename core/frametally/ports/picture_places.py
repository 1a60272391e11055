"""The places of a source's picture, lines and zones: the interface of a plug-in that counts at them.

At most one plug-in has the hook `places`; without it frametally counts whole pictures. The hook's object
imports nothing until one of its methods is called: a page needs no geometry.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, get_args

import msgspec

from frametally.plugins import hooks
from frametally.ports.count_index import CountIndex
from frametally.ports.object_store import ObjectStore
from frametally.records import MediaManifest, Run
from frametally.rules.counted_boxes import DetectedBox
from frametally.rules.places import SizedFrame, Zones
from frametally.settings.loading import Settings

CheckedMetric = Literal["detections", "visits", "crossings"]
"""The metrics that people can check: detections in frames, the others in playable footage."""
CHECKED_METRICS: tuple[CheckedMetric, ...] = get_args(CheckedMetric)


class CountedEvent(NamedTuple):
    """An event.

    Attributes:
        source: Slug.
        at_ms: Event time.
        label: Class name, or a `directed_label` if the event has a direction.
    """

    source: str
    at_ms: int
    label: str


def directed_label(label: str, direction: str) -> str:
    """Return the label of events in one direction, such as `car/to_right`."""
    return f"{label}/{direction}"


class EventShape(msgspec.Struct, frozen=True, kw_only=True):
    """A line over a picture.

    Attributes:
        points: `(x, y)` in pixels of a picture of `width_px` times `height_px`.
        width_px: Width of that picture.
        height_px: Its height.
        from_ms: Event time from which it is valid; null means no limit.
        to_ms: Event time at which it ends, exclusive; null means no limit.
    """

    points: tuple[tuple[float, float], ...]
    width_px: int
    height_px: int
    from_ms: int | None = None
    to_ms: int | None = None


class EventPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A place in a source's picture at which events are counted.

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
        """Return whether it is valid at any time in `[from_ms, to_ms)`."""
        return any(
            (shape.from_ms is None or shape.from_ms < to_ms)
            and (shape.to_ms is None or shape.to_ms > from_ms)
            for shape in self.shapes
        )


class EventFootage(NamedTuple):
    """The data that events are read from.

    Attributes:
        store: Holds the results of runs.
        settings: The process's settings.
        runs: The current runs of all models and series.
        media: All manifests.
    """

    store: ObjectStore
    settings: Settings
    runs: Sequence[Run]
    media: Sequence[MediaManifest]


BoxFilter = Callable[[SizedFrame], Callable[[DetectedBox], bool] | None]
"""Returns which boxes of a frame are in a part of the picture; None if the part is not on that frame."""
BoxFilters = Callable[[str, int], BoxFilter]
"""Returns the filter of a source's boxes in the part, on the UTC day of an event time."""


class PartIndex(ABC):
    """A `CountIndex` of a part: models and sources are those of the picture, counts those of the part."""

    def __init__(self, index: CountIndex) -> None:
        """Read the index of the whole picture, which the caller closes."""
        self.whole = index

    @abstractmethod
    def box_filters(self, model: str, base_interval_s: int) -> BoxFilters:
        """Return the filters of boxes in the part, from the runs of a model and base interval."""

    @abstractmethod
    def covers(self, model: str, source: str) -> bool:
        """Return whether a source has the part, counted or only drawn."""

    @abstractmethod
    def why_not(self, missing: str) -> str:
        """Return the sentence for the reason of an interval of `Histogram.not_within`."""


def box_filters(index: CountIndex, model: str, base_interval_s: int) -> BoxFilters | None:
    """Return which boxes an index counts; None for those of the whole picture."""
    filters = getattr(index, "box_filters", None)
    return filters(model, base_interval_s) if filters else None


class PicturePlaces(Protocol):
    """The hook `places` of a plug-in.

    Attributes:
        node_folders: Its folders that tasks of the counting job need on a cluster's nodes.
    """

    node_folders: Sequence[str]

    def narrowed(
        self, source: str, zones: Zones, frames: Sequence[Any], repeats: Sequence[Any]
    ) -> Iterator[tuple[str, Sequence[Any], int]]:
        """Yield for each zone its place, the frames of its time, and how many of the lines were repeats.

        `frames` (distinct ones) and `repeats` are of the source, as the counting job's tasks read them; the
        frames yielded have only the boxes in the zone.
        """

    def counting_step(self) -> Any:
        """Return the plug-in's `CountingStep`: the zones of the job, and what is counted after it."""

    def is_outdated(self, run: Run) -> bool:
        """Return whether the rules have changed since a run of the series `FLOWS` was counted."""

    def read_files(self, store: ObjectStore, run: Run) -> Iterator[object]:
        """Yield the contents of the files at such a run's `paths`. Raises `Poison` if one has changed."""

    def totals(self, store: ObjectStore, run: Run) -> Mapping[tuple[str, str], int]:
        """Return the numbers of such a run, by what they are of and in words: `("gate, across, car", "out")`.

        Raises:
            Poison: A file is missing or damaged.
        """

    def event_places(self, store: ObjectStore) -> Iterator[EventPlace]:
        """Yield all places where crossings are counted, by source and name. Raises `Poison`."""

    def events(
        self,
        footage: EventFootage,
        place: EventPlace,
        *,
        model: str,
        base_interval_s: int,
        from_ms: int,
        to_ms: int,
    ) -> Iterator[CountedEvent]:
        """Yield the crossings of `[from_ms, to_ms)` at a place in its directions, in any order.

        Raises:
            Poison: The counted data is damaged.
            Retryable: The store is unavailable.
        """

    def within(self, index: CountIndex, store: ObjectStore, zone: str, sources: Sequence[str]) -> CountIndex:
        """Return the index of a zone, a `PartIndex`, of some sources (empty means all).

        Raises:
            Problem: 400, if there is no such zone.
        """

    def zones(self, index: CountIndex, model: str) -> Mapping[str, list[str]]:
        """Return the sorted names of the zones with counts, by source."""

    def check_calibration(self, points: Sequence[Sequence[float]], metres: Sequence[Sequence[float]]) -> None:
        """Raise `Misconfigured` if picture points and their metres do not make a calibration."""

    def draw(
        self,
        store: ObjectStore,
        source: str,
        size_px: tuple[int, int],
        roi: Mapping[str, Any] | None,
        calibration: Mapping[str, Any] | None,
    ) -> list[str]:
        """Draw a video's region and calibration over its source (a slug); return a sentence for each.

        `size_px` is the picture's width and height; `roi`, its region, and `calibration` are JSON.
        """

    def rename(self, store: ObjectStore, former: str, source: str, is_new: bool) -> Iterator[str]:
        """Copy the drawing of a source to its new slug, before its footage is renamed; yield lines about it.

        `is_new` means that nothing else has the slug `source` yet.
        """


def picture_places() -> PicturePlaces | None:
    """Return the places of pictures, or None without the plug-in that draws them."""
    return next(iter(hooks("places")), None)
