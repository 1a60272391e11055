"""The answer about an accuracy check next to counts."""

from __future__ import annotations

from typing import Literal

from frametally.ports.picture_places import CheckedMetric
from frametally_web.requests.answers import Answer


class CountCheck(Answer, frozen=True, kw_only=True):
    """An accuracy check of the answer's footage: what `low`, `high` and `estimate` rest on.

    Attributes:
        id: Names it.
        name: As people call it.
        metric: The checked count: `detections` in frames, `visits` or `crossings` in pieces of footage.
        model: The model of the counts.
        persons: Accounts of the people who answered; empty if there are no accounts.
        last_answer_ms: When the last answer was given.
        units: Units that were answered: frames or pieces.
        confidence: Of its intervals, such as 0.95.
        method: `fixed`: the interval of a sample whose size was fixed before; `at_will`: the one that holds
            whenever people stop.
        stale: Why it no longer holds, a sentence each; then nothing has an interval of it.
    """

    id: str
    name: str
    metric: CheckedMetric
    model: str
    persons: list[str]
    last_answer_ms: int
    units: int
    confidence: float
    method: Literal["fixed", "at_will"]
    stale: list[str]
