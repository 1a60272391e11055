"""What every answer on lines and zones begins with."""

from __future__ import annotations

from typing import Any, NamedTuple

from frametally_traffic.flows.day_columns import FlowColumns
from frametally_traffic.line_counts.background_days import TakenDays
from frametally_traffic.line_counts.flow_question import PlacesAsked
from frametally_traffic.records import Drawing
from frametally_web.requests.query import Selection


class Answerable(NamedTuple):
    """A question with all that its answer is made of.

    Attributes:
        asked: The question.
        drawing: What is drawn over its source.
        taken: The flows of its days.
    """

    asked: PlacesAsked
    drawing: Drawing
    taken: TakenDays

    @property
    def flows(self) -> list[FlowColumns]:
        """The flows of the days that are counted."""
        return self.taken.flows


def head_of(selection: Selection, source: str, found: Answerable | None, revision: int) -> dict[str, Any]:
    """Return the fields of `answers.OfOneSource`; `found` is None where there is nothing to answer with."""
    asked = found.asked if found else None
    return {
        "model": asked.model if asked else selection.model,
        "source": source,
        "timezone": selection.zone.name,
        "base_interval_s": asked.base_interval_s if asked else None,
        "interval_s": asked.interval_s if asked else None,
        "interval_choices_s": asked.interval_choices_s if asked else [],
        "from_ms": asked.from_ms if asked else None,
        "to_ms": asked.to_ms if asked else None,
        "bars": asked.bars if asked else [],
        "not_analysed": asked.not_analysed if asked else [],
        "revision": revision,
        "days": len(asked.days) if asked else 0,
        "days_counted": found.taken.days_counted if found else 0,
        "note": found.taken.note if found else None,
    }
