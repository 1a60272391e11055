"""Every request for a change leaves a record, allowed or not; a change that cannot be recorded is
not made."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import text
from tests.accounts.people import FORM, KEPT, PASSWORD, asking_as, cookie_of, sign_in
from tests.accounts.test_rights import routes_of
from tests.web.conftest import Place, Serving
from tests.web.raw_client import Client

from frametally.settings.fields import SecretStr
from frametally_accounts import credentials
from frametally_accounts.audit.book import AuditBook
from frametally_accounts.audit.opened_book import RefusalBound
from frametally_accounts.audit_records import AuditRecord, first_break
from frametally_accounts.book import AccessBook
from frametally_accounts.rights import ApiToken
from frametally_alerts.book import AlertBook
from frametally_web.api.endpoints import RIGHTS

SECRET = "s" * 32
OF_WHO_IS_LOGGED_IN = ("POST /sign-out", "POST /sign-in/password", "POST /sign-in/sessions")
SAME = {"Sec_Fetch_Site": "same-origin"}
VIDEO = "/api/v1/videos/00000000-0000-4000-8000-000000000000"
CAMERA = {"source": "Gate <b>", "address": "rtsp://127.0.0.1:1/x"}


@pytest.fixture
def app(people: Place) -> Flask:
    return people.app(web_uploads=True, live_allow="127.0.0.1")


@pytest.fixture
def url(app: Flask, serving: Serving) -> str:
    return serving(app)


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    made = Client(url)
    yield made
    made.close()


ONLY_COMPUTE = {
    "POST /api/calibrations/try",
    "POST /api/alerts/trials",
    "POST /api/dead-letters/plan",
    "POST /api/footage/plan",
    "POST /api/presets/measure",
    "POST /api/presets/plan",
    "POST /api/retention/plan",
    "POST /api/timezones/plan",
}
"""They compute something, and change nothing."""


@pytest.fixture
def book(place: Place) -> Iterator[AuditBook]:
    with closing(AuditBook(place.catalogue.url)) as opened:
        yield opened


def newest(book: AuditBook) -> AuditRecord:
    return book.changes(1)[0][0]


def shown(change: AuditRecord) -> tuple[str, str, str, int | None]:
    entry = change.entry
    return entry.who, entry.what, entry.target, entry.status


@pytest.mark.thorough
def test_every_route_that_changes_anything_leaves_a_record_whoever_uses_it(
    app: Flask, url: str, book: AuditBook
) -> None:
    # Read from the routers, so that new routes are tested automatically.
    routes = sorted(route for route in routes_of(app) if not re.match("(GET|HEAD|OPTIONS|WS) ", route))
    routes.sort(key="POST /sign-out".__eq__)  # last: after it no session is left
    assert {"POST /sign-in", "DELETE /api/videos/{}", "PATCH /api/uploads/{}"} < {*routes}
    for name in ("", "lukas", "runa"):
        with asking_as(url, name) as ask:
            for route in routes:
                method, path = route.split(" ")
                before = newest(book).number if book.changes(1)[0] else 0
                answer = ask(method, path.replace("{}", "thing-1"))
                if route in ONLY_COMPUTE:
                    assert not book.changes(1)[0] or newest(book).number == before
                    continue
                kept = newest(book)
                assert kept.number > before, route
                assert (kept.entry.what, kept.entry.status) == (route, answer.status), route
                is_asked = route in OF_WHO_IS_LOGGED_IN or RIGHTS.by_route[route] != "open"
                who = name if name and is_asked else "(nobody)"
                assert (kept.entry.who, kept.entry.origin) == (who, "127.0.0.1"), route
                is_named = "{}" in path and RIGHTS.by_route[route] != "open"
                assert ("=thing-1" in kept.entry.target) == is_named, route
    with book.chain() as chain:
        assert first_break(chain) is None


def test_an_unknown_route_counts_as_one_that_changes_something() -> None:
    assert RIGHTS.is_change("POST", "/api/new")
    assert RIGHTS.is_change("DELETE", "/api/v1/videos/<video_id>")
    assert RIGHTS.is_change("PUT", "/api/sources/{source}/drawing")
    assert not RIGHTS.is_change("GET", "/api/new")
    assert not RIGHTS.is_change("WS", "/ws/stream")
    for route in ONLY_COMPUTE:
        assert not RIGHTS.is_change("POST", route.removeprefix("POST ").replace("/api/", "/api/v1/"))
    assert {route for route in RIGHTS.by_route if not RIGHTS.is_change(*route.split(" "))} >= {
        "HEAD /api/uploads/{}"
    }


def test_a_record_says_what_was_changed_and_contains_no_secret(
    url: str, client: Client, people: Place, book: AuditBook
) -> None:
    with asking_as(url, "runa") as ask:
        with_password = json.dumps({**CAMERA, "address": "rtsp://user:hunter2@127.0.0.1:1/x"})
        assert ask("POST", "/api/v1/cameras", with_password, Content_Type="application/json").status == 400
        assert shown(newest(book))[:3] == ("runa", "POST /api/cameras", 'source="Gate <b>"')
        assert ask("DELETE", f"{VIDEO}?token=hunter2").status == 400
        assert shown(newest(book)) == (
            "runa",
            "DELETE /api/videos/{}",
            "video_id=00000000-0000-4000-8000-000000000000",
            400,
        )
    people.access.put_link("lukas", credentials.token_hash("hunter2"), lasts_s=60)
    chosen = urlencode({"password": "another hunter2", "again": "another hunter2"})
    assert client("POST", "/sign-in/once/hunter2", chosen, Content_Type=FORM, **SAME).status == 303
    assert shown(newest(book)) == ("lukas", "POST /sign-in/once/{}", "account=lukas", 303)
    with book.chain() as chain:
        every = repr([record.entry for record in chain.records])
    assert "hunter2" not in every
    assert PASSWORD not in every


@pytest.mark.thorough
@pytest.mark.parametrize("meant", ["PATCH", "DELETE", ""])
def test_a_method_given_in_a_header_is_recorded_before_it_is_done(
    url: str, book: AuditBook, meant: str
) -> None:
    version = {"Tus_Resumable": "1.0.0"}
    with asking_as(url, "runa") as ask:
        begun = ask("POST", "/api/v1/uploads", Upload_Length="9", **version).headers["location"]
        bytes_of = {"Content_Type": "application/offset+octet-stream", "Upload_Offset": "0", **version}
        said = {"X_HTTP_Method_Override": meant.lower()} if meant else {}
        status = ask("POST", begun, "bytes", **bytes_of, **said).status
    assert status == (204 if meant else 405)
    told = f"upload_id={begun.rpartition('/')[2]}" + (f" method={meant}" if meant else "")
    assert shown(newest(book)) == ("runa", "POST /api/uploads/{}", told, status)
    with book.chain() as chain:
        before, _ = [one.entry for one in chain.records][-2:]
    assert (before.target, before.status) == (told, None)


@pytest.mark.thorough
def test_sign_ins_and_sign_outs_are_recorded_even_if_they_fail(client: Client, book: AuditBook) -> None:
    cookie = cookie_of(sign_in(client, "Lukas"))
    assert shown(newest(book)) == ("lukas", "POST /sign-in", "account=lukas", 303)
    client("POST", "/sign-out", "", Cookie=cookie, Content_Type=FORM, **SAME)
    assert shown(newest(book)) == ("lukas", "POST /sign-out", "", 303)
    sign_in(client, "lukas", "wrong password")
    assert shown(newest(book)) == ("(nobody)", "POST /sign-in", "account=lukas", 401)
    # A password that was typed into the name field must stay secret.
    for name in ("correct.horse.battery", "<script>alert(1)</script>", "n" * 7000, ""):
        assert sign_in(client, name, "wrong password").status == 401
        assert shown(newest(book)) == ("(nobody)", "POST /sign-in", "account=unknown", 401)
    while sign_in(client, "lukas", "wrong password").status != 429:
        pass
    assert shown(newest(book)) == ("(nobody)", "POST /sign-in", "account=lukas", 429)


@pytest.mark.thorough
def test_endless_refusals_are_recorded_up_to_a_limit_and_changes_always(
    client: Client, people: Place, book: AuditBook
) -> None:
    for number in range(60):
        assert client("DELETE", VIDEO, **SAME).status == 401
        assert sign_in(client, "lukas" if number % 2 else "clara", "wrong password").status in (401, 429)
    # These do nothing, whatever the answer.
    for path in ("/sign-out", "/sign-in/password", "/sign-in/sessions"):
        assert client("POST", path, "", Content_Type=FORM, **SAME).status == 303
    kept, _ = book.changes(500)
    assert len(kept) == 100
    assert [one.number for one in kept if "left_out=" in one.entry.target] == [kept[0].number]
    assert {one.entry.who for one in kept} == {"(nobody)"}
    with people.access._database.writing() as connection:
        connection.execute(text("DELETE FROM frametally_login_attempts"))
    looking = cookie_of(sign_in(client, "clara"))
    assert client("DELETE", VIDEO, None, Cookie=looking, **SAME).status == 403
    assert shown(newest(book))[::3] == ("clara", 403)
    cookie = cookie_of(sign_in(client, "runa"))
    assert shown(newest(book)) == ("runa", "POST /sign-in", "account=runa", 303)
    assert client("DELETE", VIDEO, None, Cookie=cookie, **SAME).status == 404
    assert shown(newest(book))[0] == "runa"
    chosen = {"current": PASSWORD, "password": "seven seas and a boat", "again": "seven seas and a boat"}
    answer = client("POST", "/sign-in/password", urlencode(chosen), Cookie=cookie, Content_Type=FORM, **SAME)
    assert shown(newest(book)) == ("runa", "POST /sign-in/password", "account=runa", 303)
    client("POST", "/sign-out", "", Cookie=cookie_of(answer), Content_Type=FORM, **SAME)
    assert shown(newest(book)) == ("runa", "POST /sign-out", "", 303)
    people.access.put_link("lukas", credentials.token_hash("t"), lasts_s=60)
    chosen = {"password": "seven seas and a boat", "again": "seven seas and a boat"}
    client("POST", "/sign-in/once/t", urlencode(chosen), Content_Type=FORM, **SAME)
    assert shown(newest(book)) == ("lukas", "POST /sign-in/once/{}", "account=lukas", 303)


def test_refusals_are_counted_per_address_and_reset_every_quarter_of_an_hour() -> None:
    now_s = 0.0
    bound = RefusalBound(lambda: now_s)
    assert [bound.remaining("192.0.2.1") for _ in range(102)] == [*range(99, -3, -1)]
    assert bound.remaining("192.0.2.2") == 99
    for number in range(198):
        bound.remaining(f"198.51.100.{number}")
    assert [bound.remaining(f"203.0.113.{number}") for number in range(3)] == [99, 98, 97]
    now_s = 899.0
    assert bound.remaining("192.0.2.1") < 0
    now_s = 900.0
    assert bound.remaining("192.0.2.1") == 99


def test_open_routes_that_change_something_record_themselves() -> None:
    opened = {
        route
        for route, right in RIGHTS.by_route.items()
        if right == "open" and RIGHTS.is_change(*route.split(" "))
    }
    assert opened == {"POST /sign-in", "POST /sign-in/once/{}", *OF_WHO_IS_LOGGED_IN}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Origin": "https://elsewhere.example"}, 403), ({}, 401), ({"Host": "elsewhere.example"}, 421)],
)
@pytest.mark.parametrize("path", [VIDEO, "/api/uploads/none"])
def test_requests_refused_before_authentication_are_recorded(
    client: Client, book: AuditBook, path: str, headers: dict[str, str], status: int
) -> None:
    cookie = cookie_of(sign_in(client, "runa"))
    assert client("DELETE", path, None, Cookie=cookie, **headers).status == status
    kept = newest(book).entry
    assert (kept.who, kept.status, kept.what.split()[0]) == ("(nobody)", status, "DELETE")


def test_records_say_that_everything_is_open_without_accounts(
    place: Place, serving: Serving, book: AuditBook
) -> None:
    with closing(AccessBook(place.catalogue.url)) as place.access:
        client = Client(serving(place.app()))
        assert client("DELETE", VIDEO, **SAME).status == 404
        client.close()
    assert shown(newest(book))[0] == "(open)"


@pytest.mark.thorough
def test_a_change_that_cannot_be_recorded_is_not_made(
    url: str, client: Client, people: Place, book: AuditBook, caplog: pytest.LogCaptureFixture
) -> None:
    with asking_as(url, "runa") as ask:
        body = json.dumps(CAMERA)
        assert ask("POST", "/api/cameras", body, Content_Type="application/json").status in (201, 202)
        [slug] = [camera["source"] for camera in ask("GET", "/api/cameras").json["cameras"]]
        _forge(book)
        refused = [
            ask("DELETE", f"/api/cameras/{slug}"),
            ask("POST", "/api/uploads", "", Upload_Length="5", Tus_Resumable="1.0.0"),
            sign_in(client, "lukas"),
        ]
        for answer in refused:
            assert answer.status == 503
            assert answer.json["detail"] == "The audit log cannot be written, so nothing was changed."
            assert answer.json["remedy"]
            assert "set-cookie" not in answer.headers
        # Refused requests are refused as before, and reading is still allowed.
        assert client("DELETE", f"/api/cameras/{slug}", **SAME).status == 401
        assert len(ask("GET", "/api/cameras").json["cameras"]) == 1
        people.access.put_link("lukas", credentials.token_hash("t"), lasts_s=60)
        mine = people.access.sessions_of("runa", idle_s=60, most_s=60)[0].token_hash
        chosen = {"password": "seven seas and a boat", "again": "seven seas and a boat"}
        for path, form in (
            ("/sign-in/once/t", chosen),
            ("/sign-in/password", {**chosen, "current": PASSWORD}),
            ("/sign-in/sessions", {"session": mine, "current": PASSWORD}),
            ("/sign-out", {}),
        ):
            assert ask("POST", path, urlencode(form), Content_Type=FORM).status == 503, path
        assert people.access.link(credentials.token_hash("t")) == "lukas"
        assert people.access.credentials("runa").password_hash == KEPT
    assert people.access.sessions() == {"runa": 1}
    assert "frametally audit verify" in caplog.text


def test_an_answer_is_still_sent_if_its_record_could_not_be_completed(
    url: str, book: AuditBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forging(*_: object) -> bool:
        _forge(book)
        return True

    monkeypatch.setattr(AlertBook, "remove", forging)
    with asking_as(url, "runa") as ask:
        assert ask("DELETE", "/api/alerts/rules/busy").status == 204
    begun = book.changes(2)[0][1]
    assert shown(begun) == ("runa", "DELETE /api/alerts/rules/{}", "name=busy", None)


def _forge(book: AuditBook) -> None:
    with book._database.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO frametally_audit_records SELECT number + 1, at_ms, 'mallory', what, target, "
                "origin, 0, status, digest FROM frametally_audit_records ORDER BY number DESC LIMIT 1"
            )
        )


@pytest.mark.parametrize(
    ("sent", "origin", "who"),
    [
        ({"X_Frametally_Proxy_Secret": SECRET}, "203.0.113.9", "boss"),
        ({"X_Frametally_Proxy_Secret": "t" * 32}, "127.0.0.1", "(nobody)"),
    ],
)
def test_the_recorded_address_is_the_one_sent_by_a_proxy_that_knows_the_secret(
    people: Place, serving: Serving, book: AuditBook, sent: dict[str, str], origin: str, who: str
) -> None:
    client = Client(
        serving(people.app(proxy_secret=SecretStr(SECRET), web_uploads=True, proxy_roles="boss=run"))
    )
    headers = {"X_Forwarded_For": "198.51.100.1, 203.0.113.9", "X_Forwarded_User": "boss", **sent}
    client("DELETE", VIDEO, None, **headers)
    client.close()
    assert (newest(book).entry.origin, newest(book).entry.who) == (origin, who)


def test_a_programs_record_names_its_token_and_the_tokens_owner(
    people: Place, client: Client, book: AuditBook
) -> None:
    secret = credentials.make_api_token()
    assert people.access.add_token(
        ApiToken("clara", "ci", "correct", ()), credentials.token_hash(secret), lasts_s=60
    )
    client("DELETE", VIDEO, None, Authorization=f"Bearer {secret}")
    kept = newest(book).entry
    assert (kept.who, kept.origin, kept.status) == ("clara", "127.0.0.1 (token ci)", 403)
    client("DELETE", VIDEO, None, Authorization=f"Bearer {secret}x")
    assert newest(book).entry.who == "(nobody)"
    with book.chain() as chain:
        assert secret not in repr([*chain.records])
