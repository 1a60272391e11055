"""Access by session, role and page of origin; stolen, broken, changed or forged sessions are refused."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import text
from tests.accounts.people import (
    FORM,
    NAMES,
    PASSWORD,
    asking_as,
    cookie_of,
    guess_until_slowed,
    lengthen_waits,
    sign_in,
)
from tests.live.watching import open_socket
from tests.web.conftest import Place, Serving
from tests.web.raw_client import Client
from websockets.exceptions import ConnectionClosed

from frametally.errors import Retryable
from frametally.settings.fields import SecretStr
from frametally_accounts import credentials, marker
from frametally_accounts.book import AccessBook
from frametally_accounts.marker import ACCOUNTS_KEY, note_accounts
from frametally_accounts.rights import UserAccount

SECRET = "s" * 32
SAME = {"Sec_Fetch_Site": "same-origin"}
OTHER = "https://elsewhere.example"


@pytest.fixture
def url(people: Place, serving: Serving) -> str:
    return serving(people.app(web_uploads=True))


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    made = Client(url)
    yield made
    made.close()


@pytest.mark.parametrize("path", ["/ws/stream?source=gate", "/ws/client-0001"])
def test_sockets_are_open_only_to_signed_in_people(url: str, client: Client, path: str) -> None:
    address = url.replace("http", "ws") + path
    cookie = cookie_of(sign_in(client, "lukas"))
    with open_socket(address) as socket, pytest.raises(ConnectionClosed):
        socket.recv(10)
    assert socket.close_code == 1008
    with open_socket(address, additional_headers={"Cookie": cookie}) as socket:
        if "client" in path:
            assert json.loads(socket.recv(10))["type"] == "hello"
        else:
            with pytest.raises(ConnectionClosed):
                socket.recv(10)
            assert socket.close_code != 1008
    foreign = {"Cookie": cookie, "Origin": OTHER}
    with open_socket(address, additional_headers=foreign) as socket, pytest.raises(ConnectionClosed):
        socket.recv(10)
    assert socket.close_code == 1008


@pytest.mark.parametrize("path", ["/ws/stream?source=gate", "/ws/client-0001"])
def test_an_allowed_sites_page_cannot_listen_with_a_visitors_session(
    people: Place, serving: Serving, path: str
) -> None:
    url = serving(people.app(web_allowed_origins=OTHER))
    with closing(Client(url)) as client:
        cookie = cookie_of(sign_in(client, "lukas"))
    codes_by_origin = {}
    for origin in (OTHER, url):  # a browser sends the cookie along within our site
        address = url.replace("http", "ws") + path
        with open_socket(address, additional_headers={"Cookie": cookie, "Origin": origin}) as socket:
            try:
                socket.recv(10)
            except ConnectionClosed:
                codes_by_origin[origin] = socket.close_code
    assert codes_by_origin.pop(OTHER) == 1008
    assert 1008 not in codes_by_origin.values()


def test_a_page_redirects_to_the_sign_in_and_back_and_an_api_answers_401(client: Client) -> None:
    led = client("GET", "/videos?source=a%26b", Accept="text/html")
    assert (led.status, led.headers["location"]) == (303, "/sign-in?next=/videos%3Fsource%3Da%2526b")
    page = client("GET", led.headers["location"])
    assert b'name="next" value="/videos?source=a%26b"' in page.body
    entered = sign_in(client, "lukas", next="/videos?source=a%26b")
    assert (entered.status, entered.headers["location"]) == (303, "/videos?source=a%26b")
    assert client("GET", "/api/v1/models").json["remedy"] == "Sign in at /sign-in, then try again."


@pytest.mark.thorough
def test_a_forbidden_page_is_explained_as_a_page_to_people_and_as_json_to_programs(
    client: Client, people: Place
) -> None:
    cookie = cookie_of(sign_in(client, "lukas"))
    page = client("GET", "/audit", Cookie=cookie, Accept="text/html")
    assert (page.status, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert b"This needs the Admin role." in page.body
    assert b'href="/"' in page.body
    assert page.headers["cache-control"] == "no-store"
    for path, accept in (("/audit", "application/json"), ("/api/audit", "text/html")):
        told = client("GET", path, Cookie=cookie, Accept=accept)
        assert (told.status, told.headers["content-type"]) == (403, "application/problem+json")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "wanted", [OTHER, "//elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)", "/\n/x", "/\\/x"]
)
def test_a_sign_in_redirects_only_to_our_own_pages(client: Client, wanted: str) -> None:
    assert sign_in(client, "lukas", next=wanted).headers["location"] == "/"


@pytest.mark.thorough
def test_the_cookie_is_hidden_from_scripts_and_limited_to_tls_behind_tls(client: Client) -> None:
    plain = sign_in(client, "lukas").headers["set-cookie"]
    assert plain.startswith("frametally=")
    assert {"HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=604800"} < {
        one.strip() for one in plain.split(";")
    }
    assert "Secure" not in plain
    safe = sign_in(client, "lukas", X_Forwarded_Proto="https").headers["set-cookie"]
    assert safe.startswith("__Host-frametally=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} < {one.strip() for one in safe.split(";")}


def test_an_unknown_name_and_a_wrong_password_get_the_same_answer_after_the_same_work(
    place: Place, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:

    assert place.access is not None
    place.access.set_password("lukas", credentials.hash_password("a password as the product keeps it"))
    work: list[str] = []
    hasher = credentials._hasher()

    class Counting:
        def verify(self, kept: str, password: str) -> bool:
            work.append(kept.rpartition("$")[0].rpartition("$")[0])
            return hasher.verify(kept, password)

        def hash(self, password: str) -> str:
            return hasher.hash(password)

    monkeypatch.setattr(credentials, "_hasher", Counting)
    answers = [sign_in(client, name, "wrong password") for name in ("lukas", "nobody", "<b>x</b>")]
    assert {one.status for one in answers} == {401}
    shown = {re.sub(b'value="[^"]*"', b"", one.body) for one in answers}
    assert len(shown) == 1
    assert b"The user name, password or code is wrong." in shown.pop()
    assert len(set(work)) == 1
    assert len(work) == 3


@pytest.mark.thorough
def test_a_name_of_markup_or_megabytes_gives_one_clear_line(client: Client, url: str) -> None:
    marked = sign_in(client, '"><script>alert(1)</script>', "x")
    assert marked.status == 401
    assert b"<script>alert" not in marked.body
    for size, body in ((20_000, "n" * 20_000), (10_000_000, "name=n")):
        sent = {"Content_Length": str(size), "Content_Type": FORM, **SAME}
        huge = Client(url)
        assert huge("POST", "/sign-in", body, **sent).status == 413
        huge.close()
    assert sign_in(client, "lukas", "p" * 7000).status == 401
    assert sign_in(client, "lukas\0").status == 401
    assert sign_in(client, "").status == 401
    assert sign_in(client, "lukas").status == 303


@pytest.mark.thorough
def test_guesses_are_slowed_down_and_the_right_password_waits_too(client: Client, people: Place) -> None:
    statuses = guess_until_slowed(lambda: sign_in(client, "lukas", "wrong password"))
    assert statuses == [401] * max(5, len(statuses) - 1) + [429]
    lengthen_waits(people)
    waiting = sign_in(client, "lukas")
    assert waiting.status == 429
    assert 1 <= int(waiting.headers["retry-after"]) <= 60
    assert sign_in(client, "clara").status == 303
    with people.access._database.writing() as connection:
        connection.execute(text("UPDATE frametally_login_attempts SET due_at_ms = 0"))
    assert sign_in(client, "lukas").status == 303


def test_broken_stolen_and_forged_cookies_open_nothing(client: Client, people: Place) -> None:
    name, _, value = cookie_of(sign_in(client, "runa")).partition("=")
    assert client("GET", "/api/models", Cookie=f"{name}={value}").status == 200
    assert client("GET", "/api/models", Cookie=f"other=a b; {name}={value}; x").status == 200
    token, _, signature = value.partition(".")
    forged = credentials.sign(credentials.make_token(), b"k" * 32)
    unknown = credentials.sign(credentials.make_token(), people.access.signing_key())
    for broken in ("", token, f"{token}.", f"{token}.{signature[::-1]}", f".{signature}", forged, unknown):
        assert client("GET", "/api/models", Cookie=f"{name}={broken}").status == 401
    for broken in ("=;=;", f"{name}=é", f"{name}={'x' * 30_000}", 'a="; frametally='):
        assert client("GET", "/api/models", Cookie=broken.encode().decode("latin1")).status == 401


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["password", "removal", "log-out", "link", "codes"])
def test_a_session_is_over_as_soon_as_it_is_ended(client: Client, people: Place, how: str) -> None:
    cookies = [cookie_of(sign_in(client, "runa")) for _ in range(2)]
    assert [client("GET", "/api/models", Cookie=one).status for one in cookies] == [200, 200]
    book = AccessBook(people.catalogue.url)  # another process's
    if how == "password":
        book.set_password("runa", "h")
    elif how == "removal":
        book.remove_account("runa")
    elif how == "codes":
        book.set_code_secret("runa", credentials.make_code_secret())
    elif how == "link":
        book.put_link("runa", credentials.token_hash("t"), lasts_s=60)
        body = urlencode({"password": "another long one", "again": "another long one"})
        assert client("POST", "/sign-in/once/t", body, Content_Type=FORM, **SAME).status == 303
    else:
        left = client("POST", "/sign-out", "", Cookie=cookies[0], Content_Type=FORM, **SAME)
        assert left.headers["clear-site-data"] == '"cache"'
        assert left.status == 303
        cookies = cookies[:1]
    book.close()
    assert {client("GET", "/api/models", Cookie=one).status for one in cookies} == {401}


@pytest.mark.thorough
def test_a_session_used_later_than_the_clock_says_is_over_and_a_new_one_works(
    client: Client, people: Place
) -> None:
    cookie = cookie_of(sign_in(client, "runa"))
    with people.access._database.writing() as connection:
        connection.execute(text("UPDATE frametally_sessions SET seen_at_ms = seen_at_ms + 7200000"))
    assert client("GET", "/api/models", Cookie=cookie).status == 401
    assert client("GET", "/api/models", Cookie=cookie_of(sign_in(client, "runa"))).status == 200


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "same-origin"}, 404),
        ({"Sec_Fetch_Site": "none"}, 404),
        ({}, 401),  # a client with a cookie that does not name the page that sends it
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": OTHER}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://intranet.example"}, 401),  # it may change things, but not by a viewer's sign-in
    ],
)
def test_a_session_can_change_something_only_from_our_own_pages(
    people: Place, serving: Serving, headers: dict[str, str], status: int
) -> None:
    url = serving(people.app(web_uploads=True, web_allowed_origins="https://intranet.example"))
    client = Client(url)
    cookie = cookie_of(sign_in(client, "runa"))
    path = "/api/v1/videos/00000000-0000-4000-8000-000000000000"
    sent = {"Cookie": cookie, "Tus_Resumable": "1.0.0"}
    answers = [
        client(method, asked, "", **sent, **headers).status
        for method, asked in (("DELETE", path), ("POST", f"{path}/retry"), ("DELETE", "/api/uploads/none"))
    ]
    own = client("DELETE", path, "", **sent, Origin=url).status
    client.close()
    assert answers == [status] * 3
    assert own == 404


def test_a_page_knows_what_its_account_may_change_there(url: str) -> None:
    told = {}
    for name in NAMES:
        with asking_as(url, name) as ask:
            answers = [ask("GET", f"/api/v1/{one}").json for one in ("videos", "jobs", "streams", "cameras")]
        told[name] = [one.get("uploads_allowed", one.get("live_allowed")) for one in answers]
        for is_allowed, answer in zip(told[name], answers, strict=True):
            assert is_allowed or "You need the" in answer["remedy"]
    assert told == {"lukas": [False] * 4, "clara": [True, True, True, False], "runa": [True] * 4}


def test_where_videos_cannot_be_changed_only_administrators_read_how_to_allow_it(
    people: Place, serving: Serving
) -> None:
    url = serving(people.app(web_uploads=False))
    for name in NAMES:
        with asking_as(url, name) as ask:
            remedy = ask("GET", "/api/v1/cameras").json["remedy"]
        assert ("allow uploads" in remedy) == (name == "runa")
        assert ("Ask an administrator" in remedy) == (name != "runa")


@pytest.mark.thorough
@pytest.mark.parametrize("allowed", ["", OTHER], ids=["another", "one-that-may-upload"])
def test_no_other_sites_page_can_sign_anyone_in_or_out(people: Place, serving: Serving, allowed: str) -> None:
    client = Client(serving(people.app(web_uploads=True, web_allowed_origins=allowed)))
    for path in ("/sign-in", "/sign-out", "/sign-in/once/t", "/sign-in/password", "/sign-in/sessions"):
        assert client("POST", path, "name=a", Content_Type=FORM, Origin=OTHER).status == 403
    assert sign_in(client, "lukas", Origin=OTHER, Sec_Fetch_Site="cross-site").status == 403
    assert sign_in(client, "lukas").status == 303
    client.close()


@pytest.mark.thorough
def test_a_second_factor_is_required_and_each_code_works_once(client: Client, people: Place) -> None:
    secret = credentials.make_code_secret()
    people.access.set_code_secret("runa", secret)
    code = credentials.code_at(secret, credentials.step_of(time.time()))
    assert sign_in(client, "runa").status == 401
    assert sign_in(client, "runa", code="000000" if code != "000000" else "1").status == 401
    assert sign_in(client, "runa", "wrong password", code=code).status == 401
    assert sign_in(client, "runa", code=code).status == 303
    assert sign_in(client, "runa", code=code).status == 401


@pytest.mark.thorough
def test_a_link_sets_a_password_and_signs_in_once(client: Client, people: Place) -> None:
    people.access.put_link("lukas", credentials.token_hash("t"), lasts_s=60)
    address = "/sign-in/once/t"
    assert b"For lukas." in client("GET", address).body
    for password, again, line in (
        ("short", "short", b"fewer than 12"),
        (PASSWORD, "x", b"two passwords differ"),
    ):
        body = urlencode({"password": password, "again": again})
        refused = client("POST", address, body, Content_Type=FORM, **SAME)
        assert refused.status == 400
        assert line in refused.body
    body = urlencode({"password": "a third long one", "again": "a third long one"})
    entered = client("POST", address, body, Content_Type=FORM, **SAME)
    assert client("GET", "/api/models", Cookie=cookie_of(entered)).status == 200
    assert client("GET", address).status == 404
    assert client("POST", address, body, Content_Type=FORM, **SAME).status == 404
    assert sign_in(client, "lukas", "a third long one").status == 303


@pytest.fixture
def proxied(people: Place, serving: Serving) -> Iterator[Client]:
    settings: dict[str, Any] = {"proxy_secret": SecretStr(SECRET)}
    client = Client(serving(people.app(**settings, web_uploads=True, proxy_roles="boss=run,guest=look")))
    yield client
    client.close()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        ({"X_Forwarded_User": "boss", "X_Frametally_Proxy_Secret": SECRET}, (200, 404)),
        ({"X_Forwarded_User": "BOSS", "X_Frametally_Proxy_Secret": SECRET}, (200, 404)),
        ({"X_Forwarded_User": "guest", "X_Frametally_Proxy_Secret": SECRET}, (200, 403)),
        ({"X_Forwarded_User": "runa", "X_Frametally_Proxy_Secret": SECRET}, (200, 404)),
        ({"X_Forwarded_User": "stranger", "X_Frametally_Proxy_Secret": SECRET}, (403, 403)),
        ({"X_Forwarded_User": "<b>", "X_Frametally_Proxy_Secret": SECRET}, (401, 401)),
        ({"X_Frametally_Proxy_Secret": SECRET}, (401, 401)),
        ({"X_Forwarded_User": "boss", "X_Frametally_Proxy_Secret": "t" * 32}, (401, 401)),
        ({"X_Forwarded_User": "boss"}, (401, 401)),
        ({}, (401, 401)),
    ],
)
def test_only_a_proxy_that_knows_the_secret_can_name_the_user(
    proxied: Client, headers: dict[str, str], statuses: tuple[int, int]
) -> None:
    path = "/api/v1/videos/00000000-0000-4000-8000-000000000000"
    assert proxied("GET", "/api/models", **headers).status == statuses[0]
    assert proxied("DELETE", path, **headers).status == statuses[1]


@pytest.mark.parametrize(
    ("settings", "reads", "writes", "line"),
    [
        ({}, 200, 404, ""),
        ({"web_host": "::1"}, 200, 404, ""),
        ({"web_host": "0.0.0.0"}, 200, 401, "frametally users add"),  # noqa: S104
        ({"web_accounts": True}, 401, 401, "Sign in at /sign-in"),
    ],
)
def test_without_accounts_only_this_machine_can_change_things_and_others_can_look(
    place: Place, serving: Serving, settings: dict[str, Any], reads: int, writes: int, line: str
) -> None:
    with closing(AccessBook(place.catalogue.url)) as book:
        place.access = book
        client = Client(serving(place.app(web_uploads=True, **settings)))
        assert client("GET", "/api/models").status == reads
        refused = client("DELETE", "/api/v1/videos/00000000-0000-4000-8000-000000000000")
        assert refused.status == writes
        assert line in refused.json["remedy"]
        assert book.add_account(UserAccount("first", "run"))
        assert client("GET", "/api/models").status == 401
        assert book.remove_account("first")
        assert client("GET", "/api/models").status == 401  # removing accounts does not open a dashboard
        client.close()


def test_accounts_lost_before_the_first_request_leave_the_dashboard_closed(
    place: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [1000.0]
    asked_for: list[str] = []
    head = place.store.head
    monkeypatch.setattr(marker, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(marker, "_WITHIN_S", 60)
    monkeypatch.setattr(place.store, "head", lambda key: asked_for.append(key) or head(key))
    with closing(AccessBook(place.catalogue.url)) as place.access:
        client = Client(serving(place.app()))
        assert [client("GET", "/api/models").status for _ in range(5)] == [200] * 5
        assert asked_for.count(ACCOUNTS_KEY) == 1
        note_accounts(place.store)
        assert place.access.add_account(UserAccount("first", "run"))
        place.access.remove_account("first")  # as if a file were gone
        now_s[0] += 5
        assert client("GET", "/api/models").status == 401
        client.close()


def test_an_unavailable_store_does_not_close_a_dashboard_without_accounts(
    place: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(key: str) -> None:
        raise Retryable("the store is away")

    monkeypatch.setattr(place.store, "head", away)
    with closing(AccessBook(place.catalogue.url)) as place.access:
        client = Client(serving(place.app()))
        assert client("GET", "/api/models").status == 200
        client.close()
