"""The answer of `/api/zones`: who came, who went, how many were there and for how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from frametally.rules.times import DAY_MS
from frametally_traffic.flows.day_columns import CAME, WENT
from frametally_traffic.geometry.zones import ZoneCounts
from frametally_traffic.line_counts import answers
from frametally_traffic.line_counts.answer_head import Answerable
from frametally_traffic.line_counts.flow_question import check_place, holding
from frametally_traffic.line_counts.flow_sums import (
    Names,
    Rows,
    Whole,
    chosen,
    names_of,
    of_names,
    rows_of,
    together,
    zone_counts,
)


def count(head: dict[str, Any], found: Answerable | None, zones: Sequence[str]) -> answers.ZoneStays:
    """Return what happened in `zones`; in all where none is named.

    Raises:
        Problem: 400, if no such zone is drawn over the source.
    """
    if found is None:
        return answers.ZoneStays(**head, zones=[], stays=[])
    check_place("zone", [*zones], found.drawing.zones)
    names = names_of(found.flows)
    asked = found.asked
    edges = np.array(asked.edges_ms, np.int64)
    by_bar: dict[tuple[int, int, int], ZoneCounts] = {}
    dwells: dict[int, list[Whole]] = {}
    for day_start_ms, rows in _stays_of(found, names, zones):
        for key, counts in zone_counts(rows, day_start_ms, edges, asked.from_ms, asked.to_ms).items():
            by_bar[key] = together(by_bar[key], counts) if key in by_bar else counts
        for zone, dwell_ms in _dwells(rows, day_start_ms, asked.from_ms, asked.to_ms):
            dwells.setdefault(zone, []).append(dwell_ms)
    covered_ms = {bar.start_ms: bar.covered_ms for bar in asked.bars}
    return answers.ZoneStays(
        **head,
        zones=[
            answers.CountedZone(
                name=zone.name,
                points=[*zone.points],
                width_px=zone.width_px,
                height_px=zone.height_px,
                from_ms=zone.from_ms,
                to_ms=zone.to_ms,
                **_dwell(zone.name, names, dwells),
            )
            for zone in holding(asked, found.drawing.zones)
            if zone.name in zones or not zones
        ],
        stays=[
            _bucket(asked.edges_ms[bar], names.zones[zone], names.labels[label], counts, covered_ms)
            for (bar, zone, label), counts in sorted(by_bar.items())
        ],
    )


def _stays_of(found: Answerable, names: Names, zones: Sequence[str]) -> Iterator[tuple[int, Rows]]:
    for day in found.flows:
        rows = of_names(rows_of(day, "stay", names), "zone", names.zones, zones)
        yield day.day_start_ms, of_names(rows, "label", names.labels, found.asked.labels)


def _dwells(rows: Rows, day_start_ms: int, from_ms: int, to_ms: int) -> Iterator[tuple[int, Whole]]:
    """Yield by zone how long stays were that ended on the day, as `zones.dwell_ms` tells it."""
    ended = (rows["to"] >= max(from_ms, day_start_ms)) & (rows["to"] < min(to_ms, day_start_ms + DAY_MS))
    known = (rows["came"] == CAME.index("entered")) & (rows["went"] == WENT.index("left"))
    whole = chosen(rows, ended & known)
    for zone in np.unique(whole["zone"]).tolist():
        own = whole["zone"] == zone
        yield zone, whole["to"][own] - whole["from"][own]


def _dwell(name: str, names: Names, dwells: dict[int, list[Whole]]) -> dict[str, Any]:
    parts = dwells.get(names.zones.index(name), []) if name in names.zones else []
    dwell_ms = np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)
    return {"stays": len(dwell_ms), "median_s": _rank_s(dwell_ms, 50), "p90_s": _rank_s(dwell_ms, 90)}


def _rank_s(dwell_ms: Whole, percent: int) -> float | None:
    """Return the shortest dwell that `percent` % do not exceed, by nearest rank; None where there is none."""
    if not len(dwell_ms):
        return None
    return float(dwell_ms[-(-percent * len(dwell_ms) // 100) - 1]) / 1000


def _bucket(
    start_ms: int, zone: str, label: str, counts: ZoneCounts, covered_ms: dict[int, int | None]
) -> answers.ZoneBucket:
    fields = counts._asdict()
    filmed_ms = covered_ms.get(start_ms)
    occupied_ms = fields.pop("occupied_ms")
    return answers.ZoneBucket(
        start_ms=start_ms,
        zone=zone,
        label=label,
        **fields,
        at_end=counts.at_end,
        mean=occupied_ms / filmed_ms if filmed_ms else None,
    )
