"""The table that `run` and `demo` print sums all counts, and says which part of it is shown."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.records import make_coverage
from tests.web.conftest import Place
from tests.web.counted_footage import START_MS

from frametally.console.tables import print_counts
from frametally.records import Coverage, IntervalCount
from frametally.rules.times import DAY_MS, DAY_S, HOUR_MS, HOUR_S


@pytest.mark.thorough
@pytest.mark.parametrize(("days", "title"), [(40, ""), (46, "; last 40 of 46 intervals")])
def test_a_total_covers_all_intervals_even_if_only_the_last_ones_are_shown(
    place: Place, days: int, title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first_ms = START_MS - START_MS % DAY_MS
    counts, coverage = [], []
    for day in range(days):
        start_ms = first_ms + day * DAY_MS
        where: dict[str, Any] = {"source": "gate", "interval_start_ms": start_ms, "interval_s": DAY_S}
        coverage.append(Coverage(**where, model="m", frames=24))
        counts.append(
            IntervalCount(**where, model="m", label="car", frames=24, detections=day, peak=1, evidence=[])
        )
    place.publish(counts, coverage, interval_s=DAY_S, model="m")
    print_counts(place.index, "m", DAY_S, {}, "UTC")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0].rstrip().endswith(f"model m{title}")
    *name, frames, cars = lines[-1].split()
    assert " ".join(name) == ("total of all 46" if title else "total")
    assert (int(frames), int(cars)) == (days * 24, sum(range(days)))
    assert sum(line.strip().startswith("2024-") for line in lines) == 40


@pytest.mark.parametrize(
    ("timezones", "heading", "time"),
    [
        ({}, "(Europe/Berlin), 2 sources together, model m", "2024-05-02 00:00:00+02:00"),
        ({"gate": "Asia/Tokyo", "yard": "Asia/Tokyo"}, "(Asia/Tokyo), 2 s", "2024-05-02 00:00:00+09:00"),
        ({"gate": "Asia/Tokyo"}, "(UTC; the time zones of the sources differ)", "2024-05-02 00:00:00Z"),
    ],
)
def test_printed_times_are_in_the_sources_zone_or_in_utc_if_their_zones_differ(
    place: Place, timezones: dict[str, str], heading: str, time: str, capsys: pytest.CaptureFixture[str]
) -> None:
    coverage = [
        make_coverage(START_MS + hour * HOUR_MS, 24, source=source, interval_s=HOUR_S)
        for source in ("gate", "yard")
        for hour in range(90)
    ]
    place.publish([], coverage, interval_s=HOUR_S, model="m")
    print_counts(place.index, "m", HOUR_S, timezones, "Europe/Berlin")
    said = capsys.readouterr().out
    assert heading in said
    assert time in said
