"""The answer of `/api/speeds`: how fast visits were, by label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from frametally.rules.flows.day_columns import NO_CALIBRATION, SPEEDS_MISSING
from frametally.rules.metres.distribution import BINS_PER_KM_H, SpeedDistribution, speeds_together
from frametally_web.flows import answers
from frametally_web.flows.head import Answerable
from frametally_web.flows.movements import visits_of
from frametally_web.flows.question import holding
from frametally_web.flows.sums import Rows, chosen, count_rows, names_of

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
    by_label: dict[int, list[SpeedDistribution]] = {}
    without: dict[int, Counter[int]] = {}
    for rows in visits_of(found, names, legs=False):
        for label in np.unique(rows["label"]).tolist():
            own = chosen(rows, rows["label"] == label)
            by_label.setdefault(label, []).append(_measured(own))
            reasons = without.setdefault(label, Counter())
            reasons.update(
                {code: number for (code,), number in count_rows(own["speed_missing"]).items() if code}
            )
    speeds = [
        _speeds(names.labels[label], speeds_together(by_label[label]), without[label])
        for label in sorted(by_label)
    ]
    if speeds:
        everything = speeds_together(part for parts in by_label.values() for part in parts)
        speeds.insert(0, _speeds(None, everything, sum(without.values(), Counter())))
    is_calibrated = bool(holding(found.asked, found.drawing.calibrations))
    return answers.VisitSpeeds(**head, is_calibrated=is_calibrated, speeds=speeds)


def _measured(rows: Rows) -> SpeedDistribution:
    known = chosen(rows, rows["speed_missing"] == 0)
    bins = sorted((speed, number) for (speed,), number in count_rows(known["speed"]).items())
    return SpeedDistribution(tuple(bins), int((known["error"] * known["error"]).sum()))


def _speeds(label: str | None, measured: SpeedDistribution, without: Counter[int]) -> answers.LabelSpeeds:
    return answers.LabelSpeeds(
        label=label,
        measured=measured.measured,
        median_km_h=measured.median_km_h,
        p85_km_h=measured.p85_km_h,
        error_km_h=measured.error_km_h,
        not_measured=[
            answers.SpeedReason(reason=MISSING[code], count=number)
            for code, number in sorted(without.items())
        ],
        histogram=_histogram(measured.visits),
    )


def _histogram(visits: Iterable[tuple[int, int]]) -> list[answers.SpeedBin]:
    bins: Counter[int] = Counter()
    for tenths, number in visits:
        bins[tenths // BINS_PER_KM_H] += number
    return [answers.SpeedBin(km_h=km_h, visits=number) for km_h, number in sorted(bins.items())]
