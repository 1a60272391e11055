"""Answers `/api/crossings`, `/api/movements` and `/api/zones` with sums over days of flows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
from msgspec import structs

from frametally.actions.answers import Answer
from frametally.rules.known import Basis, Missing, why_unknown
from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import (
    CAME,
    CROSSINGS_MISSING,
    NO_MOVEMENTS,
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
from frametally_traffic.geometry.zones import ZoneCounts
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.flow_question import (
    Answerable,
    PlacesAsked,
    check_place,
    counted_lines,
    holding,
)
from frametally_traffic.records import DrawnZone


def count_crossings(
    head: dict[str, Any], answerable: Answerable | None, lines: Sequence[str]
) -> answers.LineCrossings:
    """Return the crossings of `lines`, or of all lines if it is empty.

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
    unfit = {(start_ms, line) for start_ms, line in answerable.unfit("line") if line in lines or not lines}
    odd_lines = {line for _, line in unfit}
    of_bars = {
        (start_ms, line, label): [0, 0, 0] for start_ms, line in unfit for label in question.untracked
    } | {
        (question.edges_ms[bar], names.lines[line], names.labels[label]): ways
        for (bar, line, label), ways in by_bar.items()
    }
    of_names: dict[tuple[str, str], tuple[list[int], dict[CrossingMissing, int]]] = {
        (line, label): ([0, 0, 0], {})
        for line in {entry.name for entry in shown_lines}
        for label in (question.untracked if line in odd_lines else question.unknown_labels)
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
                start_ms=start_ms,
                line=line,
                label=label,
                **_ways(ways, question.unknown.get((start_ms, label)), fits=(start_ms, line) not in unfit),
            )
            for (start_ms, line, label), ways in sorted(of_bars.items())
        ],
        totals=[
            _total(question, line, label, ways, of_reason, fits=line not in odd_lines)
            for (line, label), (ways, of_reason) in sorted(of_names.items())
        ],
    )


def _ways(ways: Sequence[int], not_followed: Missing | None, *, fits: bool) -> dict[str, Any]:
    """Return the known crossings by way.

    `not_followed`: why objects could not be followed, if so. `fits`: whether the line fits all pictures.
    """
    to_right, to_left, cut = ways
    basis = Basis(is_other_size=not fits, passages=to_right + to_left, cut_passages=cut)
    missing = not_followed or why_unknown("passages", basis)
    return {
        **dict(zip(WAYS, (None, None, cut or None) if missing else ways, strict=True)),
        "missing": missing,
        "at_least": (to_right + to_left or None) if missing else None,
    }


def crossings_of(answerable: Answerable, names: Names, lines: Sequence[str]) -> Iterator[Rows]:
    """Yield the requested crossings of each day, by `lines` (all if empty), labels and the range."""
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
    *,
    fits: bool,
) -> answers.CrossingTotal:
    to_right, to_left, _ = ways
    fields = _ways(ways, question.unknown_labels.get(label), fits=fits)
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
    """Return the movements of a junction, with all its visits by outcome."""
    if answerable is None:
        missing: Missing = "not_analysed" if head["not_analysed"] else "no_footage"
        return answers.JunctionMovements(**head, legs=[], movements=[], books=_books({}, missing))
    question = answerable.asked
    legs = counted_lines(question, answerable.drawing, legs=True)
    leg_names = {leg.name for leg in legs}
    unfit = {(start_ms, leg) for start_ms, leg in answerable.unfit("line") if leg in leg_names}
    odd_bars = {start_ms for start_ms, _ in unfit}
    names = names_of(answerable.flows)
    edges = np.array(question.edges_ms, np.int64)
    turns: Counter[tuple[int, ...]] = Counter()
    outcomes: Counter[int] = Counter()
    for rows in visits_of(answerable, names, legs=True) if legs else ():
        assigned = select_rows(rows, rows["outcome"] == 0)
        turns.update(
            count_rows(
                bar_of(edges, assigned["time"]), assigned["from_leg"], assigned["to_leg"], assigned["label"]
            )
        )
        for (bar, outcome), number in count_rows(bar_of(edges, rows["time"]), rows["outcome"]).items():
            # A visit without a movement may have been at a leg that does not fit the picture.
            if outcome == 0 or question.edges_ms[bar] not in odd_bars:
                outcomes[outcome] += number
    movements = {
        (start_ms, *pair, label): 0
        for start_ms, leg in unfit
        for other in leg_names
        for pair in ((leg, other), (other, leg))
        for label in question.untracked
    } | {
        (question.edges_ms[bar], names.lines[from_leg], names.lines[to_leg], names.labels[label]): visits
        for (bar, from_leg, to_leg, label), visits in turns.items()
    }
    books_missing = question.missing_of() or ("other_size" if unfit else None if legs else "no_legs")
    return answers.JunctionMovements(
        **head,
        legs=legs,
        movements=[
            _movement(
                key,
                visits,
                question.unknown.get((key[0], key[3]))
                or ("other_size" if {(key[0], key[1]), (key[0], key[2])} & unfit else None),
            )
            for key, visits in sorted(movements.items())
        ],
        books=_books(outcomes, books_missing),
    )


def _books(outcomes: Mapping[int, int], missing: answers.MovementsMissing | None) -> answers.VisitBooks:
    """Return the books of visits that were counted by outcome, in the order of their numbers."""
    books = {way: outcomes.get(code, 0) for code, way in enumerate(("assigned", *NO_MOVEMENTS))}
    books["visits"] = sum(books.values())
    return answers.VisitBooks(**_known_or_seen(books, missing, answers.VisitsSeen))


def _known_or_seen(
    numbers: dict[str, Any], missing: answers.MovementsMissing | None, part: type[Answer]
) -> dict[str, Any]:
    """Return fields with numbers; if they are not known, null with the reason and the part that was seen."""
    if missing is None:
        return {**numbers, "missing": None, "at_least": None}
    parts = {name: numbers[name] for name in part.__struct_fields__}
    at_least = part(**parts) if any(parts.values()) else None
    return {**dict.fromkeys(numbers), "missing": missing, "at_least": at_least}


def _movement(key: tuple[int, str, str, str], visits: int, missing: Missing | None) -> answers.MovementBucket:
    start_ms, from_leg, to_leg, label = key
    return answers.MovementBucket(
        start_ms=start_ms,
        from_leg=from_leg,
        to_leg=to_leg,
        label=label,
        visits=None if missing else visits,
        missing=missing,
        at_least=(visits or None) if missing else None,
    )


def visits_of(answerable: Answerable, names: Names, *, legs: bool) -> Iterator[Rows]:
    """Yield the requested visits of each day; with `legs`, only of days that have legs."""
    for day in answerable.flows:
        if day.legs or not legs:
            rows = rows_between(
                rows_of(day, "visit", names), answerable.asked.from_ms, answerable.asked.to_ms
            )
            yield of_names(rows, "label", names.labels, answerable.asked.labels)


def count_zones(
    head: dict[str, Any], answerable: Answerable | None, zones: Sequence[str]
) -> answers.ZoneStays:
    """Return the events in `zones`, or in all zones if it is empty.

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
    unfit = {(start_ms, zone) for start_ms, zone in answerable.unfit("zone") if zone in zones or not zones}
    stays = {
        (start_ms, zone, label): ZoneCounts() for start_ms, zone in unfit for label in question.untracked
    } | {
        (question.edges_ms[bar], names.zones[zone], names.labels[label]): counts
        for (bar, zone, label), counts in by_bar.items()
    }
    return answers.ZoneStays(
        **head,
        zones=[
            answers.CountedZone(
                **structs.asdict(zone),
                **_dwell(question, zone, names, dwells, within[zone.name], unfit),
            )
            for zone in holding(question, answerable.drawing.zones)
            if zone.name in zones or not zones
        ],
        stays=[
            _bucket(
                start_ms,
                zone,
                label,
                counts,
                covered_ms,
                question.unknown.get((start_ms, label))
                or ("other_size" if (start_ms, zone) in unfit else None),
            )
            for (start_ms, zone, label), counts in sorted(stays.items())
        ],
    )


def _stays_of(answerable: Answerable, names: Names, zones: Sequence[str]) -> Iterator[tuple[int, Rows]]:
    for day in answerable.flows:
        rows = of_names(rows_of(day, "stay", names), "zone", names.zones, zones)
        yield day.day_start_ms, of_names(rows, "label", names.labels, answerable.asked.labels)


def _dwells(rows: Rows, day_start_ms: int, from_ms: int, to_ms: int) -> Iterator[tuple[int, Whole]]:
    """Yield, by zone, the lengths of stays that ended on the day and whose start and end were seen."""
    is_over = (rows["to"] >= max(from_ms, day_start_ms)) & (rows["to"] < min(to_ms, day_start_ms + DAY_MS))
    is_whole = (rows["came"] == CAME.index("entered")) & (rows["went"] == WENT.index("left"))
    whole = select_rows(rows, is_over & is_whole)
    for zone in np.unique(whole["zone"]).tolist():
        own = whole["zone"] == zone
        yield zone, whole["to"][own] - whole["from"][own]


def _dwell(
    question: PlacesAsked,
    zone: DrawnZone,
    names: Names,
    dwells: dict[int, list[Whole]],
    within: Sequence[int],
    unfit: Set[tuple[int, str]],
) -> dict[str, Any]:
    """Return the stays of a zone; `unfit`: bars and zones that do not fit all pictures."""
    name = zone.name
    parts = dwells.get(names.zones.index(name), []) if name in names.zones else []
    dwell_ms = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)
    fields = {
        "stays": len(dwell_ms),
        "appeared": within[0],
        "vanished": within[1],
        "median_s": _rank_s(dwell_ms, 50),
        "p90_s": _rank_s(dwell_ms, 90),
    }
    fits = [
        (bar.start_ms, name) not in unfit
        for bar in question.bars
        if bar.frames and zone.holds_in(bar.start_ms, bar.end_ms)
    ]
    missing = question.missing_of() or (None if all(fits) else "other_size")
    return _known_or_seen(fields, missing, answers.StaysSeen)


def _rank_s(dwell_ms: Whole, percent: int) -> float | None:
    """Return the shortest dwell that `percent` % do not exceed, by nearest rank, or None without dwells."""
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
    events: dict[str, Any] = {**counts._asdict(), "at_end": counts.at_end}
    occupied_ms = events.pop("occupied_ms")
    events["mean"] = occupied_ms / filmed_ms if filmed_ms else None
    return answers.ZoneBucket(
        start_ms=start_ms, zone=zone, label=label, **_known_or_seen(events, missing, answers.ZoneEvents)
    )
