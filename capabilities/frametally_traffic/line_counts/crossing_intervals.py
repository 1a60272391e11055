"""Adds intervals to numbers of crossings where people have checked the line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

import msgspec

from frametally.ports.count_index import CountIndex
from frametally.ports.picture_places import EventPlace, directed_label
from frametally.settings.loading import Settings
from frametally_traffic.counting.crossing_events import lines_of
from frametally_traffic.flows.day_columns import DIRECTIONS
from frametally_traffic.geometry.crossings import Direction
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.flow_question import Answerable
from frametally_web.charts.checked_counts import (
    CheckedCount,
    CountInterval,
    CountQuestion,
    ask_checks,
)
from frametally_web.charts.question import checks_version
from frametally_web.requests.answers import CountCheck

_NumberT = TypeVar("_NumberT")


class _Number(NamedTuple):
    """A number of the answer: of a bar or the range (None), of a label or all labels (None)."""

    start_ms: int | None
    label: str | None
    direction: Direction


def with_intervals(
    settings: Settings, index: CountIndex, found: answers.LineCrossings, answerable: Answerable
) -> answers.LineCrossings:
    """Return the answer with an interval for each number that a check covers."""
    if not checks_version(settings):
        return found
    question = answerable.asked
    intervals: list[answers.CrossingInterval] = []
    checks: dict[str, CountCheck] = {}
    shown = {line.name for line in found.lines}
    for place in lines_of(answerable.drawing):
        if place.name not in shown:
            continue
        numbers = dict(_numbers(found, place))
        found_checks, found_intervals = line_intervals(
            settings, index, place, question.model, question.base_interval_s, numbers
        )
        checks |= found_checks
        intervals += [
            answers.CrossingInterval(**number._asdict(), line=place.name, **interval._asdict())
            for number, interval in found_intervals.items()
        ]
    if not checks:
        return found
    return msgspec.structs.replace(found, intervals=intervals, checks=[*checks.values()])


def line_intervals(
    settings: Settings,
    index: CountIndex,
    place: EventPlace,
    model: str,
    base_interval_s: int,
    numbers: Mapping[_NumberT, CheckedCount],
) -> tuple[dict[str, CountCheck], dict[_NumberT, CountInterval]]:
    """Return the checks of a line by id, and the intervals of the numbers that they cover."""
    question = CountQuestion(
        "crossings", model, base_interval_s, [place.source], None, [*numbers.values()], place
    )
    said = ask_checks(settings, index, question)
    if said is None:
        return {}, {}
    pairs = zip(numbers, said.intervals, strict=True)
    intervals = {number: interval for number, interval in pairs if interval is not None}
    return {check.id: check for check in said.checks}, intervals


def _numbers(found: answers.LineCrossings, place: EventPlace) -> Iterator[tuple[_Number, CheckedCount]]:
    crossed = [one for one in found.crossings if one.line == place.name]
    labels = sorted({one.label for one in crossed})
    whole = answers.FlowBar(
        start_ms=found.from_ms or 0,
        end_ms=found.to_ms or 0,
        frames=sum(bar.frames for bar in found.bars),
        covered_ms=None,
        is_measured=all(bar.is_measured for bar in found.bars if bar.frames),
        missing=None,
    )
    unknown: set[tuple[int | None, str | None]] = {(cell.start_ms, cell.label) for cell in found.unknown}
    unknown |= {(cell.start_ms, cell.label) for cell in crossed if cell.missing}
    unknown |= {(None, total.label) for total in found.totals if total.line == place.name and total.missing}
    unknown |= {(start_ms, None) for start_ms, _ in unknown}
    asked: list[tuple[int | None, str | None, answers.FlowBar]] = [
        *((bar.start_ms, None, bar) for bar in found.bars),
        *((None, label, whole) for label in (None, *labels)),
    ]
    for direction in DIRECTIONS:
        sums: Counter[tuple[int | None, str | None]] = Counter()
        for one in crossed:
            number = (one.to_right if direction == "to_right" else one.to_left) or 0
            sums.update({(one.start_ms, None): number, (None, None): number, (None, one.label): number})
        for start_ms, label, bar in asked:
            yield (
                _Number(start_ms, label, direction),
                CheckedCount(
                    bar.start_ms,
                    bar.end_ms,
                    found.source,
                    tuple(directed_label(one, direction) for one in labels if label in (None, one)),
                    bar.frames,
                    sums[start_ms, label] if bar.is_measured and (start_ms, label) not in unknown else None,
                ),
            )
