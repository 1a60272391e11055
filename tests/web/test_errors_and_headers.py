"""Errors are problem documents without internal details, and every answer has the security headers."""

from __future__ import annotations

import copy
import logging
import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient
from tests.kit.away import Switched
from tests.web.conftest import Place

from frametally.actions.problems import as_sentence, problem_of
from frametally.adapters_by_url import open_count_index, open_frame_log, open_ledger, open_object_store
from frametally.errors import Damaged, FrametallyError, Misconfigured, Poison, Retryable
from frametally.settings.access import StoreAccess
from frametally.settings.fields import SecretStr
from frametally_accounts.book import AccessBook
from frametally_accounts.rights import UserAccount
from frametally_web.assets import load_assets

API_ROUTES = [
    *("models", "labels", "sources", "counts", "heatmap", "evidence", "frames", "objects", "runs", "export"),
]
INSIDE = "postgresql://user@db.internal/counts"


def check_headers(headers: object, *, referrer: str = "no-referrer") -> None:
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "*" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == referrer
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.thorough
@pytest.mark.parametrize("away", [False, True])
def test_every_route_sends_the_headers_with_any_answer(place: Place, away: bool) -> None:
    place.film({"car": 3})
    app = place.app()
    if away:
        place.go_away()
    client = app.test_client()
    statuses = set()
    for rule in app.url_map.iter_rules():
        address = rule.rule.replace("<path:filename>", "LICENSES.txt")
        for method in ("GET", "HEAD", "OPTIONS", "POST", "DELETE"):
            with client.open(address, method=method) as answer:
                # Without a referrer the origin of the sign-in's form would be `null`.
                check_headers(
                    answer.headers, referrer="same-origin" if "/sign-in" in address else "no-referrer"
                )
                statuses.add(answer.status_code)
    for address in (
        "/nowhere",
        "/api/nowhere",
        "/static/nowhere.js",
        "/api/counts?interval=0",
        "/static/../x",
    ):
        check_headers(client.get(address).headers)
    assert statuses >= {200, 400, 405}
    assert (503 in statuses) == away


@pytest.mark.thorough
@pytest.mark.parametrize("route", API_ROUTES)
def test_an_unavailable_index_is_a_503_that_says_to_try_again(place: Place, route: str) -> None:
    place.film({"car": 3})
    place.index.error = Retryable(f"{INSIDE}: connection refused")
    client = place.app().test_client()
    answer = client.get(f"/api/{route}")
    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Retry-After"] == "5"
    assert answer.json["title"] == "Service Unavailable"
    assert "Try again" in answer.json["remedy"]
    assert INSIDE not in answer.text
    place.come_back()
    assert client.get(f"/api/{route}").status_code == 200


def test_an_unavailable_store_costs_the_frames_but_not_the_chart(place: Place) -> None:
    place.film({"car": 3})
    place.store = Switched(place.store, Retryable(f"{INSIDE} is away"))
    client = place.app().test_client()
    assert client.get("/api/counts").status_code == 200
    sources = client.get("/api/sources").json
    assert sources["sources"][0]["timed_by_file"] is None
    assert sources["sources"][0]["name"] == "junction-east"
    assert client.get("/api/evidence").status_code == 503
    path = "images/a/2024-05-01/1-0123456789ab-0.jpg"
    assert client.get(f"/api/frames/image?path={path}").status_code == 503


@pytest.mark.parametrize("error", [RuntimeError(INSIDE), KeyError(INSIDE)])
def test_an_unknown_error_is_a_500_whose_details_are_only_in_the_log(
    place: Place, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    place.index.error = error
    with caplog.at_level(logging.ERROR):
        answer = place.app().test_client().get("/api/counts")
    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert set(answer.json) == {"type", "title", "status", "detail", "remedy"}
    assert answer.json["detail"] == "The dashboard failed."
    assert "Traceback" not in answer.text
    assert INSIDE not in answer.text
    assert INSIDE in caplog.text


@pytest.mark.thorough
@pytest.mark.parametrize("error_type", [FrametallyError, Misconfigured, Poison])
@pytest.mark.parametrize("route", ["/healthz", *(f"/api/{route}" for route in API_ROUTES)])
def test_an_error_that_a_person_must_mend_is_a_503_with_its_line(
    place: Place, route: str, error_type: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    line = "count index x.sqlite is damaged; move it away"
    place.index.error = error_type(line)
    answer = place.app().test_client().get(route)
    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert answer.json["detail"] == as_sentence(line)
    assert line in caplog.text
    assert "Traceback" not in caplog.text


def test_an_index_overwritten_while_in_use_is_a_503_that_names_it(
    place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place.film({"car": 3}, intervals=300)
    place.real_index.close()
    path = tmp_path / "index.sqlite"
    served = open_count_index(f"sqlite:///{path}")
    place.index = served  # type: ignore[assignment]
    client = place.app().test_client()
    try:
        assert client.get("/healthz").status_code == 200
        path.write_bytes(os.urandom(path.stat().st_size))
        for route in ("/healthz", "/api/evidence", "/api/counts"):
            answer = client.get(route)
            assert answer.status_code == 503
            assert "index.sqlite" in answer.json["detail"]
            assert str(path.parent) not in answer.json["detail"]
            assert "frametally index" in answer.json["remedy"]
        assert str(path) in caplog.text
        assert "Traceback" not in caplog.text
    finally:
        served.close()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("count index /srv/data/x.sqlite is damaged", "count index x.sqlite is damaged"),
        ("cannot open '/srv/data/x.sqlite'", "cannot open 'x.sqlite'"),
        ("sqlite:////srv/data/x.sqlite is newer", "sqlite:///x.sqlite is newer"),
        ("no answer from http://127.0.0.1:9200/counts/x", "no answer from http://127.0.0.1:9200/counts/x"),
        ("images/gate/2024-05-01/x.jpg is no JPEG", "images/gate/2024-05-01/x.jpg is no JPEG"),
    ],
)
def test_a_line_for_a_visitor_names_the_file_without_its_folder(place: Place, line: str, told: str) -> None:
    place.index.error = Misconfigured(line)
    assert place.app().test_client().get("/api/v1/counts").json["detail"] == as_sentence(told)


def test_an_unknown_api_address_is_a_404_in_json_and_an_unknown_page_is_a_404_page(place: Place) -> None:
    client = place.app().test_client()
    answer = client.get("/api/v2/counts")
    assert answer.status_code == 404
    assert "/api/v1/counts" in answer.json["remedy"]
    page = client.get("/dashbord", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert page.mimetype == "text/html"
    assert "There is no page here" in page.text


def test_an_unavailable_server_is_a_page_for_people_and_a_document_for_programs(place: Place) -> None:
    place.film({"car": 3})
    place.index.error = Retryable("the count index cannot be reached")
    address = "/history?from=2024-05-01&to=2024-05-02"
    page = place.app().test_client().get(address, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert "is not responding at the moment" in page.text
    assert "Open the dashboard" in page.text
    document = place.app().test_client().get(address)
    assert (document.status_code, document.mimetype) == (503, "application/problem+json")


def test_if_the_error_page_fails_too_people_get_its_document(place: Place) -> None:
    app = place.app()

    @app.context_processor
    def fail() -> dict[str, str]:
        raise OSError("no such file")

    app.config["PROPAGATE_EXCEPTIONS"] = False
    page = app.test_client().get("/", headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype) == (500, "text/html")
    assert "no such file" not in page.text
    app.jinja_env.loader = None
    answer = app.test_client().get("/", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "no such file" not in answer.text


@pytest.mark.thorough
def test_the_api_is_read_only(client: FlaskClient) -> None:
    for route in API_ROUTES:
        answer = client.post(f"/api/{route}")
        assert answer.status_code == 405
        assert answer.mimetype == "application/problem+json"
        assert "GET" in answer.headers["Allow"]


class AwayBook(AccessBook):
    """Accounts that can be away."""

    is_away = False

    def is_empty(self) -> bool:
        if self.is_away:
            raise Retryable("locked", part="video catalogue")
        return super().is_empty()


@pytest.mark.parametrize("accounts", [(), ("ann",)])
def test_health_fails_while_nobody_can_be_admitted(place: Place, accounts: tuple[str, ...]) -> None:
    with closing(AwayBook(place.settings.catalogue_url)) as book:
        for name in accounts:
            book.add_account(UserAccount(name, "run", ()))
        place.access = book
        client = place.app().test_client()
        assert client.get("/healthz").status_code == 200
        book.is_away = True
        answer = client.get("/healthz")
        assert (answer.status_code, "video catalogue" in answer.text) == (503, True)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "\"' onload=x", "two\nlines", "日本 ☃", "a&b=c#d"]
)
def test_a_hostile_name_passes_through_the_api_unchanged(place: Place, name: str) -> None:
    place.film({name: 3})
    client = place.app().test_client()
    answer = client.get("/api/counts", query_string={"label": name})
    assert answer.mimetype == "application/json"
    assert answer.json["labels"] == [name]
    assert answer.json["totals"][0]["detections"] > 0
    frames = client.get("/api/evidence", query_string={"label": name}).json
    assert frames["frames"][0]["label"] == name


def test_an_address_cannot_inject_markup_into_the_page(client: FlaskClient) -> None:
    hostile = client.get("/", query_string={"label": "<script>alert(1)</script>"})
    assert hostile.text.count("<script") == client.get("/").text.count("<script")
    assert "<script>" not in hostile.text
    assert "</script>alert" not in hostile.text
    assert "style=" not in hostile.text


def test_a_byte_range_beyond_the_file_is_reported_as_such_and_not_as_a_method(place: Place) -> None:
    logo = (load_assets() or {})["logo.svg"].file
    answer = place.app().test_client().get(f"/static/{logo}", headers={"Range": "bytes=99999999-"})
    assert answer.status_code == 416
    assert "range" in answer.json["detail"]
    assert "GET is not allowed" not in answer.json["detail"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "route", ["/", "/healthz", "/metrics", "/api/v1/sources", "/api/frames/x", "/nowhere", "/static/x"]
)
def test_a_host_name_other_than_the_dashboards_gets_nothing(place: Place, route: str) -> None:
    place.film({"car": 3})
    client = place.app().test_client()
    for host in (
        "evil.example",
        "evil.example:5001",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1:21401.evil.example",
        "127.0.0.1:99999",
        "127.0.0.1:-1",
        "127.0.0.1#evil",
        "127.0.0.1?evil",
        "evil@127.0.0.1",
        "127.0.0.1, evil.example",
        "[::1]evil",
        "[::2]",
    ):
        answer = client.get(route, headers={"Host": host})
        assert answer.status_code == 421
        assert "localhost" in answer.json["remedy"]
        assert "FRAMETALLY_" not in answer.text
        check_headers(answer.headers)


@pytest.mark.thorough
def test_the_dashboard_answers_to_its_own_names(place: Place) -> None:
    def statuses(hosts: list[str], **settings: object) -> set[int]:
        client = place.app(**settings).test_client()
        return {client.get("/healthz", headers={"Host": host}).status_code for host in hosts}

    here = ["localhost", "LocalHost:5001", "localhost.", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:5001"]
    assert statuses(here) == {200}
    assert statuses(["192.168.1.5:5001"], web_host="192.168.1.5") == {200}
    assert statuses(
        ["App.example.org", "b.example.org:443"], web_hosts=" app.example.org,b.example.org "
    ) == {200}
    everywhere = "0.0.0.0"  # noqa: S104
    assert statuses(["192.168.1.5", "[fd00::1]:5001"], web_host=everywhere) == {200}
    assert statuses(["192.168.1.5", "", "a b", "[", "x:y:z"]) == {421}
    assert statuses(["evil.example"], web_host=everywhere) == {421}


AWAY: dict[str, Callable[[], object]] = {
    "The frame log (Kafka)": lambda: open_frame_log("kafka://127.0.0.1:1").end_offsets("frames"),
    "The count index": lambda: open_count_index("elasticsearch+http://inside.invalid:9200").version(),
    "The PostgreSQL server": lambda: open_ledger("postgresql://me@127.0.0.1:1/frametally"),
    "The frame store": lambda: open_object_store("s3://frames", at("http://127.0.0.1:1")).get("a"),
}


@pytest.mark.parametrize("part", AWAY)
def test_a_503_names_the_unavailable_part_but_not_where_it_runs(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "frametally.process.retrying.time",
        SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: None),
    )
    with pytest.raises(Retryable) as away:
        AWAY[part]()
    assert problem_of(away.value).detail.startswith(f"{part} is not responding at the moment.")
    # Like Python's pickle.
    assert copy.copy(away.value).part == away.value.part


def test_every_page_and_route_names_the_unavailable_database_of_accounts(place: Place) -> None:
    with pytest.raises(Retryable) as away:
        AccessBook("postgresql://me@127.0.0.1:1/secret-books")
    place.access = Switched(None, away.value)  # type: ignore[assignment]
    client = place.app().test_client()
    for path in ("/", "/books", "/api/v1/counts"):
        answer = client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 503, path
        assert "The PostgreSQL server is not responding at the moment." in answer.text, path
        assert "127.0.0.1:1" not in answer.text
        assert (answer.mimetype == "text/html") == (not path.startswith("/api/")), path
        assert "secret-books" not in answer.text
        assert "access book" not in answer.text
    place.access = None


def at(endpoint: str) -> StoreAccess:
    return StoreAccess(endpoint=endpoint, access_key="me", secret_key=SecretStr("secret"))


def test_a_503_without_a_part_names_none() -> None:
    problem = problem_of(Retryable("http://inside said no"))
    assert problem.detail == "A part of frametally is not responding at the moment."


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "the count index is damaged: run `frametally index --repair`",
            "The count index is damaged: run `frametally index --repair`.",
        ),
        ("media/a.json is damaged; restore it", "media/a.json is damaged; restore it."),
        ("log.sqlite is full", "log.sqlite is full."),
        ("frametally is not installed here", "frametally is not installed here."),
    ],
)
def test_our_errors_are_a_sentence_before_the_remedy(line: str, sentence: str) -> None:
    problem = problem_of(Misconfigured(line))
    assert f"{problem} {problem.remedy}" == f"{sentence} Apply the remedy, then reload the page."


@pytest.mark.parametrize("kind", [Misconfigured, Damaged, Poison])
def test_an_errors_remedy_is_separate_even_if_its_text_has_semicolons(kind: type[FrametallyError]) -> None:
    error = kind("a.json is damaged; it has 3 keys", "restore a.json; then run it again")
    assert f"{error}" == "a.json is damaged; it has 3 keys; restore a.json; then run it again"
    problem = problem_of(error)
    assert problem.detail == "a.json is damaged; it has 3 keys."
    assert problem.remedy == "Restore a.json; then run it again."
