"""How fast what went by was, by interval: the speed that 85 % did not exceed (V85)."""

from __future__ import annotations

from collections import Counter, defaultdict

from frametally import keys
from frametally.rules.times import DAY_MS, days_of_span
from frametally_alerts.conditions.round_input import Counted, RoundPorts
from frametally_alerts.rules import AlertRule
from frametally_traffic.counting.published_days import flows_for
from frametally_traffic.geometry.speed_distribution import SpeedDistribution


def read_speeds(
    rule: AlertRule, ports: RoundPorts, counted: Counted, sources: list[str], from_ms: int, to_ms: int
) -> dict[tuple[str, str], dict[int, float]]:
    """Return by source and label the V85 in km/h of each interval in which any speed was measured.

    Raises:
        Poison: Paths, or what is drawn, cannot be read.
    """
    days = [keys.utc_day(day * DAY_MS) for day in days_of_span(from_ms, to_ms - 1)]
    bar_ms = rule.interval_s * 1000
    bins: defaultdict[tuple[str, str, int], Counter[int]] = defaultdict(Counter)
    for source in sources:
        for flows in flows_for(ports.store, counted.model, counted.base_interval_s, source, days):
            columns = flows.columns
            rows = zip(
                *(columns[f"visit_{name}"] for name in ("time", "label", "speed", "speed_missing")),
                strict=True,
            )
            for time_ms, label, speed, missing in rows:
                at_ms = flows.day_start_ms + time_ms
                if missing or not from_ms <= at_ms < to_ms:
                    continue
                name = flows.labels[label]
                if rule.labels and name not in rule.labels:
                    continue
                bins[source, name if rule.labels else "", at_ms - at_ms % bar_ms][speed] += 1
    found: defaultdict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for (source, label, start_ms), visits in bins.items():
        value = SpeedDistribution(tuple(sorted(visits.items()))).p85_km_h
        if value is not None:
            found[source, label][start_ms] = value
    return dict(found)
