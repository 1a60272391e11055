"""Labels that are not the busiest are combined: summed by the server, however many there are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.kit.api import get
from tests.web.conftest import Place
from tests.web.counted_footage import MODEL, START_MS

from frametally.records import Coverage, IntervalCount

MINUTE_MS = 60_000
LABELS = [f"l{number:02d}" for number in range(28)]


def fill(
    place: Place, sources: int, minutes: list[int], *, labels: list[str] = LABELS, fps: float | None = 5.0
) -> None:
    """Label n has n + 1 boxes in each minute, all one object; its peak falls with n."""
    where: dict[str, Any] = {"model": MODEL, "interval_s": 60, "frames": 10}
    counts, coverage = [], []
    for number in range(sources):
        for minute in minutes:
            at: dict[str, Any] = {
                **where,
                "source": f"camera-{number:02d}",
                "interval_start_ms": START_MS + minute * MINUTE_MS,
            }
            measured = fps is not None and fps >= 5
            counts += [
                IntervalCount(
                    **at,
                    label=label,
                    detections=place_of + 1,
                    peak=len(labels) - place_of,
                    objects=1 if measured else None,
                    tracked_detections=place_of + 1 if measured else None,
                    evidence=[],
                )
                for place_of, label in enumerate(labels)
            ]
            coverage.append(
                Coverage(**at, objects=len(labels) if measured else None, analysed_fps=fps, covered_ms=2_000)
            )
    place.publish(counts, coverage, interval_s=60, model=MODEL)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory, make_place: Any) -> Any:
    place = make_place(tmp_path_factory.mktemp("top"))
    fill(place, 2, [*range(6)])
    yield place
    place.close()


@pytest.mark.thorough
@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    top=st.integers(0, 29),
    metric=st.sampled_from(["detections", "mean_per_frame", "peak", "objects"]),
    by=st.sampled_from(["", "source"]),
    interval_s=st.sampled_from([60, 120, 3600]),
    asked=st.sampled_from([[], ["l03"], ["l20", "l03", "l07"]]),
)
def test_separate_and_combined_series_add_up_to_the_labels_own_numbers(
    filmed: Place, top: int, metric: str, by: str, interval_s: int, asked: list[str]
) -> None:
    query = "&".join(
        [f"metric={metric}", f"by={by}", f"interval={interval_s}", *(f"label={label}" for label in asked)]
    )
    each, some = get(filmed, f"counts?{query}"), get(filmed, f"counts?{query}&top={top}")
    ranked = get(filmed, f"counts?metric={metric}&interval={interval_s}")["labels"]
    ranked = [label for label in ranked if not asked or label in asked]
    assert (some["labels"], some["rest"]) == (ranked[:top], ranked[top:])
    for name in ("buckets", "totals"):
        apart = {(one.get("start_ms"), one["source"], one["label"]): one for one in some[name]}
        rest: dict[tuple[Any, Any], list[Any]] = {}
        for one in each[name]:
            if one["label"] in some["labels"]:
                assert apart.pop((one.get("start_ms"), one["source"], one["label"])) == one
            else:
                rest.setdefault((one.get("start_ms"), one["source"]), []).append(one)
        for (start_ms, source), parts in rest.items():
            together = apart.pop((start_ms, source, None))
            assert together["detections"] == sum(part["detections"] for part in parts)
            assert together["objects"] == sum(part["objects"] for part in parts)
            assert together["peak"] == max(part["peak"] for part in parts)
            assert together["mean_per_frame"] == pytest.approx(sum(part["mean_per_frame"] for part in parts))
        assert not apart
    singly = {total["label"]: total for total in each["totals"]}
    assert some["rest_totals"] == ([] if by else [singly[label] for label in some["rest"]])
    # Without separate labels, the buckets have all labels together.
    assert [(bar["start_ms"], bar["source"]) for bar in some["bars"]] == [
        (part["start_ms"], part["source"]) for part in some["coverage"] if top
    ]
    for bar in (*some["bars"], *each["bars"]):
        parts = [one for one in each["buckets"] if one["start_ms"] == bar["start_ms"]]
        parts = [part for part in parts if part["source"] == bar["source"]]
        assert bar["detections"] == sum(part["detections"] for part in parts)
        assert bar["objects"] == sum(part["objects"] for part in parts)
        assert bar["peak"] == max(part["peak"] for part in parts)
        assert bar["mean_per_frame"] == pytest.approx(sum(part["mean_per_frame"] for part in parts))


def test_the_limit_applies_to_the_series_in_the_answer(
    filmed: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_web.charts.counts.MOST_BARS", 100)
    client = filmed.app().test_client()
    assert client.get("/api/v1/counts?interval=60").status_code == 400
    assert client.get("/api/v1/counts?interval=60&top=6").status_code == 200


@pytest.mark.thorough
def test_a_year_by_days_with_80_labels_is_answered_with_the_six_busiest_and_the_rest(place: Place) -> None:
    labels = [f"l{number:02d}" for number in range(80)]
    fill(place, 1, [day * 1440 for day in range(0, 365, 3)], labels=labels)
    refused = place.app().test_client().get("/api/v1/counts?interval=86400&timezone=Europe/Berlin")
    assert refused.status_code == 400
    assert "FRAMETALLY" not in refused.text
    answer = get(place, "counts?interval=86400&timezone=Europe/Berlin&top=6")
    assert answer["labels"] == ["l79", "l78", "l77", "l76", "l75", "l74"]
    assert len(answer["rest"]) == 74
    assert len(answer["buckets"]) == 122 * 7


@pytest.mark.thorough
def test_50_sources_with_28_labels_are_answered_by_source_with_one_series_each(place: Place) -> None:
    fill(place, 50, [*range(0, 720, 30)])
    assert place.app().test_client().get("/api/v1/counts?by=source&interval=900").status_code == 400
    answer = get(place, "counts?by=source&interval=900&top=0")
    assert {one["label"] for one in answer["buckets"]} == {None}
    assert len(answer["totals"]) == len({one["source"] for one in answer["totals"]}) == 50
    assert (answer["labels"], sorted(answer["rest"])) == ([], LABELS)
    assert {one["detections"] for one in answer["totals"]} == {24 * sum(range(1, 29))}


def test_where_nothing_was_found_all_labels_together_are_zero(place: Place) -> None:
    fill(place, 1, [0, 1], labels=[])
    answer = get(place, "counts?top=0")
    [total] = answer["totals"]
    assert (total["label"], total["detections"], total["objects"]) == (None, 0, 0)
    assert (answer["labels"], answer["rest"], answer["buckets"]) == ([], [], [])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("fps", "query", "metric"),
    [
        (5.0, "metric=auto", "objects"),
        (5.0, "metric=auto&top=3", "objects"),
        (5.0, "metric=auto&label=l03&by=source", "objects"),
        (1.0, "metric=auto", "mean_per_frame"),
        (None, "metric=auto&top=0", "mean_per_frame"),
        (5.0, "metric=auto&from=2031-01-01", "mean_per_frame"),
        (5.0, "", "detections"),
    ],
)
def test_the_metric_is_objects_where_they_are_known_and_otherwise_the_mean(
    place: Place, fps: float | None, query: str, metric: str
) -> None:
    fill(place, 1, [0, 1], fps=fps)
    assert get(place, f"counts?{query}")["metric"] == metric
