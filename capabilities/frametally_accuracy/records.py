"""Defines the records of accuracy checks: their footage, their units, and people's answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec

from frametally.ports.picture_places import CheckedMetric, EventPlace
from frametally.records import EventTimeMs
from frametally.rules.times import FIRST_MS, NEXT_MS


class CheckedBox(msgspec.Struct, frozen=True):
    """A box.

    Attributes:
        box: `[left, top, width, height]` in pixels of the frame.
        confidence: Confidence of the model; null if a person drew it.
    """

    label: str
    box: tuple[float, float, float, float]
    confidence: float | None = None


class Tap(msgspec.Struct, frozen=True):
    """An event that a person saw while a piece played.

    Attributes:
        label: One of the check's.
        at_ms: Event time.
    """

    label: str
    at_ms: int


class AccuracyCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A check: its footage, and all data that its sample is drawn from.

    Attributes:
        id: Names it.
        name: Its display name.
        metric: The counted metric.
        place: For crossings, the line as it was drawn when the check began.
        model: The model of the counts.
        sources: Slugs, in order.
        labels: Classes that are checked; of crossings, each in each direction, as `directed_label` has it.
        from_ms: Event time of its first frame, or from which on there are some.
        to_ms: Its end, exclusive.
        seed: Seed of the draws.
        wanted_width: Half-width that is enough, as a part of the total, such as 0.1.
        planned_units: Size of the sample, fixed before; 0 if the checker stops at will.
        params: Hashes of the settings that the days were counted with.
        units: How many units there are: frames, or pieces of footage.
        frames: How many frames the pieces have; 0 where units are frames.
        footage: Where the pieces are: source, and the range of event time that they fill without a hole.
        totals: The model's counts in them, by label.
        steady_totals: How much of that stays from unit to unit, by label.
        population_sha256: Checksum of all units with their counts and weights; see `population`.
        sums_sha256: Checksums of the model's counts, by stored interval (`60`, s); see `staleness`.
        zones: By zone, source and event time of its first and of its last unit.
        zone_units: By zone, how many units it has.
        started_by: Account; empty if there are no accounts.
        started_at_ms: By the database's clock.
    """

    id: str
    name: str
    metric: CheckedMetric = "detections"
    place: EventPlace | None = None
    model: str
    sources: tuple[str, ...]
    labels: tuple[str, ...]
    from_ms: EventTimeMs
    to_ms: Annotated[int, msgspec.Meta(ge=FIRST_MS, le=NEXT_MS)]  # exclusive
    seed: str
    wanted_width: Annotated[float, msgspec.Meta(ge=0.005, le=1)]
    planned_units: int = 0
    params: tuple[str, ...]
    units: int
    frames: int = 0
    footage: tuple[tuple[str, int, int], ...] = ()
    totals: dict[str, int]
    steady_totals: dict[str, int] = {}
    population_sha256: str
    sums_sha256: dict[str, str] = {}
    zones: tuple[tuple[str, int, str, int], ...]
    zone_units: tuple[int, ...]
    started_by: str = ""
    started_at_ms: int = 0

    @property
    def unit_name(self) -> str:
        """The name of its units."""
        return "frames" if self.metric == "detections" else "clips"


class OtherChecks(msgspec.Struct, frozen=True, kw_only=True):
    """The other checks of the same footage, so that no one can show only a favourable check.

    Attributes:
        checks: Checks of the same metric that share footage of a source with this one.
        answered: How many of them have an answer.
    """

    checks: int
    answered: int


class CheckUnit(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that is drawn, or a piece of footage.

    Attributes:
        number: Its place among the draws, from 0.
        round: Number of the round that draws it.
        zone: The zone.
        weight: Its weight.
        rest: Units that its zone had left before the draw.
        source: Slug.
        captured_at_ms: Event time; of a piece, of its first frame.
        to_ms: For a piece, the event time after its last frame; null for a frame.
        frames: How many it has.
        image_path: Key of the frame; of a piece, of its first one.
        width_px: Width of the frame.
        height_px: Height of the frame.
        boxes: Boxes of the check's labels that were counted in a frame when it was drawn.
        counts: The model's counts in a piece at that time, by label.
        steady: How much of its counts stays from unit to unit, by label; see `steady_counts`.
        unusual: Labels of which it counts unusually much or little there; see `unusual_counts`.
    """

    number: int
    round: int
    zone: int
    weight: float
    rest: float
    source: str
    captured_at_ms: int
    to_ms: int | None = None
    frames: int = 1
    image_path: str
    width_px: int
    height_px: int
    boxes: tuple[CheckedBox, ...]
    counts: dict[str, int] = {}
    steady: dict[str, int] = {}
    unusual: tuple[str, ...] = ()

    def counted(self, label: str) -> int:
        """Return the model's count of a label in it."""
        return self.counts.get(label, 0) + sum(box.label == label for box in self.boxes)


class CheckAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A person's answer for a unit.

    Attributes:
        unit: Number of the unit.
        turn: 0 for the first answer, more for a repeated one. All answers of a unit have the same weight.
        person: Name of the account; empty if sign-in was not required.
        answered_at_ms: By the database's clock.
        counts: Objects by label; of every label of the check.
        boxes: The boxes, where they were drawn.
        taps: The taps while a piece played, by time.
        took_ms: How long it took.
        is_missing: Whether a picture of the unit was missing, so that it has no counts.
    """

    unit: int
    turn: int
    person: str
    answered_at_ms: int
    counts: dict[str, int]
    boxes: tuple[CheckedBox, ...] | None = None
    taps: tuple[Tap, ...] | None = None
    took_ms: int | None = None
    is_missing: bool = False


def answers_by_unit(answers: Iterable[CheckAnswer]) -> dict[int, list[CheckAnswer]]:
    """Return the answers of each unit by turn: those with counts, or else that its picture is missing."""
    by_unit: dict[int, list[CheckAnswer]] = {}
    for answer in sorted(answers, key=lambda answer: (answer.is_missing, answer.turn)):
        of_unit = by_unit.setdefault(answer.unit, [])
        if not (of_unit and answer.is_missing):
            of_unit.append(answer)
    return by_unit


def counts_by_person(answers: Iterable[CheckAnswer], labels: Sequence[str]) -> list[tuple[str, int]]:
    """Return each answer's person and its number of objects of some labels together."""
    return [(answer.person, sum(answer.counts.get(label, 0) for label in labels)) for answer in answers]
