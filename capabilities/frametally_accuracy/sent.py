"""Defines the requests that start a check and answer a unit."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from frametally.ports.picture_places import CheckedMetric
from frametally.records import EventTimeMs
from frametally_accuracy.records import CheckedBox, Tap


class UnitAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer: `counts` by label, the right `boxes` of a frame, the `taps` of a piece, or `is_missing`.

    Attributes:
        unit: Number of the unit.
        turn: `turn` of the unit, as the server sent it.
        counts: Objects by label; a label that is left out has 0.
        boxes: All boxes of the frame, corrected.
        taps: The events in the piece, each with its time.
        took_ms: How long it took.
        is_missing: Whether a picture of the unit is missing from the store, so that it cannot be judged.
    """

    unit: int
    turn: Annotated[int, Meta(ge=0)] = 0
    counts: dict[str, int] | None = None
    boxes: tuple[CheckedBox, ...] | None = None
    taps: tuple[Tap, ...] | None = None
    took_ms: Annotated[int, Meta(ge=0, lt=2**53)] | None = None
    is_missing: bool = False


class CheckWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A check that is to start.

    Attributes:
        name: Its name; if empty, frametally chooses a name.
        metric: The checked count: `detections` in frames, `visits` or `crossings` in pieces of footage.
        line: For crossings, the name of the line.
        direction: For crossings, one direction of the line; empty means both.
        sources: Names or slugs; empty means all.
        labels: If None, all that the frames have.
        from_ms: Event time at which it begins; null means the first frame.
        to_ms: Event time at which it ends, exclusive; null means after the last frame.
        model: The model of the counts; empty means the model published last.
        wanted_width: Half-width that is enough, as a part of the total.
        planned_units: Number of units that is fixed now; 0 if people stop at will.
    """

    name: str = ""
    metric: CheckedMetric = "detections"
    line: str = ""
    direction: str = ""
    sources: list[str] = []
    labels: list[str] = []
    from_ms: EventTimeMs | None = None
    to_ms: EventTimeMs | None = None
    model: str = ""
    wanted_width: float = 0.1
    planned_units: int = 0
