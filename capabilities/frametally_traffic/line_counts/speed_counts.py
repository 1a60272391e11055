"""Answers `/api/speeds`: the speeds of visits over days of flows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from typing import Any

import numpy as np

from frametally.actions.answers import answer_of
from frametally_traffic.flows.day_columns import NO_CALIBRATION, SPEEDS_MISSING
from frametally_traffic.flows.flow_sums import count_rows, names_of, select_rows
from frametally_traffic.geometry.speed import BINS_PER_KM_H, SpeedDistribution, speeds_together
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.flow_question import Answerable, holding
from frametally_traffic.line_counts.place_counts import visits_of

MISSING: dict[int, answers.SpeedMissing] = {
    **dict(enumerate(SPEEDS_MISSING, start=1)),
    NO_CALIBRATION: "no_calibration",
}
"""Indexed by the numbers in the column."""


def count_speeds(head: dict[str, Any], answerable: Answerable | None) -> answers.VisitSpeeds:
    """Return the speeds of a source's visits."""
    if answerable is None:
        return answers.VisitSpeeds(**head, is_calibrated=False, speeds=[])
    names = names_of(answerable.flows)
    bins: Counter[tuple[int, ...]] = Counter()
    without: Counter[tuple[int, ...]] = Counter()
    squares: Counter[int] = Counter()
    for rows in visits_of(answerable, names, legs=False):
        measured_rows = select_rows(rows, rows["speed_missing"] == 0)
        bins.update(count_rows(measured_rows["label"], measured_rows["speed"]))
        without.update(count_rows(rows["label"], rows["speed_missing"]))
        sums = np.bincount(measured_rows["label"], measured_rows["error"] * measured_rows["error"])
        squares.update(dict(enumerate(sums.astype(np.int64).tolist())))
    by_label = {
        label: _distribution(bins, label, squares[label]) for label in sorted({label for label, _ in without})
    }
    speeds = [
        _speeds_of(names.labels[label], distribution, {label}, without)
        for label, distribution in by_label.items()
    ]
    if speeds:
        speeds.insert(0, _speeds_of(None, speeds_together(by_label.values()), set(by_label), without))
    is_calibrated = bool(holding(answerable.asked, answerable.drawing.calibrations))
    return answers.VisitSpeeds(**head, is_calibrated=is_calibrated, speeds=speeds)


def _distribution(bins: Counter[tuple[int, ...]], label: int, squares: int) -> SpeedDistribution:
    own = sorted((speed, number) for (label_code, speed), number in bins.items() if label_code == label)
    return SpeedDistribution(tuple(own), squares)


def _speeds_of(
    label: str | None, distribution: SpeedDistribution, labels: Set[int], without: Counter[tuple[int, ...]]
) -> answers.LabelSpeeds:
    counts_by_reason = (
        (reason, sum(without[label_number, code] for label_number in labels))
        for code, reason in MISSING.items()
    )
    return answer_of(
        answers.LabelSpeeds,
        (distribution,),
        label=label,
        not_measured=[
            answers.SpeedReason(reason=reason, count=number) for reason, number in counts_by_reason if number
        ],
        histogram=_histogram(distribution.visits),
    )


def _histogram(visits: Iterable[tuple[int, int]]) -> list[answers.SpeedBin]:
    bins: Counter[int] = Counter()
    for tenths, number in visits:
        bins[tenths // BINS_PER_KM_H] += number
    return [answers.SpeedBin(km_h=km_h, visits=number) for km_h, number in sorted(bins.items())]
