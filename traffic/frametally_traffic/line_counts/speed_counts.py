"""The answer of `/api/speeds`: how fast visits were, by label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from typing import Any

import numpy as np

from frametally_traffic.flows.day_columns import NO_CALIBRATION, SPEEDS_MISSING
from frametally_traffic.geometry.speed_distribution import BINS_PER_KM_H, SpeedDistribution, speeds_together
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.answer_head import Answerable
from frametally_traffic.line_counts.flow_question import holding
from frametally_traffic.line_counts.flow_sums import chosen, count_rows, names_of
from frametally_traffic.line_counts.movement_counts import visits_of

MISSING: dict[int, answers.SpeedMissing] = {
    **dict(enumerate(SPEEDS_MISSING, start=1)),
    NO_CALIBRATION: "no_calibration",
}
"""By the number that a column has."""


def count(head: dict[str, Any], found: Answerable | None) -> answers.VisitSpeeds:
    """Return the speeds of a source's visits."""
    if found is None:
        return answers.VisitSpeeds(**head, is_calibrated=False, speeds=[])
    names = names_of(found.flows)
    bins: Counter[tuple[int, ...]] = Counter()
    without: Counter[tuple[int, ...]] = Counter()
    squares: Counter[int] = Counter()
    for rows in visits_of(found, names, legs=False):
        known = chosen(rows, rows["speed_missing"] == 0)
        bins.update(count_rows(known["label"], known["speed"]))
        without.update(count_rows(rows["label"], rows["speed_missing"]))
        sums = np.bincount(known["label"], known["error"] * known["error"])
        squares.update(dict(enumerate(sums.astype(np.int64).tolist())))
    by_label = {
        label: _measured(bins, label, squares[label]) for label in sorted({label for label, _ in without})
    }
    speeds = [
        _speeds(names.labels[label], measured, {label}, without) for label, measured in by_label.items()
    ]
    if speeds:
        speeds.insert(0, _speeds(None, speeds_together(by_label.values()), set(by_label), without))
    is_calibrated = bool(holding(found.asked, found.drawing.calibrations))
    return answers.VisitSpeeds(**head, is_calibrated=is_calibrated, speeds=speeds)


def _measured(bins: Counter[tuple[int, ...]], label: int, squares: int) -> SpeedDistribution:
    own = sorted((speed, number) for (of, speed), number in bins.items() if of == label)
    return SpeedDistribution(tuple(own), squares)


def _speeds(
    label: str | None, measured: SpeedDistribution, labels: Set[int], without: Counter[tuple[int, ...]]
) -> answers.LabelSpeeds:
    why = ((reason, sum(without[one, code] for one in labels)) for code, reason in MISSING.items())
    return answers.LabelSpeeds(
        label=label,
        measured=measured.measured,
        median_km_h=measured.median_km_h,
        p85_km_h=measured.p85_km_h,
        error_km_h=measured.error_km_h,
        not_measured=[answers.SpeedReason(reason=reason, count=number) for reason, number in why if number],
        histogram=_histogram(measured.visits),
    )


def _histogram(visits: Iterable[tuple[int, int]]) -> list[answers.SpeedBin]:
    bins: Counter[int] = Counter()
    for tenths, number in visits:
        bins[tenths // BINS_PER_KM_H] += number
    return [answers.SpeedBin(km_h=km_h, visits=number) for km_h, number in sorted(bins.items())]
