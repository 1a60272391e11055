"""Computes the result of a check: for each label an estimate with its interval, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from frametally.actions.answers import Answer
from frametally_accuracy.records import (
    AccuracyCheck,
    CheckAnswer,
    CheckUnit,
    answers_by_unit,
    counts_by_person,
)
from frametally_accuracy.rules.answer_agreement import (
    DoubleAnswers,
    agreement_of,
    answer_errors,
    mean_answer,
)
from frametally_accuracy.rules.drawing import Draws
from frametally_accuracy.rules.estimation import (
    LEAST_ROUNDS,
    Estimate,
    Interval,
    estimate,
    estimate_with_missing,
    most_objects,
)
from frametally_accuracy.rules.planning import shrink_by_zone, units_before, units_for

Method = Literal["fixed", "at_will"]
_MOST_PAST = 8
"""Most estimates of a history, so that a page can show them all."""


class LabelAccuracy(Answer, frozen=True, kw_only=True):
    """The result of a check for one label; totals are of all units of the check.

    Attributes:
        model_total: The model's count.
        state: `shown`; `at_most`: people saw few objects, so there is only an upper limit, `high`, with 95 %
            confidence; `too_few`: there is too little to say, and no interval; `disagree`: no interval, as
            people's answers for the same units differ too much: ask a third person.
        difference: Mean difference between two people's answers for a unit; null if no unit has two.
        total: The estimate; null unless the state is `shown`, as are those that follow.
        low: Where its interval begins; of `at_most`, how many people saw.
        high: Where it ends.
        half_width: Half of its length, as a part of the estimate.
        ratio: Ratio of the estimate to the model's count.
        has_steady_error: Whether the model's count is outside of the interval.
        is_reached: Whether the wanted width is reached.
        units_needed: Estimated number of units, in all, for the wanted width.
    """

    label: str
    model_total: int
    state: Literal["shown", "at_most", "too_few", "disagree"]
    difference: float | None = None
    total: float | None = None
    low: float | None = None
    high: float | None = None
    half_width: float | None = None
    ratio: float | None = None
    has_steady_error: bool = False
    is_reached: bool = False
    units_needed: int


class PastEstimate(Answer, frozen=True, kw_only=True):
    """An earlier result of a check for one label, with fewer answered units.

    Attributes:
        units: Units that the estimate used.
        answered_at_ms: When the last one of them was answered.
        total: The estimate.
        low: Where its interval begins.
        high: Where it ends.
    """

    label: str
    units: int
    answered_at_ms: int
    total: float
    low: float
    high: float


class ZoneToCheck(Answer, frozen=True, kw_only=True):
    """A stretch of footage where one more unit helps.

    Attributes:
        from_source: Slug of the source in which it begins.
        from_ms: Event time of its beginning.
        to_source: Slug of the source in which it ends.
        to_ms: Event time of its end.
        units: Units in it.
        answered: Units of it that are answered.
        shrink: Part of the variance that one more unit there takes off.
    """

    from_source: str
    from_ms: int
    to_source: str
    to_ms: int
    units: int
    answered: int
    shrink: float


class CheckResult(Answer, frozen=True, kw_only=True):
    """The current result of a check.

    Attributes:
        method: `fixed`: the interval of a sample whose size was fixed before; `at_will`: the one that holds
            whenever you stop.
        units: Frames or pieces that the check is about.
        answered: Units that are answered.
        missing: Drawn units that cannot be judged, because a picture is missing: intervals allow for no
            object in them, and for as many as the fullest unit of the sample has.
        used: Units of complete rounds, which the estimates use.
        next_at: With how many answers the estimates change next.
        labels: By label.
        is_reached: Whether every label has the wanted width, or too little to say.
        agreement: Agreement on units that were answered twice.
        zones: Where to check next, the best first.
        persons: Accounts of the people who answered.
        first_answer_ms: When the first answer was given; null if there is none.
        last_answer_ms: When the last one was.
    """

    method: Method
    units: int
    answered: int
    missing: int = 0
    used: int
    next_at: int
    labels: list[LabelAccuracy]
    is_reached: bool
    agreement: DoubleAnswers
    zones: list[ZoneToCheck]
    persons: list[str]
    first_answer_ms: int | None
    last_answer_ms: int | None


class Sample(NamedTuple):
    """Complete rounds of a check: draws, and by label the truth, the model's count and its steady part.

    If `is_missing`, the unit could not be judged, and the truth is 0. If a unit has several answers, the
    truth is their mean; `answers` has them by number of the unit.
    """

    draws: Draws
    answers: dict[int, list[CheckAnswer]]
    is_missing: np.ndarray
    truth: dict[str, np.ndarray]
    model: dict[str, np.ndarray]
    steady: dict[str, np.ndarray]
    used: int
    next_at: int


def sample_of(check: AccuracyCheck, units: Sequence[CheckUnit], answers: Sequence[CheckAnswer]) -> Sample:
    """Return the answers of a check in complete rounds, up to its planned size if it has one."""
    by_unit = answers_by_unit(answers)
    by_round: dict[int, list[CheckUnit]] = {}
    for unit in units:
        by_round.setdefault(unit.round, []).append(unit)
    most = check.planned_units or len(units)
    rounds, used, next_at = 0, 0, len(units)
    for number, row in sorted(by_round.items()):
        if used >= most or any(unit.number not in by_unit for unit in row):
            next_at = used + len(row)
            break
        rounds, used = number + 1, used + len(row)
    shape = rounds, len(check.zone_units)
    unit_numbers, weights, rest = np.full(shape, -1, dtype=np.int64), np.ones(shape), np.zeros(shape)
    truth, model, steady = ({label: np.zeros(shape) for label in check.labels} for _ in range(3))
    for unit in (unit for number in range(rounds) for unit in by_round[number]):
        place = unit.round, unit.zone
        unit_numbers[place], weights[place], rest[place] = unit.number, unit.weight, unit.rest
        for label in check.labels:
            truth[label][place] = mean_answer(counts_by_person(by_unit[unit.number], [label]))
            model[label][place] = unit.counted(label)
            steady[label][place] = unit.steady.get(label, 0)
    sizes = np.array(check.zone_units, dtype=float)
    missing = [number for number, of_unit in by_unit.items() if of_unit[0].is_missing]
    draws = Draws(unit_numbers, weights, rest, sizes)
    return Sample(draws, by_unit, np.isin(unit_numbers, missing), truth, model, steady, used, next_at)


def estimate_of(check: AccuracyCheck, sample: Sample, *labels: str) -> Estimate | None:
    """Return the estimate of some labels together, or None with too few rounds.

    `is_enough` is False if people differ by more than both its half-width and the wanted one.
    """
    draws = sample.draws
    if len(draws.units) < LEAST_ROUNDS and draws.is_drawn.sum() < draws.sizes.sum():
        return None
    truth, model, steady = (
        np.sum([by_label[label] for label in labels], axis=0)
        for by_label in (sample.truth, sample.model, sample.steady)
    )
    total, steady_total = (
        float(sum(totals.get(label, 0) for label in labels)) for totals in (check.totals, check.steady_totals)
    )
    judged = sample.draws.units[sample.draws.is_drawn & ~sample.is_missing].tolist()
    people = answer_errors([counts_by_person(sample.answers[number], labels) for number in judged])
    # A missing picture may have more objects than the model saw, so the fullest unit is its upper bound.
    label_estimate = estimate_with_missing(
        lambda truth: estimate(
            sample.draws,
            truth,
            model,
            model_total=total,
            steady=steady,
            steady_total=steady_total,
            people=people,
        ),
        truth,
        sample.is_missing,
        model,
        0.0,
        max(truth.max(), model.max()),
    )
    if people_disagree(check, label_estimate):
        return label_estimate._replace(is_enough=False)
    return label_estimate


def people_disagree(check: AccuracyCheck, estimate: Estimate) -> bool:
    """Return whether people differ by more than both the wanted half-width and that of the sample alone."""
    by_people = estimate.people.variance(check.units)
    half = (estimate.fixed.high - estimate.fixed.low) / 2
    of_sample = half * math.sqrt(1 - by_people / estimate.standard_error**2) if by_people else half
    return estimate.people.beyond * check.units > max(of_sample, check.wanted_width * estimate.total)


def method_of(check: AccuracyCheck, sample: Sample) -> Method:
    """Return which interval holds; the narrower one needs a planned size that is reached."""
    return "fixed" if 0 < check.planned_units <= sample.used else "at_will"


def interval_of(estimate: Estimate, method: Method) -> Interval:
    """Return an estimate's interval for a method."""
    return estimate.fixed if method == "fixed" else estimate.at_will


def result_of(
    check: AccuracyCheck, units: Sequence[CheckUnit], answers: Sequence[CheckAnswer]
) -> CheckResult:
    """Return the result of a check."""
    sample = sample_of(check, units, answers)
    missing = sum(of_unit[0].is_missing for of_unit in sample.answers.values())
    answers = [answer for answer in answers if not answer.is_missing]
    method = method_of(check, sample)
    estimates = {label: estimate_of(check, sample, label) for label in check.labels}
    labels = [_label(check, sample, label, estimate, method) for label, estimate in estimates.items()]
    times = sorted(answer.answered_at_ms for answer in answers)
    shown_labels = [label for label in labels if label.state == "shown"]
    return CheckResult(
        method=method,
        units=check.units,
        answered=len({answer.unit for answer in answers}),
        missing=missing,
        used=sample.used,
        next_at=sample.next_at,
        labels=labels,
        is_reached=bool(shown_labels)
        and all(label.is_reached for label in labels if label.state in ("shown", "disagree")),
        agreement=agreement_of(
            [answer.counts for answer in of_unit] for of_unit in sample.answers.values() if len(of_unit) > 1
        ),
        zones=_zones(check, sample, [estimate for estimate in estimates.values() if estimate is not None]),
        persons=sorted({answer.person for answer in answers} - {""}),
        first_answer_ms=times[0] if times else None,
        last_answer_ms=times[-1] if times else None,
    )


def history_of(
    check: AccuracyCheck, units: Sequence[CheckUnit], answers: Sequence[CheckAnswer]
) -> list[PastEstimate]:
    """Return estimates after several numbers of rounds up to now, each with its interval at that time."""
    sample = sample_of(check, units, answers)
    rounds = len(sample.draws.units)
    past = []
    looks = np.linspace(LEAST_ROUNDS, rounds, _MOST_PAST) if rounds >= LEAST_ROUNDS else np.zeros(0)
    for number in sorted({int(part) for part in looks}):
        draws = sample.draws.first(number)
        numbers = draws.units[draws.is_drawn].tolist()
        part = Sample(
            draws,
            sample.answers,
            sample.is_missing[:number],
            {label: truth[:number] for label, truth in sample.truth.items()},
            {label: model[:number] for label, model in sample.model.items()},
            {label: steady[:number] for label, steady in sample.steady.items()},
            len(numbers),
            sample.next_at,
        )
        for label in check.labels:
            then = estimate_of(check, part, label)
            if then is not None and then.is_enough:
                low, high = interval_of(then, method_of(check, part))
                past.append(
                    PastEstimate(
                        label=label,
                        units=part.used,
                        answered_at_ms=max(sample.answers[unit][0].answered_at_ms for unit in numbers),
                        total=then.total,
                        low=low,
                        high=high,
                    )
                )
    return past


def _label(
    check: AccuracyCheck, sample: Sample, label: str, estimate: Estimate | None, method: Method
) -> LabelAccuracy:
    total, units, width = check.totals.get(label, 0), check.units, check.wanted_width
    least, is_at_will = LEAST_ROUNDS * len(check.zone_units), not check.planned_units
    needed = units_before(total / units, units, width, at_will=is_at_will, least=least)
    if estimate is not None:
        now = units_for(estimate, sample.used, units, width, at_will=method == "at_will")
        needed = now if estimate.is_enough else max(now, needed)
    is_double = any(len(of_unit) > 1 for of_unit in sample.answers.values())
    difference = estimate.people.difference if estimate is not None and is_double else None
    if estimate is None or not estimate.is_enough:
        is_apart = estimate is not None and people_disagree(check, estimate)
        truth, most = sample.truth[label], None
        if estimate is not None and not is_apart:
            is_at_will = method == "at_will"
            most = most_objects(sample.draws, truth, sample.is_missing, is_at_will=is_at_will)
        return LabelAccuracy(
            label=label,
            model_total=total,
            state="disagree" if is_apart else "too_few" if most is None else "at_most",
            difference=difference,
            low=None if most is None else float(truth.sum()),
            high=most,
            units_needed=needed,
        )
    low, high = interval_of(estimate, method)
    half = (high - low) / 2 / estimate.total if estimate.total else 0.0
    return LabelAccuracy(
        label=label,
        model_total=total,
        state="shown",
        difference=difference,
        total=estimate.total,
        low=low,
        high=high,
        half_width=half,
        ratio=estimate.ratio if total else None,
        has_steady_error=not low <= total <= high,
        is_reached=half <= width,
        units_needed=needed,
    )


def _zones(check: AccuracyCheck, sample: Sample, estimates: Sequence[Estimate]) -> list[ZoneToCheck]:
    drawn_by_zone = sample.draws.is_drawn.sum(axis=0)
    judged_by_zone = drawn_by_zone - sample.is_missing.sum(axis=0)
    if not estimates:
        return []
    shrink = np.max([shrink_by_zone(estimate, drawn_by_zone.astype(float)) for estimate in estimates], axis=0)
    zones = [
        ZoneToCheck(
            from_source=zone[0],
            from_ms=zone[1],
            to_source=zone[2],
            to_ms=zone[3],
            units=size,
            answered=int(answered),
            shrink=float(less),
        )
        for zone, size, answered, less in zip(
            check.zones, check.zone_units, judged_by_zone, shrink, strict=True
        )
    ]
    return sorted(zones, key=lambda zone: -zone.shrink)
