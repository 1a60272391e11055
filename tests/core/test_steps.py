"""Pre-rolled steps: a range is read whole and once, by steps that fit; a database of before answers alike."""

from __future__ import annotations

import itertools
import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frametally.adapters.sql.index import hours as sql_hours
from frametally.adapters.sql.index.hours import is_served
from frametally.adapters.sql.index.kept_hours import KeptHours
from frametally.adapters.sql.index.queries import RowSelection
from frametally.opening import open_count_index
from frametally.ports.count_index import CountQuery, Series
from frametally.ports.steps import pieces, rolled_steps, usable_steps
from frametally.records import Coverage, Evidence, IntervalCount, Run

DAY_MS = 86_400_000
BASES = [n for n in range(1, 86_401) if 86_400 % n == 0]
moments = st.none() | st.integers(-3 * DAY_MS, 3 * DAY_MS)


@given(
    st.sampled_from(BASES),
    st.sampled_from([1, 900, 3600, 86_400]),
    st.integers(-96, 96),
    moments,
    moments,
)
def test_a_range_is_cut_into_steps_that_fit_without_gap_or_overlap(
    base_s: int, at_least_s: int, quarters: int, from_ms: int | None, to_ms: int | None
) -> None:
    interval_s = math.lcm(base_s, at_least_s)
    offset_ms = quarters * 900_000 // (base_s * 1000) * base_s * 1000
    steps = usable_steps(base_s, interval_s, offset_ms)
    assert all(b % a == 0 for a, b in itertools.pairwise(steps))
    assert all(interval_s % step == 0 and offset_ms % (step * 1000) == 0 for step in steps)
    found = pieces(steps, from_ms, to_ms)
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        assert found == []
        return
    assert (found[0].from_ms, found[-1].to_ms) == (from_ms, to_ms)
    for one, other in itertools.pairwise(found):
        assert one.to_ms == other.from_ms
    for piece in found:
        for border in (piece.from_ms, piece.to_ms):
            assert piece.step_s == base_s or border is None or border % (piece.step_s * 1000) == 0


def test_a_year_of_minutes_with_odd_ends_is_read_mostly_by_days() -> None:
    found = pieces([60, *rolled_steps(60)], 7 * 60_000, 365 * DAY_MS - 7 * 60_000)
    assert [piece.step_s for piece in found] == [60, 900, 3600, 86_400, 3600, 900, 60]


def test_base_intervals_that_no_step_divides_have_none() -> None:
    assert rolled_steps(86_400) == []
    assert rolled_steps(640) == [86_400]
    assert rolled_steps(1) == [900, 3600, 86_400]


RUN = Run(
    run_id="000001-5555555555555555",
    sequence=1,
    model="m",
    params="0" * 8,
    interval_s=60,
    day="2026-01-01",
    prefix="mapreduce-output/x",
    parts=[],
    inputs_sha256="5" * 64,
    frames=1,
    duplicates_dropped=0,
)
START_MS = 1_767_225_600_000


@pytest.mark.parametrize("labels", [None, ["l3"], [f"l{n}" for n in range(20)]])
def test_packed_hours_say_what_the_rows_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: Any
) -> None:
    index = open_count_index(f"sqlite:///{tmp_path / 'index.sqlite'}")
    counts = [
        IntervalCount(
            model="m",
            source=f"s{n % 3}",
            label=f"l{n % 20}",
            interval_start_ms=START_MS + n * 60_000,
            interval_s=60,
            frames=5,
            detections=n % 7 + 1,
            peak=n % 5 + 1,
            objects=None if n % 100 == 7 else n % 3,
            evidence=[Evidence(image_path=f"images/{n}", captured_at_ms=START_MS, count=1)],
        )
        for n in range(1440)
    ]
    coverage = [
        Coverage(
            model="m", source=f"s{n % 3}", interval_start_ms=START_MS + n * 60_000, interval_s=60, frames=5
        )
        for n in range(1440)
    ]
    index.publish(RUN, counts, coverage)
    assert is_served(
        RowSelection(Series("m", 60), labels=tuple(labels or ())), [60, 900, 3600], KeptHours(), []
    )
    answers = []
    for cells in (True, False, "many"):
        if cells is False:
            monkeypatch.setattr("frametally.adapters.sql.index.counts.is_served", lambda *_: False)
        elif cells == "many":
            monkeypatch.undo()
            monkeypatch.setattr(sql_hours, "_MOST_CELLS", 2)
        asked: dict[str, Any] = {
            "model": "m",
            "base_interval_s": 60,
            "labels": labels or [],
            "from_ms": START_MS + 420_000,
        }
        answers.append(
            [
                *(
                    index.histogram(
                        CountQuery(interval_s=interval_s, offset_ms=offset_ms, by_source=by_source, **asked)
                    )
                    for interval_s in (3600, 21_600, 86_400)
                    for offset_ms in (0, 7_200_000, -3_600_000)
                    for by_source in (False, True)
                ),
                index.week_hours(CountQuery(offset_ms=7_200_000, **asked)),
                index.week_hours(CountQuery(sources=["s1", "none"], **asked)),
            ]
        )
    index.close()
    assert answers[0] == answers[1] == answers[2]


def test_an_index_of_the_first_layout_answers_the_same_after_its_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    asked: dict[str, Any] = {"model": "m", "base_interval_s": 60}

    def answers() -> Any:
        index = open_count_index(f"sqlite:///{path}")
        found = [
            index.histogram(CountQuery(interval_s=86_400, offset_ms=7_200_000, **asked)),
            index.histogram(CountQuery(interval_s=900, labels=["l1"], by_source=True, **asked)),
            index.week_hours(CountQuery(**asked)),
            index.evidence(CountQuery(**asked), limit_per_label=3),
            index.labels("m"),
            index.sources("m"),
            index.current_runs(),
        ]
        index.close()
        return found

    index = open_count_index(f"sqlite:///{path}")
    counts = [
        IntervalCount(
            model="m",
            source=f"s{n % 3}",
            label=f"größe {n % 4}",
            interval_start_ms=START_MS + n * 60_000,
            interval_s=60,
            frames=5,
            detections=n % 7 + 1,
            peak=n % 5 + 1,
            objects=None if n % 100 == 7 else n % 3,
            evidence=[Evidence(image_path=f"images/{n}", captured_at_ms=START_MS + n, count=n % 5 + 1)],
        )
        for n in range(600)
    ]
    index.publish(
        RUN, counts, [Coverage(model="m", source="s1", interval_start_ms=START_MS, interval_s=60, frames=5)]
    )
    index.close()
    before = answers()
    with sqlite3.connect(path) as connection:
        for table in ("counts", "coverage", "evidence", "hours"):
            connection.execute(f"DROP TABLE frametally_rolled_{table}")
        connection.execute("ALTER TABLE frametally_coverage DROP COLUMN slowest_fps")
        connection.execute("UPDATE frametally_index SET schema_version = 1")
    connection.close()
    assert answers() == before
