"""A run as documents: ids that never change, sums that a plain count gives; and URLs that name no index."""

from __future__ import annotations

import random
import socket
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.records import make_coverage, make_run

from frametally import keys
from frametally.errors import Misconfigured, Poison, Retryable
from frametally.process.time_limit import TookTooLong, time_limit
from frametally.records import Coverage, Evidence, IntervalCount, Run
from frametally.settings.access import ServerAccess
from frametally_search.index.access import ElasticsearchCluster
from frametally_search.index.documents import documents

DAY_MS = keys.day_start_ms("2026-01-01")


def run(interval_s: int) -> Run:
    return make_run(interval_s=interval_s, parts=[])


@st.composite
def records(draw: st.DrawFn) -> tuple[int, list[IntervalCount], list[Coverage]]:
    interval_s = draw(st.sampled_from([60, 900, 3600, 7, 86_400]))
    last = 86_400 // interval_s - 1
    counts, coverage = {}, {}
    for number in range(draw(st.integers(0, 12))):
        start_ms = DAY_MS + draw(st.integers(0, last)) * interval_s * 1000
        source, label = draw(st.sampled_from(["a", "b"])), draw(st.sampled_from(["car", "bus"]))
        boxes = draw(st.integers(1, 3))
        shown = [Evidence(image_path=f"i/{number}", captured_at_ms=start_ms, count=boxes)]
        of: dict[str, Any] = {"model": "m", "source": source, "interval_start_ms": start_ms}
        of |= {"interval_s": interval_s, "frames": draw(st.integers(1, 5))}
        counts[start_ms, source, label] = IntervalCount(
            **of,
            label=label,
            detections=boxes,
            peak=boxes,
            evidence=shown,
            objects=draw(st.sampled_from([None, 0, 1])),
        )
        coverage[start_ms, source] = Coverage(**of, analysed_fps=draw(st.sampled_from([None, 1.0, 2.5])))
    return interval_s, list(counts.values()), list(coverage.values())


@pytest.mark.thorough
@given(records())
def test_each_step_holds_the_whole_run_once(made: tuple[int, list[IntervalCount], list[Coverage]]) -> None:
    interval_s, counts, coverage = made
    found = [document.source for document in documents(run(interval_s), counts, coverage)]
    steps = {interval_s} | {fields["step_s"] for fields in found}
    for step_s in steps:
        of_step = [fields for fields in found if fields["step_s"] == step_s]
        bars = [fields for fields in of_step if fields["kind"] == "count"]
        assert sum(fields["detections"] for fields in bars) == sum(count.detections for count in counts)
        assert max((fields["peak"] for fields in bars), default=0) == max((c.peak for c in counts), default=0)
        unknown = sum(fields["objects"] is None for fields in bars)
        assert (unknown > 0) == any(count.objects is None for count in counts)
        covered = [fields for fields in of_step if fields["kind"] == "coverage"]
        assert sum(fields["frames"] for fields in covered) == sum(record.frames for record in coverage)
        assert all(fields["interval_start_ms"] % (step_s * 1000) == 0 for fields in of_step if step_s != 7)
    for fields in found:
        assert fields["rolled"] == (fields["step_s"] != interval_s)


@pytest.mark.thorough
@given(records(), st.randoms())
def test_the_same_run_has_the_same_documents_in_any_order(
    made: tuple[int, list[IntervalCount], list[Coverage]], chance: random.Random
) -> None:
    interval_s, counts, coverage = made
    first = {document.id: document.source for document in documents(run(interval_s), counts, coverage)}
    chance.shuffle(counts)
    chance.shuffle(coverage)
    again = {document.id: document.source for document in documents(run(interval_s), counts, coverage)}
    assert again == first
    assert all(id.startswith("model=m/params=00000000/") and len(id.encode()) <= 512 for id in first)


def test_what_comes_twice_is_poison() -> None:
    record = make_coverage(DAY_MS, source="a")
    with pytest.raises(Poison, match="counts something twice"):
        list(documents(run(60), [], [record, record]))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("elasticsearch+http://me:word@host:9200", "carries a name or a password"),
        ("elasticsearch+http://host:port", "is no URL"),
        ("elasticsearch+http://", "names no Elasticsearch"),
        ("elasticsearch+http://host/a/b", "is no name of an alias"),
        ("elasticsearch+http://host/Counts", "is no name of an alias"),
        ("elasticsearch+http://host/?a=b", "names no Elasticsearch"),
    ],
)
def test_a_url_that_names_no_index_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says) as raised:
        ElasticsearchCluster(url, ServerAccess())
    assert "word@" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_alias_of_its_own_stands_behind_the_last_slash() -> None:
    assert ElasticsearchCluster("elasticsearch+https://host/mine", None).alias == "mine"
    cluster = ElasticsearchCluster("elasticsearch+http://host", None)
    assert cluster.name == "count index http://host:9200/hadoop-object-counts"


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (401, "security_exception: missing", Misconfigured),
        (403, "security_exception: action is unauthorized", Misconfigured),
        (403, "cluster_block_exception: read-only", Retryable),
        (404, "index_not_found_exception", Misconfigured),
        (429, "circuit_breaking_exception", Retryable),
        (503, "unavailable_shards_exception", Retryable),
        (400, "document_parsing_exception", type(None)),
    ],
)
def test_a_refusal_is_told_by_who_can_mend_it(status: int, reason: str, error: type) -> None:
    failure = ElasticsearchCluster("elasticsearch+http://host", None).failure_of(status, reason)
    assert type(failure) is error


@pytest.mark.timeout(45)  # without the limit it would be waited for a minute
def test_a_server_that_says_nothing_is_waited_for_no_longer_than_asked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster = ElasticsearchCluster(f"elasticsearch+http://127.0.0.1:{silent.getsockname()[1]}", None)
        with closing(cluster), pytest.raises(TookTooLong), time_limit(0.3), cluster.asked() as client:
            client.count(index="x")
