"""A run as documents, and their readers: stable ids, sums, points in time, rights."""

from __future__ import annotations

import json
import random
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.records import make_count, make_coverage, make_run
from tests.kit.errors import one_line

from frametally import keys
from frametally.adapters.day_cells.cells import differing_sources, unpack
from frametally.adapters.day_cells.parts import NOTHING_KEPT, WrittenPart
from frametally.adapters.day_cells.storage import DETECTIONS, Packed, decode_packed, rolled_steps
from frametally.adapters.day_cells.sums import OBJECTS
from frametally.adapters_by_url import open_count_index
from frametally.errors import BEFORE_FIRST_RELEASE, Misconfigured, Poison, Retryable, TooOld
from frametally.ports.count_index import IndexDamaged, no_name, part_at
from frametally.process.time_limit import TookTooLong, time_limit
from frametally.records import Coverage, Evidence, IntervalCount, Run
from frametally.settings.access import ServerAccess
from frametally_search.index.documents import current_document, current_run, documents, packed_in, run_mark
from frametally_search.index.search_access import (
    DEFAULT_ALIAS,
    MAPPINGS,
    STAGES,
    ElasticsearchCluster,
    set_up,
    template,
)

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
        counts[start_ms, source, label] = make_count(
            **of, label=label, detections=boxes, evidence=shown, objects=draw(st.sampled_from([None, 0, 1]))
        )
        coverage[start_ms, source] = Coverage(**of, analysed_fps=draw(st.sampled_from([None, 1.0, 2.5])))
    return interval_s, list(counts.values()), list(coverage.values())


def fields_by_id(
    interval_s: int, counts: list[IntervalCount], coverage: list[Coverage]
) -> dict[str, dict[str, Any]]:
    """The documents of a run that keeps nothing."""
    made = documents(run(interval_s), run_mark(run(interval_s), {}), counts, coverage, no_name, NOTHING_KEPT)
    return {document.id: document.source for document in made}


def cells_of(made: dict[str, dict[str, Any]]) -> dict[int, Packed]:
    """The packed content, by step."""
    found = {}
    for fields in made.values():
        if fields["kind"] == "cells":
            packed = packed_in(fields)
            assert packed is not None
            found[fields["step_s"]] = decode_packed(packed)
    return found


@pytest.mark.thorough
@given(records())
def test_each_step_contains_the_whole_run_once(made: tuple[int, list[IntervalCount], list[Coverage]]) -> None:
    interval_s, counts, coverage = made
    found = fields_by_id(interval_s, counts, coverage)
    rows = [fields for fields in found.values() if fields["kind"] in ("count", "coverage")]
    assert len(rows) == len(counts) + len(coverage)
    packed = cells_of(found)
    assert [*packed] == [interval_s, *rolled_steps(interval_s)]
    for of_step in packed.values():
        cells = unpack(of_step, 0, {}, {}, is_long=False)
        assert cells.counts[DETECTIONS].sum() == sum(count.detections for count in counts)
        assert (cells.counts[OBJECTS] < 0).any() == any(count.objects is None for count in counts)
        assert cells.coverage[DETECTIONS].sum() == sum(record.frames for record in coverage)
    days = [fields for fields in found.values() if fields["kind"] == "day"]
    assert {(day["label"], day["source"]) for day in days} == {(one.label, one.source) for one in counts}


@pytest.mark.thorough
@given(records(), st.randoms())
def test_the_same_run_gives_the_same_documents_in_any_order(
    made: tuple[int, list[IntervalCount], list[Coverage]], chance: random.Random
) -> None:
    interval_s, counts, coverage = made
    first = fields_by_id(interval_s, counts, coverage)
    chance.shuffle(counts)
    chance.shuffle(coverage)
    again = fields_by_id(interval_s, counts, coverage)
    assert again.keys() == first.keys()
    for step_s, packed in cells_of(first).items():
        assert differing_sources([packed, cells_of(again)[step_s]]) == set()
    assert all(again[id] == fields for id, fields in first.items() if fields["kind"] != "cells")
    assert all(id.startswith("model=m/params=00000000/") and len(id.encode()) <= 512 for id in first)


def test_a_comparison_has_each_row_under_the_run_that_wrote_it() -> None:
    filmed = [make_coverage(DAY_MS, source=name) for name in ("a", "b")]
    written = {part_at("a", DAY_MS): WrittenPart("older", "1")}
    made = documents(run(60), "mine", [], filmed, no_name, NOTHING_KEPT, written)
    rows = [document.source for document in made if document.source["kind"] == "coverage"]
    assert [(row["run"], row["source"]) for row in rows] == [("older", "a"), ("mine", "b")]


def test_changed_or_missing_packed_cells_are_ignored() -> None:
    [fields] = fields_by_id(86_400, [], []).values()
    assert packed_in(fields)
    for damaged in (None, {}, {"packed": "no"}, {"packed": fields["packed"][:-4]}):
        assert packed_in(damaged) is None


def test_a_record_given_twice_is_an_error() -> None:
    record = make_coverage(DAY_MS, source="a")
    with pytest.raises(Poison, match="counts something twice"):
        fields_by_id(60, [], [record, record])


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("elasticsearch+http://me:word@host:9200", "contains a user name or a password"),
        ("elasticsearch+http://host:port", "is not a URL"),
        ("elasticsearch+http://", "is not the URL of an Elasticsearch server"),
        ("elasticsearch+http://host/a/b", "is not an alias name"),
        ("elasticsearch+http://host/Counts", "is not an alias name"),
        ("elasticsearch+http://host/?a=b", "is not the URL of an Elasticsearch server"),
        ("elasticsearch+http://host/?shards=0", r"\?shards=3 for an index with as many shards \(1 to 999\)"),
    ],
)
def test_a_url_without_an_index_is_refused_without_its_password(url: str, says: str) -> None:
    with one_line(Misconfigured, match=says, without=("word@",)):
        ElasticsearchCluster(url, ServerAccess())


def test_a_custom_alias_follows_the_last_slash_of_the_url() -> None:
    assert ElasticsearchCluster("elasticsearch+https://host/mine", None).alias == "mine"
    of_three = ElasticsearchCluster("elasticsearch+https://host?shards=3", None)
    assert (of_three.alias, of_three.shards) == (DEFAULT_ALIAS, 3)
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
        (503, "search_phase_execution_exception: Search rejected due to missing shards [[x][1]]", Retryable),
        (400, "document_parsing_exception", type(None)),
    ],
)
def test_the_error_for_a_refusal_depends_on_who_can_fix_it(status: int, reason: str, error: type) -> None:
    failure = ElasticsearchCluster("elasticsearch+http://host", None).failure_of(status, reason)
    assert type(failure) is error


@pytest.mark.timeout(45)  # without the limit the test would wait for a minute
def test_a_silent_server_is_awaited_no_longer_than_requested() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster = ElasticsearchCluster(f"elasticsearch+http://127.0.0.1:{silent.getsockname()[1]}", None)
        with closing(cluster), pytest.raises(TookTooLong), time_limit(0.3), cluster.asked() as client:
            client.count(index="x")


@pytest.mark.parametrize("lost", ["run", "record", "params"])
def test_an_entry_with_a_missing_field_is_damaged(lost: str) -> None:
    entry = current_document(run(60), run_mark(run(60), {}))
    assert current_run(entry) == run(60)
    del entry[lost]
    with pytest.raises(IndexDamaged, match=r"its entry for 2026-01-01 \(m, 60 s\)"):
        current_run(entry)


ALIAS = "counts"
EXPIRED = {"type": "search_context_missing_exception", "reason": "No search context found for id [7]"}
NO_INDEX = {"type": "index_not_found_exception", "reason": "no such index [counts-v2]"}


class Server(ThreadingHTTPServer):
    """An empty Elasticsearch that refuses this many searches with 404, worded as by a real one.

    With `EXPIRED`, it refuses those in points in time.
    """

    def __init__(self, refusals: int, error: dict[str, Any], *, older: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.refusals, self.error, self.older = refusals, error, older
        self.opened, self.closed, self.searched = 0, 0, 0
        self.sent: list[tuple[str, bytes]] = []
        self.failed_shards = 0
        self.meeting: threading.Barrier | None = None

    def answer(self, method: str, path: str) -> tuple[int, dict[str, Any]]:
        if path.startswith(f"/{ALIAS}-v1/_alias"):
            return 200, {f"{ALIAS}-v1" if self.older else f"{ALIAS}-v2": {"aliases": {}}}
        if path.startswith(f"/{ALIAS}-v2/_alias"):
            return 200, {f"{ALIAS}-v2": {"aliases": {}}}
        if path.startswith(f"/{ALIAS}-v2/_mapping") and self.older:
            return 404, {"error": NO_INDEX, "status": 404}
        if path.startswith(f"/{ALIAS}-v2/_mapping"):
            return 200, {f"{ALIAS}-v2": {"mappings": MAPPINGS}}
        if path.startswith(f"/{ALIAS}-v2/_pit"):
            self.opened += 1
            return 200, {"id": f"moment {self.opened}"}
        if method == "DELETE":
            self.closed += 1
            return 200, {"succeeded": True}
        self.searched += 1
        if path.startswith("/_search") or self.error is NO_INDEX:
            self.refusals -= 1
            if self.refusals >= 0:
                return 404, {"error": self.error, "status": 404}
            return 200, {"_shards": {"failed": self.failed_shards}, "hits": {"hits": []}}
        if self.meeting is not None:
            self.meeting.wait(timeout=60)
        return 200, {"_shards": {"failed": 0}, "hits": {"hits": []}}


class Answering(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.sent.append((self.path, asked))
        status, body = self.server.answer(self.command, self.path)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.end_headers()
        self.wfile.write(data if self.command != "HEAD" else b"")

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815 - names of the library

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def answered(server: Server) -> Iterator[None]:
    """Have the server answer in the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(*request.param) as server, answered(server):
        yield server


def url(server: Server) -> str:
    return f"elasticsearch+http://127.0.0.1:{server.server_port}/{ALIAS}"


@pytest.mark.parametrize("server", [(1, EXPIRED)], indirect=True)
def test_an_expired_point_in_time_is_opened_again(server: Server) -> None:
    with closing(open_count_index(url(server))) as index:
        assert index.current_runs() == []
    assert server.opened == 2


@pytest.mark.parametrize("server", [(0, EXPIRED)], indirect=True)
def test_readers_share_a_point_in_time_that_is_closed_with_the_index(server: Server) -> None:
    with closing(open_count_index(url(server))) as index:
        assert index.series() == index.current_runs() == []
        before = server.searched
        with index.one_moment():
            assert index.version() == "0"
            assert index.series() == []
        assert (server.searched, server.opened, server.closed) == (before + 1, 1, 0)
    assert server.closed == 1


@pytest.mark.parametrize("server", [(0, EXPIRED)], indirect=True)
def test_a_point_in_time_about_to_expire_is_replaced_and_closed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frametally_search.index.queries._KEPT_ALIVE_S", 0)
    with closing(open_count_index(url(server))) as index:
        index.version()
        with index.one_moment():
            index.version()
            assert (server.opened, server.closed) == (2, 1)
        index.version()
    assert (server.opened, server.closed) == (3, 3)


@pytest.mark.parametrize("server", [(0, EXPIRED)], indirect=True)
def test_no_reader_joins_a_point_in_time_with_a_failed_search(server: Server) -> None:
    with closing(open_count_index(url(server))) as index:
        index.version()
        server.failed_shards = 1
        with pytest.raises(Retryable, match="not responding"):
            index.series()
        server.failed_shards = 0
        assert index.series() == []
        assert (server.opened, server.closed) == (2, 1)


@pytest.mark.parametrize("server", [(0, EXPIRED)], indirect=True)
def test_a_slow_search_delays_no_other_reader(server: Server) -> None:
    with closing(open_count_index(url(server))) as index, ThreadPoolExecutor(2) as readers:
        server.meeting = threading.Barrier(2)  # neither is answered before both have arrived
        assert [*readers.map(lambda _: index.version(), range(2))] == ["0", "0"]


@pytest.mark.parametrize("server", [(99, EXPIRED)], indirect=True)
def test_points_in_time_that_expire_at_once_can_be_tried_again_later(server: Server) -> None:
    with closing(open_count_index(url(server))) as index, pytest.raises(Retryable, match="point in time"):
        index.version()
    assert server.opened == 2


@pytest.mark.parametrize("server", [(99, NO_INDEX)], indirect=True)
def test_a_missing_index_needs_a_person(server: Server) -> None:
    with closing(open_count_index(url(server))) as index, pytest.raises(Misconfigured, match="setup"):
        index.series()
    assert server.opened == 0


@pytest.mark.parametrize("do", [open_count_index, lambda url: set_up(ElasticsearchCluster(url, None))])
def test_an_index_older_than_the_first_release_gives_one_line_and_is_not_changed(do: Any) -> None:
    says = rf"{ALIAS} \({ALIAS}-v1\) {BEFORE_FIRST_RELEASE}; set another alias in FRAMETALLY_INDEX_URL"
    with Server(0, NO_INDEX, older=True) as older, answered(older), pytest.raises(TooOld, match=says):
        do(url(older))
    assert [body for _, body in older.sent if body] == []


def test_an_alias_with_the_former_name_shows_the_same_rows() -> None:
    cluster = ElasticsearchCluster("elasticsearch+http://host", None)
    aliases = template(cluster)["template"]["aliases"]
    assert [*aliases] == ["hadoop-object-counts", "hadoop-object-counts-v1"]
    assert aliases["hadoop-object-counts"] == aliases["hadoop-object-counts-v1"]
    with Server(0, NO_INDEX) as server, answered(server):
        cluster = ElasticsearchCluster(url(server), None)
        with closing(cluster):
            set_up(cluster)
        [moves] = [json.loads(body)["actions"] for path, body in server.sent if path == "/_aliases"]
    assert {move["add"]["alias"] for move in moves} == {ALIAS, f"{ALIAS}-v1"}


ROLES = Path(__file__).resolve().parents[2] / "cloud-services" / "elasticsearch" / "roles.yml"


def test_the_shipped_roles_grant_only_what_the_stages_need() -> None:
    stage_of = {"frametally_setup": "admin", "frametally_indexer": "search", "frametally_dashboard": "web"}
    granted = yaml.safe_load(ROLES.read_text(encoding="utf-8"))
    assert granted.keys() == stage_of.keys()
    for role, stage in stage_of.items():
        [of_indices] = granted[role]["indices"]
        assert of_indices["names"] == [f"{DEFAULT_ALIAS}*"]
        assert tuple(of_indices["privileges"]) == STAGES[stage].on_index
        assert tuple(granted[role].get("cluster", ())) == STAGES[stage].on_cluster
        assert granted[role].keys() <= {"cluster", "indices"}


def test_an_index_with_an_unknown_host_name_is_unavailable() -> None:
    cluster = ElasticsearchCluster("elasticsearch+http://elasticsearch.invalid", None)
    with (
        pytest.raises(Retryable, match="down, or its name is wrong; start it, or check FRAMETALLY_INDEX_URL"),
        cluster.asked() as client,
    ):
        client.info()
