"""Reads all units of a check as counted now, and draws a sample from them by a seed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from frametally.books.evidence import FramesBehind, ProvedFrame
from frametally.errors import Misconfigured, Retryable
from frametally.ports.count_index import CountIndex
from frametally.ports.ledger import Ledger
from frametally.ports.object_store import ObjectMissing, ObjectStore
from frametally.ports.picture_places import CheckedMetric, EventPlace
from frametally.records import FrameDetections
from frametally.rules.counted_boxes import CountedBoxes, least_float
from frametally.rules.times import DAY_MS, HOUR_MS
from frametally.settings.loading import Settings
from frametally_accuracy.records import CheckedBox, CheckUnit
from frametally_accuracy.rules.drawing import (
    Draws,
    Numbers,
    Whole,
    draw,
    random_shares,
    unit_weights,
    zones_of,
)
from frametally_accuracy.rules.estimation import LEAST_ROUNDS
from frametally_accuracy.rules.levels import steady_counts, unusual_counts
from frametally_accuracy.staleness import BarGrid, BarSums

MOST_FRAMES = 500_000
"""Most frames of a check, because all are read into memory when it starts."""
_NEAR = 0.15
"""The model is unsure of a box whose confidence is this close to the threshold."""
COUNT_FIRST = "run `frametally aggregate` and `frametally index` first, or choose another range"


class CheckFootage(NamedTuple):
    """Where to read frames from.

    Attributes:
        store: The store with the segments.
        ledger: The ledger, up to date with the store.
        counts: The index, which has the settings that days were counted with.
        settings: Settings of days without recorded settings.
    """

    store: ObjectStore
    ledger: Ledger
    counts: CountIndex
    settings: Settings


class CheckScope(NamedTuple):
    """The footage and counts of a check.

    Attributes:
        metric: The counted metric.
        place: The line, for crossings.
        model: The model of the counts.
        sources: Slugs.
        labels: Classes; empty for all that occur.
        from_ms: Event time of its start.
        to_ms: Event time of its end, exclusive.
    """

    metric: CheckedMetric
    place: EventPlace | None
    model: str
    sources: Sequence[str]
    labels: Sequence[str]
    from_ms: int
    to_ms: int


class CheckedUnit(NamedTuple):
    """A unit of the population, with the fields of `CheckUnit`."""

    source: str
    captured_at_ms: int
    image_path: str
    width_px: int
    height_px: int
    boxes: tuple[CheckedBox, ...] = ()
    to_ms: int | None = None
    frames: int = 1
    counts: dict[str, int] = {}  # noqa: RUF012 - nobody changes it


class Population(NamedTuple):
    """The units of a check by source and time.

    Attributes:
        members: The units, each once.
        labels: Labels of the check.
        counts: Counts by unit and label.
        weights: Weights of the units.
        zones: Zones of the units.
        params: Hashes of the settings that their days were counted with.
        place: The line, for crossings.
        footage: Stretches of the pieces, as in `AccuracyCheck.footage`.
        steady: Part of the counts that stays from unit to unit.
        unusual: Whether counts are unusual, by unit and label.
        by_second: Numbers of frames (label "") and counts, by source, second and label.
    """

    members: list[CheckedUnit]
    labels: tuple[str, ...]
    counts: Numbers
    weights: Numbers
    zones: Whole
    params: tuple[str, ...]
    steady: Numbers
    unusual: NDArray[np.bool_]
    place: EventPlace | None = None
    footage: tuple[tuple[str, int, int], ...] = ()
    by_second: Mapping[tuple[str, int, str], int] = {}

    def sha256(self) -> str:
        """Return a digest of all units, counts and weights, and of the place."""
        place = self.place
        drawn = () if place is None else (place.name, sorted(place.directions), place.shapes)
        digest = hashlib.sha256(msgspec.json.encode((self.labels, drawn) if drawn else self.labels))
        for unit, counts, weight in zip(self.members, self.counts, self.weights, strict=True):
            row = [unit.source, unit.captured_at_ms, unit.image_path, *map(int, counts), f"{weight:.9f}"]
            of_piece = [] if unit.to_ms is None else [unit.to_ms, unit.frames]
            digest.update(msgspec.json.encode(row + of_piece) + b"\n")
        return digest.hexdigest()

    def facts(self) -> dict[str, Any]:
        """Return the values that a check records, by field of `AccuracyCheck`."""
        ends = (np.flatnonzero(self.zones == zone)[[0, -1]] for zone in range(int(self.zones.max()) + 1))
        is_of_pieces = self.members[0].to_ms is not None
        return {
            "units": len(self.members),
            "frames": sum(unit.frames for unit in self.members) if is_of_pieces else 0,
            "footage": self.footage,
            "totals": self._by_label(self.counts.sum(axis=0)),
            "steady_totals": self._by_label(self.steady.sum(axis=0)),
            "population_sha256": self.sha256(),
            "zones": tuple(
                (first.source, first.captured_at_ms, last.source, last.captured_at_ms)
                for first, last in ([self.members[end] for end in pair] for pair in ends)
            ),
            "zone_units": tuple(int(number) for number in np.bincount(self.zones)),
        }

    def _by_label(self, numbers: Numbers) -> dict[str, int]:
        return {label: int(number) for label, number in zip(self.labels, numbers, strict=True)}

    def sums(self, grid: BarGrid) -> BarSums:
        """Return the counts in each bar of a grid."""
        sums: Counter[tuple[str, int, str]] = Counter()
        for (source, second, label), number in self.by_second.items():
            start_ms = grid.start_ms(second * 1000)
            if start_ms is not None:
                sums[source, start_ms, label] += number
        return sums

    def draws(self, seed: str) -> Draws:
        """Return all draws of a seed."""
        shares = random_shares(seed, (unit.image_path for unit in self.members))
        return draw(self.weights, self.zones, shares)

    def units(self, seed: str, most: int) -> list[CheckUnit]:
        """Return the first units drawn by a seed, in whole rounds, until there are `most`."""
        draws = self.draws(seed)
        zones = draws.units.shape[1]
        units: list[CheckUnit] = []
        for row in range(len(draws.units)):
            if row >= LEAST_ROUNDS and len(units) >= most:
                break
            # The order within a round is random too, so that no one knows which camera comes next.
            shares = random_shares(f"{seed}/{row}", map(str, range(zones)))
            for zone in np.argsort(shares, kind="stable"):
                if (unit := int(draws.units[row, zone])) >= 0:
                    units.append(
                        CheckUnit(
                            number=len(units),
                            round=row,
                            zone=int(zone),
                            weight=float(draws.weights[row, zone]),
                            rest=float(draws.rest[row, zone]),
                            steady={
                                label: number
                                for label, number in self._by_label(self.steady[unit]).items()
                                if number
                            },
                            unusual=tuple(
                                label
                                for label, is_unusual in zip(self.labels, self.unusual[unit], strict=True)
                                if is_unusual
                            ),
                            **self.members[unit]._asdict(),
                        )
                    )
        return units


class CountedFrames:
    """Reads the counted frames one by one."""

    def __init__(self, footage: CheckFootage, scope: CheckScope) -> None:
        """Read the settings of the days.

        Raises:
            Misconfigured: Nothing of this model is counted.
            Retryable: A port is unavailable.
        """
        series = [entry for entry in footage.counts.series() if entry.model == scope.model]
        if not series:
            raise Misconfigured(f"nothing from model {scope.model!r} is counted; {COUNT_FIRST}")
        self.base_interval_s = series[0].base_interval_s
        self._footage, self._scope = footage, scope
        counted = scope.model, self.base_interval_s
        self._behind = FramesBehind(footage.store, footage.ledger, footage.counts, footage.settings, counted)

    @property
    def params(self) -> tuple[str, ...]:
        """Hashes of the settings that the range's days were counted with."""
        counted_with = self._behind.by_day.between(self._scope.from_ms, self._scope.to_ms)
        return tuple(sorted({one.params for one in counted_with}))

    def read(self) -> Iterator[tuple[ProvedFrame, CountedBoxes]]:
        """Yield each frame with the rule for its counted boxes, by source and time.

        Raises:
            Misconfigured: There are no frames, or too many.
            Retryable: A port is unavailable.
        """
        every = (found for one in sorted(set(self._scope.sources)) for found in self._of_source(one))
        number = 0
        for number, found in enumerate(every, 1):
            if number > MOST_FRAMES:
                raise Misconfigured(
                    f"a check can cover at most {MOST_FRAMES:,} frames; choose a shorter range or fewer "
                    "sources"
                )
            yield found
        if not number:
            raise Misconfigured(f"these sources have no counted frames in this range; {COUNT_FIRST}")

    def _of_source(self, source: str) -> Iterator[tuple[ProvedFrame, CountedBoxes]]:
        footage, model, span = self._footage, self._scope.model, (self._scope.from_ms, self._scope.to_ms)
        parts = footage.ledger.parts(model, source, from_ms=span[0], to_ms=span[1])
        days = {
            day
            for part in parts
            for day in range(
                max(part.first_ms, span[0]) // DAY_MS, min(part.last_ms, span[1] - 1) // DAY_MS + 1
            )
        }
        try:
            for day_ms in (day * DAY_MS for day in sorted(days)):
                limits = self._behind.limits_at(day_ms)
                for frame in self._behind.read(source, max(span[0], day_ms), min(span[1], day_ms + DAY_MS)):
                    yield frame, limits
        except ObjectMissing as error:
            raise Retryable(f"{error}; the ledger is being updated from the store") from error


def unsure_labels(frame: FrameDetections, limits: CountedBoxes) -> Iterator[str]:
    """Yield the label of each box of a frame that is close to the threshold, on either side."""
    least = least_float(limits.min_confidence, 10_000)
    return (box.label for box in frame.detections if abs(box.confidence - least) < _NEAR)


def read_frames(footage: CheckFootage, scope: CheckScope) -> Population:
    """Return the population of counted frames.

    Raises:
        Misconfigured: There are no frames, or too many.
        Retryable: A port is unavailable.
    """
    frames = CountedFrames(footage, scope)
    proved = [*frames.read()]
    seen = {box.label for one, _ in proved for box in one.boxes}
    kept = tuple(sorted(set(scope.labels) or seen))
    if not kept:
        raise Misconfigured("the model counts nothing in these frames; give the labels to check")
    place = {label: number for number, label in enumerate(kept)}
    counts, doubts = (np.zeros((len(proved), len(kept))) for _ in range(2))
    members = []
    for number, ((frame, counted), limits) in enumerate(proved):
        boxes = tuple(CheckedBox(box.label, box.box, box.confidence) for box in counted if box.label in place)
        for box in boxes:
            counts[number, place[box.label]] += 1
        for label in unsure_labels(frame, limits):
            if label in place:
                doubts[number, place[label]] += 1
        members.append(
            CheckedUnit(
                frame.source, frame.captured_at_ms, frame.image_path, frame.width_px, frame.height_px, boxes
            )
        )
    weights = unit_weights(counts, doubts)
    by_second = Counter(
        (frame.source, frame.captured_at_ms // 1000, label)
        for frame in members
        for label in ("", *(box.label for box in frame.boxes))
    )
    zones, levels = zones_of(weights), levels_of(members, counts)
    return Population(members, kept, counts, weights, zones, frames.params, *levels, by_second=by_second)


def levels_of(members: Sequence[CheckedUnit], counts: Numbers) -> tuple[Numbers, NDArray[np.bool_]]:
    """Return the steady part of the counts and whether they are unusual, by unit and label."""
    sources = [unit.source for unit in members]
    hours = np.array([unit.captured_at_ms for unit in members]) / HOUR_MS
    return steady_counts(counts, sources), unusual_counts(counts, sources, hours)
