"""All count indexes give the same answers: each is compared with SQLite's, over generated runs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from itertools import count as numbers
from typing import Any

import pytest
from elasticsearch_indices import fresh_alias
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from postgres_schemas import fresh_schema
from tests.fakes.records import make_run

from frametally import keys
from frametally.adapters_by_url import open_count_index
from frametally.ports.count_index import CountIndex, CountQuery
from frametally.records import Coverage, Evidence, IntervalCount
from frametally.rules.week_parts import parts_of_week, shift
from frametally.settings.access import ServerAccess

pytestmark = pytest.mark.services

HOUR_MS = 3_600_000
# Around the days on which Europe/Berlin has 23 and 25 hours, and around 1970, where times become negative.
DAYS = ["2026-03-28", "2026-03-29", "2026-03-30", "2026-10-24", "2026-10-25", "1969-12-31", "1970-01-01"]
# Local days begin at these offsets: winter and summer in Berlin, India, Newfoundland, and UTC.
OFFSETS_MS = [0, HOUR_MS, 2 * HOUR_MS, 5 * HOUR_MS + HOUR_MS // 2, -3 * HOUR_MS - HOUR_MS // 2]
# 00:00 in Berlin, before and after the clocks change.
MIDNIGHTS_MS = [
    keys.day_start_ms("2026-03-29") - HOUR_MS,
    keys.day_start_ms("2026-03-30") - 2 * HOUR_MS,
    keys.day_start_ms("2026-10-25") - 2 * HOUR_MS,
    keys.day_start_ms("2026-10-26") - HOUR_MS,
]


@pytest.fixture(scope="module", params=[fresh_schema, fresh_alias], ids=["postgresql", "elasticsearch"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[CountIndex, CountIndex]]:
    """SQLite's index and the real one."""
    place: Callable[[], AbstractContextManager[tuple[str, ServerAccess]]] = request.param
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url, access = stack.enter_context(place())
        yield (
            stack.enter_context(closing(open_count_index(f"sqlite:///{folder}/index.sqlite"))),
            stack.enter_context(closing(open_count_index(url, access))),
        )


Records = dict[tuple[str, int], tuple[list[IntervalCount], list[Coverage]]]


@st.composite
def runs(draw: st.DrawFn) -> Records:
    """Counts and coverage by day and base interval, of the model `m`."""
    found: Records = {}
    base_interval_s = draw(st.sampled_from([60, 300, 900, 3600]))
    length_ms = base_interval_s * 1000
    for day in draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=3, unique=True)):
        counts: dict[tuple[object, ...], IntervalCount] = {}
        covered: dict[tuple[object, ...], Coverage] = {}
        for _ in range(draw(st.integers(1, 12))):
            hour = draw(st.integers(0, 23))
            start_ms = keys.day_start_ms(day) + hour * HOUR_MS + draw(st.integers(0, 3)) * length_ms % HOUR_MS
            source, label = (
                draw(st.sampled_from(["gate", "Yard é"])),
                draw(st.sampled_from(["car", "bus", "Ärger"])),
            )
            boxes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
            shown = [
                Evidence(
                    image_path=f"images/{draw(st.integers(0, 3))}/{source}/{label}/{start_ms}-{number}",
                    captured_at_ms=start_ms + draw(st.integers(0, 2)),
                    count=boxes_here,
                )
                for number, boxes_here in enumerate(boxes)
            ]
            shown.sort(key=lambda item: (-item.count, item.captured_at_ms, item.image_path))
            fields: dict[str, Any] = {
                "model": "m",
                "source": source,
                "interval_start_ms": start_ms,
                "interval_s": base_interval_s,
                "frames": draw(st.integers(1, 9)),
            }
            covered[start_ms, source] = Coverage(
                **fields, analysed_fps=draw(st.sampled_from([None, 0.5, 2.0, 12.25]))
            )
            counts[start_ms, source, label] = IntervalCount(
                **fields,
                label=label,
                detections=sum(boxes),
                peak=max(boxes),
                evidence=shown,
                objects=draw(st.sampled_from([0, 1, 2, 2, None])),
            )
        found[day, base_interval_s] = (list(counts.values()), list(covered.values()))
    return found


def published(index: CountIndex, model: str, records: Records) -> None:
    for (day, interval_s), (counts, coverage) in records.items():
        for sequence in (1, 2):  # the first one is replaced
            run = make_run(sequence, model=model, interval_s=interval_s, day=day, parts=[])
            of_model = [replaced(record, model) for record in counts[: 1 if sequence == 1 else None]]
            covered = [replaced(record, model) for record in coverage]
            assert index.publish(run, of_model, covered)


def replaced(record: Any, model: str) -> Any:
    return type(record)(
        **{name: getattr(record, name) for name in record.__struct_fields__} | {"model": model}
    )


def answers(index: CountIndex, model: str, base_interval_s: int, asked: dict[str, Any]) -> dict[str, object]:
    """The index's answers to all queries."""
    of_model: dict[str, Any] = {"model": model, "base_interval_s": base_interval_s}
    selected: dict[str, Any] = {name: asked[name] for name in ("from_ms", "to_ms")}
    selected |= {name: asked[name] or [] for name in ("sources", "labels")}
    selected["week_parts"] = shift(parts_of_week(asked["hours"], asked["weekdays"]), -asked["offset_ms"])
    bars: dict[str, Any] = {name: asked[name] for name in ("interval_s", "offset_ms", "by_source", "apart")}
    offset: dict[str, Any] = {"offset_ms": asked["offset_ms"]}
    return {
        "histogram": index.histogram(CountQuery(**of_model, **selected, **bars))._replace(model=""),
        "week": index.week_hours(CountQuery(**of_model, **selected, **offset)),
        "evidence": index.evidence(CountQuery(**of_model, **selected), limit_per_label=asked["limit"]),
        "labels": index.labels(model),
        "sources": index.sources(model),
        "runs": sum(run.model == model for run in index.current_runs()),
        "series": [series.base_interval_s for series in index.series() if series.model == model],
    }


model_numbers = numbers()


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    records=runs(),
    questions=st.lists(
        st.fixed_dictionaries(
            {
                "sources": st.sampled_from([None, ["gate"], ["Yard é", "gate"], ["none"]]),
                "labels": st.sampled_from([None, ["bus"], ["car", "Ärger"]]),
                "from_ms": st.none() | st.sampled_from(MIDNIGHTS_MS) | st.integers(-(10**8), 2 * 10**12),
                "to_ms": st.none() | st.sampled_from(MIDNIGHTS_MS) | st.integers(-(10**8), 2 * 10**12),
                "interval_s": st.sampled_from([3600, 7200, 86_400, 604_800]),
                "offset_ms": st.sampled_from(OFFSETS_MS),
                "by_source": st.booleans(),
                "apart": st.sampled_from([None, [], ["bus"], ["none", "car"]]),
                "limit": st.sampled_from([1, 2, 5, 7]),
                "hours": st.none() | st.sampled_from([(480, 540), (1320, 360), (0, 1440), (60, 180)]),
                "weekdays": st.sets(st.integers(1, 7)),
            }
        ),
        min_size=3,
        max_size=5,
    ),
)
def test_the_same_runs_give_the_same_answers(
    pair: tuple[CountIndex, CountIndex], records: Records, questions: list[dict[str, Any]]
) -> None:
    model = f"m{next(model_numbers)}"  # one index for all: the model keeps each example apart
    base_interval_s = next(iter(records))[1]
    for index in pair:
        published(index, model, records)
    for asked in questions:
        if asked["offset_ms"] % (base_interval_s * 1000):
            asked["offset_ms"] = 0
        sqlite, real = (answers(index, model, base_interval_s, asked) for index in pair)
        assert real == sqlite
