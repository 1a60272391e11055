"""The answers of `/api/crossings`, `/api/movements`, `/api/speeds`, `/api/zones`: sums over days of flows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
from msgspec import structs

from frametally.rules.known import Basis, Missing, why_unknown
from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import (
    CAME,
    CROSSINGS_MISSING,
    NO_CALIBRATION,
    NO_MOVEMENTS,
    SPEEDS_MISSING,
    WENT,
)
from frametally_traffic.flows.flow_sums import (
    WAYS,
    Names,
    Rows,
    bar_of,
    count_rows,
    names_of,
    of_names,
    rows_between,
    rows_of,
    select_rows,
    together,
    ways_of,
    zone_counts,
)
from frametally_traffic.flows.path_arrays import Whole
from frametally_traffic.geometry.crossings import CrossingMissing
from frametally_traffic.geometry.speed import BINS_PER_KM_H, SpeedDistribution, speeds_together
from frametally_traffic.geometry.zones import ZoneCounts
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.flow_question import (
    Answerable,
    PlacesAsked,
    check_place,
    counted_lines,
    holding,
)
from frametally_web.requests.answers import answer_of


def count_crossings(
    head: dict[str, Any], answerable: Answerable | None, lines: Sequence[str]
) -> answers.LineCrossings:
    """Return the crossings of `lines`; of all if none is named.

    Raises:
            Problem: 400, if the source has no such line.
    """
    if answerable is None:
        return answers.LineCrossings(**head, lines=[], crossings=[], totals=[])
    check_place("line", [*lines], answerable.drawing.lines)
    names = names_of(answerable.flows)
    edges = np.array(answerable.asked.edges_ms, np.int64)
    bars: Counter[tuple[int, ...]] = Counter()
    reasons: Counter[tuple[int, ...]] = Counter()
    for rows in crossings_of(answerable, names, lines):
        bars.update(count_rows(bar_of(edges, rows["time"]), rows["line"], rows["label"], ways_of(rows)))
        reasons.update(count_rows(rows["line"], rows["label"], rows["missing"]))
    by_bar: defaultdict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    totals: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (bar, line, label, kind), number in bars.items():
        by_bar[bar, line, label][kind] += number
        totals[line, label][kind] += number
    question = answerable.asked
    shown_lines = [
        entry for entry in counted_lines(question, answerable.drawing) if entry.name in lines or not lines
    ]
    of_names: dict[tuple[str, str], tuple[list[int], dict[CrossingMissing, int]]] = {
        (line, label): ([0, 0, 0], {})
        for line in {entry.name for entry in shown_lines}
        for label in question.unknown_labels
    }
    for (line, label), ways in totals.items():
        counts_by_reason = (
            (reason, reasons[line, label, code]) for code, reason in enumerate(CROSSINGS_MISSING, start=1)
        )
        of_names[names.lines[line], names.labels[label]] = (
            ways,
            {reason: number for reason, number in counts_by_reason if number},
        )
    return answers.LineCrossings(
        **head,
        lines=shown_lines,
        crossings=[
            answers.CrossingBucket(
                start_ms=question.edges_ms[bar],
                line=names.lines[line],
                label=names.labels[label],
                **_ways(ways, question.unknown.get((question.edges_ms[bar], names.labels[label]))),
            )
            for (bar, line, label), ways in sorted(by_bar.items())
        ],
        totals=[
            _total(question, line, label, ways, of_reason)
            for (line, label), (ways, of_reason) in sorted(of_names.items())
        ],
    )


def _ways(ways: Sequence[int], not_followed: Missing | None) -> dict[str, Any]:
    """Return crossings by way, as far as they are known; `not_followed`: why objects were not, if so."""
    to_right, to_left, cut = ways
    missing = not_followed or why_unknown("passages", Basis(passages=to_right + to_left, cut_passages=cut))
    return {
        **dict(zip(WAYS, (None, None, cut) if missing else ways, strict=True)),
        "missing": missing,
        "at_least": to_right + to_left if missing else None,
    }


def crossings_of(answerable: Answerable, names: Names, lines: Sequence[str]) -> Iterator[Rows]:
    """Yield the requested crossings of each day: of `lines` (none: all), labels and the range."""
    for day in answerable.flows:
        rows = rows_between(rows_of(day, "crossing", names), answerable.asked.from_ms, answerable.asked.to_ms)
        rows = of_names(rows, "line", names.lines, lines)
        yield of_names(rows, "label", names.labels, answerable.asked.labels)


def _total(
    question: PlacesAsked,
    line: str,
    label: str,
    ways: Sequence[int],
    reasons: Mapping[CrossingMissing, int],
) -> answers.CrossingTotal:
    to_right, to_left, _ = ways
    fields = _ways(ways, question.unknown_labels.get(label))
    is_known = fields["missing"] is None
    return answers.CrossingTotal(
        line=line,
        label=label,
        **fields,
        gross=to_right + to_left if is_known else None,
        net=to_right - to_left if is_known else None,
        reasons=[answers.CrossingReason(reason=reason, count=number) for reason, number in reasons.items()],
        untracked=question.untracked.get(label),
    )


def count_movements(head: dict[str, Any], answerable: Answerable | None) -> answers.JunctionMovements:
    """Return the movements of a junction, with the books of its visits."""
    if answerable is None:
        nothing = answers.VisitBooks(visits=0, assigned=0, unassigned=0, never_at_a_leg=0, missing=None)
        return answers.JunctionMovements(**head, legs=[], movements=[], books=nothing)
    names = names_of(answerable.flows)
    edges = np.array(answerable.asked.edges_ms, np.int64)
    turns: Counter[tuple[int, ...]] = Counter()
    outcomes: Counter[tuple[int, ...]] = Counter()
    for rows in visits_of(answerable, names, legs=True):
        assigned = select_rows(rows, rows["outcome"] == 0)
        turns.update(
            count_rows(
                bar_of(edges, assigned["time"]), assigned["from_leg"], assigned["to_leg"], assigned["label"]
            )
        )
        outcomes.update(count_rows(rows["outcome"]))
    question = answerable.asked
    books = {way: outcomes[code,] for code, way in enumerate(("assigned", *NO_MOVEMENTS))}
    books["visits"] = sum(outcomes.values())
    bar_labels = ((question.edges_ms[key[0]], names.labels[key[3]]) for key in turns)
    missing = {key: question.unknown.get(bar_label) for key, bar_label in zip(turns, bar_labels, strict=True)}
    return answers.JunctionMovements(
        **head,
        legs=counted_lines(answerable.asked, answerable.drawing, legs=True),
        movements=[
            answers.MovementBucket(
                start_ms=answerable.asked.edges_ms[bar],
                from_leg=names.lines[from_leg],
                to_leg=names.lines[to_leg],
                label=names.labels[label],
                visits=None if missing[bar, from_leg, to_leg, label] else visits,
                missing=missing[bar, from_leg, to_leg, label],
            )
            for (bar, from_leg, to_leg, label), visits in sorted(turns.items())
        ],
        books=answers.VisitBooks(
            **(dict.fromkeys(books) if question.is_nothing_known else books), missing=question.missing_of()
        ),
    )


def visits_of(answerable: Answerable, names: Names, *, legs: bool) -> Iterator[Rows]:
    """Yield the requested visits of each day; `legs`: of days alone that have some."""
    for day in answerable.flows:
        if day.legs or not legs:
            rows = rows_between(
                rows_of(day, "visit", names), answerable.asked.from_ms, answerable.asked.to_ms
            )
            yield of_names(rows, "label", names.labels, answerable.asked.labels)


MISSING: dict[int, answers.SpeedMissing] = {
    **dict(enumerate(SPEEDS_MISSING, start=1)),
    NO_CALIBRATION: "no_calibration",
}
"""By the number that a column has."""


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


def count_zones(
    head: dict[str, Any], answerable: Answerable | None, zones: Sequence[str]
) -> answers.ZoneStays:
    """Return the events in `zones`; in all if none is named.

    Raises:
            Problem: 400, if the source has no such zone.
    """
    if answerable is None:
        return answers.ZoneStays(**head, zones=[], stays=[])
    check_place("zone", [*zones], answerable.drawing.zones)
    names = names_of(answerable.flows)
    question = answerable.asked
    edges = np.array(question.edges_ms, np.int64)
    by_bar: dict[tuple[int, int, int], ZoneCounts] = {}
    dwells: dict[int, list[Whole]] = {}
    for day_start_ms, rows in _stays_of(answerable, names, zones):
        for key, counts in zone_counts(rows, day_start_ms, edges, question.from_ms, question.to_ms).items():
            by_bar[key] = together(by_bar[key], counts) if key in by_bar else counts
        for zone, dwell_ms in _dwells(rows, day_start_ms, question.from_ms, question.to_ms):
            dwells.setdefault(zone, []).append(dwell_ms)
    covered_ms = {bar.start_ms: bar.covered_ms for bar in question.bars}
    within: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (_, zone, _), counts in by_bar.items():
        within[names.zones[zone]][0] += counts.appeared
        within[names.zones[zone]][1] += counts.vanished
    return answers.ZoneStays(
        **head,
        zones=[
            answers.CountedZone(
                **structs.asdict(zone), **_dwell(question, zone.name, names, dwells, within[zone.name])
            )
            for zone in holding(question, answerable.drawing.zones)
            if zone.name in zones or not zones
        ],
        stays=[
            _bucket(
                question.edges_ms[bar],
                names.zones[zone],
                names.labels[label],
                counts,
                covered_ms,
                question.unknown.get((question.edges_ms[bar], names.labels[label])),
            )
            for (bar, zone, label), counts in sorted(by_bar.items())
        ],
    )


def _stays_of(answerable: Answerable, names: Names, zones: Sequence[str]) -> Iterator[tuple[int, Rows]]:
    for day in answerable.flows:
        rows = of_names(rows_of(day, "stay", names), "zone", names.zones, zones)
        yield day.day_start_ms, of_names(rows, "label", names.labels, answerable.asked.labels)


def _dwells(rows: Rows, day_start_ms: int, from_ms: int, to_ms: int) -> Iterator[tuple[int, Whole]]:
    """Yield by zone how long stays were that ended on the day, of those whose both ends are known."""
    is_over = (rows["to"] >= max(from_ms, day_start_ms)) & (rows["to"] < min(to_ms, day_start_ms + DAY_MS))
    is_whole = (rows["came"] == CAME.index("entered")) & (rows["went"] == WENT.index("left"))
    whole = select_rows(rows, is_over & is_whole)
    for zone in np.unique(whole["zone"]).tolist():
        own = whole["zone"] == zone
        yield zone, whole["to"][own] - whole["from"][own]


def _dwell(
    question: PlacesAsked,
    name: str,
    names: Names,
    dwells: dict[int, list[Whole]],
    within: Sequence[int],
) -> dict[str, Any]:
    parts = dwells.get(names.zones.index(name), []) if name in names.zones else []
    dwell_ms = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)
    fields = {
        "stays": len(dwell_ms),
        "appeared": within[0],
        "vanished": within[1],
        "median_s": _rank_s(dwell_ms, 50),
        "p90_s": _rank_s(dwell_ms, 90),
    }
    known_fields = dict.fromkeys(fields) if question.is_nothing_known else fields
    return {**known_fields, "missing": question.missing_of()}


def _rank_s(dwell_ms: Whole, percent: int) -> float | None:
    """Return the shortest dwell that `percent` % do not exceed, by nearest rank; None without dwells."""
    if not len(dwell_ms):
        return None
    return float(dwell_ms[-(-percent * len(dwell_ms) // 100) - 1]) / 1000


def _bucket(
    start_ms: int,
    zone: str,
    label: str,
    counts: ZoneCounts,
    covered_ms: dict[int, int | None],
    missing: Missing | None,
) -> answers.ZoneBucket:
    filmed_ms = covered_ms.get(start_ms)
    fields: dict[str, float | None] = {
        **counts._asdict(),
        "at_end": counts.at_end,
        "mean": counts.occupied_ms / filmed_ms if filmed_ms else None,
    }
    del fields["occupied_ms"]
    known_fields: dict[str, Any] = dict.fromkeys(fields) if missing else fields
    return answers.ZoneBucket(start_ms=start_ms, zone=zone, label=label, missing=missing, **known_fields)
