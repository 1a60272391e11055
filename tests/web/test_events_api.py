"""The books and their changes: reported while the work goes on, by a limited number of streams."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPResponse
from typing import Any, cast

import pytest
from flask import Response
from tests.web.conftest import Place, Serving
from tests.web.counted_footage import MODEL, START_MS, make_lines, publish_lines, put_manifest
from tests.web.test_fresh_proof_api import HeldLedger

from frametally import keys
from frametally.books.quality_reports import QualityCheck, QualityReport
from frametally.errors import Retryable
from frametally.ports.count_index import CountIndex
from frametally.records import encode
from frametally_web.app import parts_of
from frametally_web.assets import load_assets
from frametally_web.security import HEADERS


def listen(url: str, path: str = "/api/v1/events") -> HTTPResponse:
    """A stream, open."""
    return cast(HTTPResponse, urllib.request.urlopen(f"{url}{path}", timeout=30))  # noqa: S310


def events(stream: HTTPResponse, *, with_beats: bool = False) -> Iterator[tuple[str, Any]]:
    """Live news of a stream, or only its beats."""
    kind = ""
    for line in stream:
        name, _, value = line.decode().strip().partition(": ")
        if name == "event":
            kind = value
        elif name == "data" and (kind == "beat") == with_beats:
            yield kind, json.loads(value)


def test_a_stream_has_the_sentences_of_the_books_in_its_readers_language(
    place: Place, serving: Serving
) -> None:
    lines = make_lines("gate", frames=6)
    put_manifest(place, lines[0], lines[-1], "The gate")
    url = serving(place.app())
    found = {}
    for language in ("en", "de"):
        asked = urllib.request.Request(f"{url}/api/v1/events", headers={"Accept-Language": language})  # noqa: S310
        with urllib.request.urlopen(asked, timeout=30) as stream:  # noqa: S310
            found[language] = next(data for kind, data in events(stream) if kind == "status")["broken"]
    assert [line.partition(";")[0] for lines in found.values() for line in lines] == [
        "The gate: 1 announced frame is in no segment although the log is drained",
        "The gate: 1 angekündigtes Bild ist in keinem Segment, obwohl das Log ganz gelesen ist",
    ]


def test_the_books_match_the_commands(place: Place) -> None:
    lines = make_lines("gate", frames=60)
    publish_lines(place, lines)
    put_manifest(place, lines[0], lines[-1], "The gate")
    books = place.app().test_client().get("/api/v1/status").json
    (source,) = books["sources"]
    assert (source["source"], source["name"]) == ("gate", "The gate")
    assert (source["announced"], source["detected"], source["dead_lettered"]) == (1, 60, 0)
    assert books["model"] == MODEL
    assert books["newest_captured_at_ms"] == lines[-1].captured_at_ms
    assert books["state"] == "broken"  # the manifest announces one frame, the segments hold sixty
    assert "gate" in books["broken"][0]
    assert [stage["stage"] for stage in books["stages"]] == ["produce", "consume", "aggregate", "index"]


@pytest.mark.thorough
def test_a_publication_sends_an_event_and_so_do_the_new_books(place: Place, serving: Serving) -> None:
    with listen(serving(place.app(status_s=0.05))) as answer:
        assert answer.headers.get_content_type() == "text/event-stream"
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert answer.headers["Cache-Control"] == "no-store"
        told = events(answer)
        first = dict([next(told), next(told), next(told)])
        assert set(first) == {"index", "status", "videos"}
        publish_lines(place, make_lines("gate", frames=24))
        after: dict[str, Any] = {}
        while "index" not in after or not after.get("status", {}).get("sources"):
            kind, data = next(told)
            after[kind] = data
        assert after["index"]["version"] != first["index"]["version"]
        assert after["status"]["sources"][0]["detected"] == 24


@pytest.mark.thorough
def test_a_name_learnt_after_the_counts_sends_an_event_too(place: Place, serving: Serving) -> None:
    held = HeldLedger(place.ledger)
    place.ledger = held
    app = place.app(stream_s=20, status_s=3600)
    client = app.test_client()

    def name() -> str:
        return str((client.get("/api/v1/sources").json or {})["sources"][0]["name"])

    lines = make_lines("gate", frames=24)
    with listen(serving(app)) as answer:
        versions = (data["version"] for kind, data in events(answer) if kind == "index")
        next(versions)
        held.free.clear()
        put_manifest(place, lines[0], lines[-1], "The gate")
        publish_lines(place, lines)
        next(versions)
        assert name() == "gate"
        held.free.set()
        assert next(versions, "never told") != "never told"
        assert name() == "The gate"


def test_the_number_of_streams_is_limited_and_a_closed_one_makes_room(place: Place, serving: Serving) -> None:
    url = serving(place.app(max_streams=2))
    with listen(url), listen(url) as other:
        with pytest.raises(urllib.error.HTTPError) as refused:
            listen(url)
        with refused.value as answer:
            problem = json.load(answer)
            assert (answer.code, answer.headers["Retry-After"]) == (503, "5")
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "already open" in problem["detail"]
        assert "FRAMETALLY_" not in str(problem)
        assert "/api/status" in problem["remedy"]
        other.close()
        for _ in range(100):
            with contextlib.suppress(urllib.error.HTTPError), listen(url, "/api/events") as again:
                assert again.status == 200
                return
    pytest.fail("its place is never free again")


@pytest.mark.thorough
def test_one_thread_watches_for_hundreds_of_listeners_and_all_hear_of_a_publication(
    place: Place, serving: Serving
) -> None:
    url = serving(place.app(status_s=3600))
    before = threading.active_count()
    with contextlib.ExitStack() as listening:
        streams = [listening.enter_context(listen(url)) for _ in range(150)]
        told = [(data["version"] for kind, data in events(one) if kind == "index") for one in streams]
        first = {next(versions) for versions in told}
        assert threading.active_count() - before < 10
        publish_lines(place, make_lines("gate", frames=24))
        assert not {next(versions) for versions in told} & first
        with urllib.request.urlopen(f"{url}/healthz", timeout=30) as answer:  # noqa: S310
            assert answer.status == 200


def test_viewers_that_leave_free_their_places_even_if_nothing_happens(place: Place, serving: Serving) -> None:
    app = place.app(status_s=3600)
    url = serving(app)
    with contextlib.ExitStack() as listening:
        for one in [listening.enter_context(listen(url)) for _ in range(200)]:
            assert one.readline().startswith(b"retry:")
        assert parts_of(app).streams.open == 200
    for _ in range(1000):
        if parts_of(app).streams.open == 0:
            return
        time.sleep(0.01)
    pytest.fail("their places are never free again")


def test_a_stream_ends_after_a_while(place: Place, serving: Serving) -> None:
    with listen(serving(place.app(stream_s=0.2))) as answer:
        assert {kind for kind, _ in events(answer)} <= {"index", "status"}  # and then no more


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "", 200),
        ("OPTIONS", "", 200),
        ("POST", "", 405),
        ("DELETE", "", 405),
        ("GET", "?label=car", 400),
    ],
)
def test_an_invalid_request_for_events_is_answered_as_on_every_route(
    place: Place, serving: Serving, method: str, path: str, status: int
) -> None:
    app = place.app()
    asked = urllib.request.Request(f"{serving(app)}/api/v1/events{path}", method=method)  # noqa: S310
    try:
        answer: Any = urllib.request.urlopen(asked, timeout=30)  # noqa: S310
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        assert answer.status == status
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        if status >= 400:
            assert json.load(answer)["status"] == status
        if status != 400 and method != "HEAD":
            assert "GET" in answer.headers["Allow"]
    assert parts_of(app).streams.open == 0


@pytest.mark.thorough
def test_every_answer_from_a_thread_has_an_end(place: Place) -> None:
    """a2wsgi would read it to its end, even if the client has gone."""
    publish_lines(place, make_lines("gate", frames=24))
    app = place.app()
    whole: list[bool] = []

    @app.after_request
    def note(answer: Response) -> Response:
        whole.append(answer.content_length is not None)
        return answer

    client = app.test_client()
    found = client.get("/api/v1/frames").json
    routes = [rule.rule for rule in app.url_map.iter_rules() if "<" not in rule.rule]
    routes += [f"/static/{asset.file}" for asset in (load_assets() or {}).values()]
    for route in routes:
        path = {"path": found["frames"][0]["image_path"]} if route.endswith("image") else {}
        whole.clear()
        client.get(route, query_string=path).close()
        assert whole == [True], route
    assert "/api/v1/events" not in routes


def test_runs_are_listed_newest_first_with_their_checks(place: Place) -> None:
    publish_lines(place, make_lines("gate", frames=24))
    publish_lines(place, make_lines("gate", frames=24, start_ms=START_MS + 86_400_000))
    newest, oldest = sorted(place.real_index.current_runs(), key=lambda run: run.day, reverse=True)
    report = QualityReport(
        run_id=newest.run_id,
        model=newest.model,
        params=newest.params,
        interval_s=60,
        day=newest.day,
        frames=24,
        detections=9,
        duplicates_dropped=0,
        lines_dead=1,
        set_aside=[],
        checks=[QualityCheck(name="sums", passed=False, count=2, details=["gate: 2"])],
    )
    client = place.app().test_client()
    place.store.put(keys.quality_key(newest.prefix), encode(report))
    answer = client.get("/api/v1/runs?limit=1").json
    assert answer["runs_left_out"] == 1
    (run,) = answer["runs"]
    assert (run["day"], run["frames"]) == (newest.day, newest.frames)
    assert run["quality"]["passed"] is False
    assert run["quality"]["checks"] == [{"name": "sums", "passed": False, "count": 2, "details": ["gate: 2"]}]
    place.store.put(keys.quality_key(newest.prefix), b"{")
    damaged = client.get("/api/v1/runs").json
    assert [run["quality"] for run in damaged["runs"]] == [None, None]
    assert [run["day"] for run in damaged["runs"]] == [newest.day, oldest.day]
    of_day = client.get(f"/api/v1/runs?day={oldest.day}").json
    assert [run["run_id"] for run in of_day["runs"]] == [oldest.run_id]
    for day in ("20240501", "2024-13-01", "today"):
        refused = client.get(f"/api/v1/runs?day={day}")
        assert refused.status_code == 400
        assert refused.json["parameter"] == "day"


class Hanging:
    """An index that waits with its answers for the test."""

    def __init__(self, index: CountIndex) -> None:
        self._index = index
        self.gone = True

    def __getattr__(self, name: str) -> Any:
        if self.gone:
            from frametally.process.time_limit import seconds_left

            left_s = seconds_left()
            assert left_s is not None, "a query without a limit"
            assert left_s <= 3
            raise Retryable("away")
        return getattr(self._index, name)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "route",
    ["models", "labels", "sources", "counts", "heatmap", "evidence", "frames", "objects", "runs", "export"],
)
def test_every_index_query_has_a_time_limit_of_under_three_seconds(place: Place, route: str) -> None:
    publish_lines(place, make_lines("gate", frames=6))
    hanging = Hanging(place.real_index)
    place.index = hanging  # type: ignore[assignment]
    unset = type(place.settings).model_fields["web_query_timeout_s"].default
    client = place.app(web_query_timeout_s=unset).test_client()
    assert client.get(f"/api/v1/{route}").status_code == 503
    assert client.get("/healthz").status_code == 503
    hanging.gone = False
    assert client.get(f"/api/v1/{route}").status_code == 200
    assert client.get("/healthz").status_code == 200


def test_a_query_that_takes_too_long_is_a_503_with_the_setting(place: Place) -> None:
    publish_lines(place, make_lines("gate", frames=6))
    answer = place.app(web_query_timeout_s=1e-9).test_client().get("/api/v1/counts")
    assert answer.status_code == 503
    assert "longer than the server waits" in answer.json["detail"]
    assert "shorter range" in answer.json["remedy"]


def test_an_answer_is_cached_until_the_counts_change(place: Place) -> None:
    publish_lines(place, make_lines("gate", frames=24))
    client = place.app().test_client()
    asked = place.index.asked
    client = place.app().test_client()
    first = client.get("/api/counts").data
    assert "histogram" in asked
    asked.clear()
    assert client.get("/api/counts").data == first
    assert "histogram" not in asked
    assert client.get("/api/counts?label=car").data != first
    publish_lines(place, make_lines("gate", frames=48))
    assert client.get("/api/counts").data != first
