"""Counts at lines and zones as the rows of a file: one for each place, label and interval with footage.

An answer leaves out zeros; here each number is there, or the reason why it is not known.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import msgspec

from frametally.actions.problems import bad_parameter
from frametally.ports.count_index import MAX_BUCKETS
from frametally.rules.known import NOT_MEASURED, Missing
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.flow_question import Answerable, holding
from frametally_traffic.line_counts.place_counts import count_crossings, count_movements, count_zones
from frametally_traffic.records import Drawn
from frametally_web.api.field_words import field_words
from frametally_web.exports.record_rows import Exported
from frametally_web.exports.workbook import MOST_ROWS

KINDS = ("crossings", "zones", "movements", "dwell")
_ABOUT = (
    *("model", "source", "base_interval_s", "interval_s", "timezone", "from_ms", "to_ms"),
    *("revision", "note"),
)


class _Rows(NamedTuple):
    """The records of an answer, and the places that have them.

    Attributes:
        kind: Class of the records.
        fields: Its fields that name the place; empty if each record is a row, of the whole range.
        shapes: The shapes that such a field can name.
    """

    answer: answers.OfOneSource
    kind: type[msgspec.Struct]
    records: Sequence[Any]
    fields: tuple[str, ...] = ()
    shapes: tuple[Drawn, ...] = ()


def exported(
    rows_wanted: str, head: dict[str, Any], answerable: Answerable | None, source_name: str, file_format: str
) -> Exported:
    """Return the records of one of `KINDS`, for a file.

    Raises:
        Problem: 400, if there are too many rows for a file of this format.
    """
    rows = _rows(rows_wanted, head, answerable)
    answer = rows.answer
    records = [(answer.to_ms or 0, record) for record in rows.records]
    if rows.fields and answerable:
        records = [*_of_all_intervals(rows, answerable, MOST_ROWS if file_format == "xlsx" else MAX_BUCKETS)]
    return Exported(
        rows.kind,
        field_words(rows.kind),
        records,
        answer.from_ms or 0,
        answer.source,
        source_name,
        zoneinfo.ZoneInfo(answer.timezone),
        {name: getattr(answer, name) for name in _ABOUT},
    )


def _rows(rows_wanted: str, head: dict[str, Any], answerable: Answerable | None) -> _Rows:
    lines = answerable.drawing.lines if answerable else ()
    if rows_wanted == "crossings":
        crossed = count_crossings(head, answerable, [])
        return _Rows(crossed, answers.CrossingBucket, crossed.crossings, ("line",), lines)
    if rows_wanted == "movements":
        moved = count_movements(head, answerable)
        legs = tuple(line for line in lines if line.inward is not None)
        return _Rows(moved, answers.MovementBucket, moved.movements, ("from_leg", "to_leg"), legs)
    stayed = count_zones(head, answerable, [])
    if rows_wanted == "dwell":
        return _Rows(stayed, answers.CountedZone, stayed.zones)
    zones = answerable.drawing.zones if answerable else ()
    return _Rows(stayed, answers.ZoneBucket, stayed.stays, ("zone",), zones)


def _of_all_intervals(rows: _Rows, answerable: Answerable, most: int) -> Iterator[tuple[int, Any]]:
    """Yield the end of each interval with footage, with the record of each place and label."""
    answer, shapes = rows.answer, holding(answerable.asked, rows.shapes)
    counted = {
        (record.start_ms, tuple(getattr(record, field) for field in rows.fields), record.label): record
        for record in rows.records
    }
    unknown = {(label.start_ms, label.label): label.missing for label in answer.unknown}
    places = [*product(sorted({shape.name for shape in shapes}), repeat=len(rows.fields))]
    labels: Sequence[str | None] = [*answerable.asked.untracked] or [None]
    bars = sorted([*answer.bars, *(answer.not_analysed or ())], key=lambda bar: bar.start_ms)
    if (number := len(bars) * len(places) * len(labels)) > most:
        raise bad_parameter(
            "interval",
            f"That is {number} rows; a file of this format has at most {most}.",
            remedy="Choose a longer interval, or a shorter range.",
        )
    for bar, names, label in product(bars, places, labels):
        record = counted.get((bar.start_ms, names, label or ""))
        if record is None:
            drawn = {shape.name for shape in shapes if shape.holds_in(bar.start_ms, bar.end_ms)}
            missing: Missing | None = unknown.get((bar.start_ms, label or ""))
            if not isinstance(bar, answers.FlowBar):
                missing = "not_analysed"
            elif bar.missing in NOT_MEASURED or not bar.frames or label is None:
                missing = bar.missing
            if not drawn.issuperset(names) and missing != "shows_nothing":
                missing = "not_drawn"
            place = {"start_ms": bar.start_ms, **dict(zip(rows.fields, names, strict=True)), "label": label}
            record = _nothing(rows.kind, place, missing)
        yield bar.end_ms, record


def _nothing(kind: type[msgspec.Struct], place: dict[str, Any], missing: Missing | None) -> msgspec.Struct:
    """Return the record of a place where nothing was counted: all numbers are 0, or unknown."""
    numbers = dict.fromkeys(kind.__struct_fields__, None if missing else 0)
    return kind(**{**numbers, **place, "missing": missing, "at_least": None})
