"""Programs query the API, upload and listen with a token; broken, stolen and guessed ones open nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update
from tests.live.watching import open_socket
from tests.videos.uploading import BYTES, UPLOADS, VERSION, metadata
from tests.videos.video_records import fake_look, fake_video
from tests.web.conftest import Place, Serving
from tests.web.raw_client import Answered, Client
from websockets.exceptions import ConnectionClosed

from frametally.settings.fields import SecretStr
from frametally_accounts import tables
from frametally_accounts.book import AccessBook
from frametally_accounts.credentials import make_api_token, token_hash
from frametally_accounts.rights import ApiToken, Role, UserAccount
from frametally_videos.commands.tus_client import Dashboard

OTHER = "https://elsewhere.example"
SECRET = "s" * 32


@pytest.fixture
def people(people: Place) -> Place:
    people.look = lambda _, key, fields, file_name: fake_look(people.store, key, fields, file_name)
    return people


@pytest.fixture
def url(people: Place, serving: Serving) -> str:
    return serving(people.app(web_uploads=True))


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    made = Client(url)
    yield made
    made.close()


def token_of(place: Place, account: str, role: Role, *sources: str, lasts_s: float = 60) -> str:
    secret = make_api_token()
    made = ApiToken(account, f"{role}{len(place.access.tokens())}", role, sources)
    assert place.access.add_token(made, token_hash(secret), lasts_s=lasts_s)
    return secret


def by(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_program_can_upload_with_a_token_without_coming_from_a_page(client: Client, people: Place) -> None:
    sent, data = by(token_of(people, "clara", "correct")), fake_video(size_bytes=1000)

    def ask(method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answered:
        named = {name.replace("-", "_"): value for name, value in headers.items()}
        return client(method, path, body, **sent, **named)

    begun = ask("POST", UPLOADS, None, {**VERSION, "Upload-Length": "1000", **metadata(filename="clip.mp4")})
    assert begun.status == 201
    place = begun.headers["location"]
    assert client("HEAD", place, **VERSION).status == 401
    assert ask("PATCH", place, data[:500], {**BYTES, "Upload-Offset": "0"}).status == 204
    assert ask("HEAD", place, None, VERSION).headers["upload-offset"] == "500"
    done = ask("PATCH", place, data[500:], {**BYTES, "Upload-Offset": "500"})
    assert done.status == 204
    video = f"/api/v1/videos/{done.headers['frametally-video']}"
    assert ask("GET", video, None, {}).status == 200
    assert ask("DELETE", video, None, {}).status == 403
    assert client("PATCH", video, "{}", **sent, Origin=OTHER).status == 403  # pages of others have no token


def test_only_an_allowed_sites_page_can_send_a_token(people: Place, serving: Serving) -> None:
    client = Client(serving(people.app(web_uploads=True, web_allowed_origins="https://intranet.example")))
    sent = by(token_of(people, "runa", "run"))
    video = "/api/v1/videos/00000000-0000-4000-8000-000000000000"
    for origin, status in (("https://intranet.example", 404), (OTHER, 403)):
        asked = client("OPTIONS", video, Origin=origin, Access_Control_Request_Method="DELETE")
        allowed = asked.headers.get("access-control-allow-headers", "")
        assert ("Authorization" in allowed) == (status == 404)
        assert client("DELETE", video, Origin=origin, **sent).status == status
    client.close()


@pytest.mark.thorough
@pytest.mark.parametrize("path", ["/ws/stream?source=gate", "/ws/client-0001"])
def test_a_token_opens_a_socket(url: str, people: Place, path: str) -> None:
    address = url.replace("http", "ws") + path
    sent = by(token_of(people, "lukas", "look"))
    with open_socket(address, additional_headers=sent) as socket:
        if "client" in path:
            assert json.loads(socket.recv(10))["type"] == "hello"
        else:
            with pytest.raises(ConnectionClosed):
                socket.recv(10)
            assert socket.close_code != 1008
    for refused in ({"Authorization": sent["Authorization"][:-1]}, {**sent, "Origin": OTHER}):
        with open_socket(address, additional_headers=refused) as socket, pytest.raises(ConnectionClosed):
            socket.recv(10)
        assert socket.close_code == 1008


def test_a_token_sees_only_its_sources(client: Client, people: Place) -> None:
    people.film({"car": 1.0}, source="gate", name="Gate")
    all_of_it, none = token_of(people, "lukas", "look", "gate"), token_of(people, "lukas", "look", "quay")
    found = [client("GET", "/api/sources", **by(one)).json["sources"] for one in (all_of_it, none)]
    assert [[one["source"] for one in sources] for sources in found] == [["gate"], []]
    assert client("GET", "/api/videos", **by(none)).status == 403


def test_broken_removed_and_expired_tokens_give_one_line_and_open_nothing(
    client: Client, people: Place
) -> None:
    token = token_of(people, "runa", "run")
    old, removed, gone = (
        token_of(people, "runa", "run", lasts_s=-1),
        token_of(people, "runa", "look"),
        token_of(people, "lukas", "look"),
    )
    assert client("GET", "/api/models", **by(token)).status == 200
    assert client("GET", "/api/models", Authorization=f"bearer  {token}").status == 200
    assert client("GET", "/api/models", **by(removed)).status == 200
    assert people.access.remove_token("runa", "look2")
    assert people.access.remove_account("lukas")
    broken = ["", "x", token[:-1], token + "x", token.swapcase(), f"{token}, {token}", make_api_token(), "é"]
    for one in (old, removed, gone, *broken, "x" * 60_000):
        answer = client("GET", "/api/models", **by(one.encode().decode("latin1")))
        assert answer.status == 401, one
        assert answer.json["detail"] == "The token is not valid, has expired, or was deleted."
        assert answer.json["remedy"].count("\n") == 0
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert client("GET", "/api/models", Authorization="Basic cnVuYTp4").status == 401


def test_the_error_for_a_token_used_later_than_the_clock_says_names_the_clock(
    client: Client, people: Place
) -> None:
    token = token_of(people, "runa", "run")
    with people.access._database.writing() as connection:
        connection.execute(update(tables.tokens).values(used_at_ms=2_111_138_085_000))
    answer = client("GET", "/api/models", **by(token))
    assert answer.status == 401
    assert answer.json["detail"].startswith(
        "The token was used at 2036-11-24 11:14:45Z, but the server's clock says 20"
    )
    assert "check the clock" in answer.json["remedy"]


@pytest.mark.thorough
def test_a_ten_megabyte_token_is_refused_and_the_next_request_answered(
    url: str, client: Client, people: Place
) -> None:
    huge = Client(url)
    with suppress(BrokenPipeError, ConnectionResetError):  # it does not read to the end
        assert huge("GET", "/api/models", **by("x" * 10_000_000)).status == 431
    huge.close()
    assert client("GET", "/api/models", **by(token_of(people, "lukas", "look"))).status == 200


def test_guesses_are_slowed_down_without_blocking_a_right_token_or_a_sign_in(
    client: Client, people: Place
) -> None:
    right = token_of(people, "lukas", "look")
    statuses = [client("GET", "/api/models", **by(make_api_token())).status for _ in range(31)]
    assert statuses == [401] * 30 + [429]
    waiting = client("GET", "/api/models", **by("x"))
    assert waiting.status == 429
    assert 1 <= int(waiting.headers["retry-after"]) <= 60
    assert client("GET", "/api/models", **by(right)).status == 200
    assert people.access.try_login([]) == 0
    with people.access._database.reading() as connection:
        keys = [row[0] for row in connection.execute(text("SELECT key FROM frametally_login_attempts"))]
    assert keys == ["token:127.0.0.1"]


@pytest.mark.thorough
@pytest.mark.parametrize("named", ["guest", ""])
def test_behind_a_proxy_the_name_that_it_sends_outranks_a_token(
    people: Place, serving: Serving, named: str
) -> None:
    settings: dict[str, Any] = {"proxy_secret": SecretStr(SECRET), "proxy_roles": "guest=look"}
    client = Client(serving(people.app(web_uploads=True, **settings)))
    sent = {"X_Frametally_Proxy_Secret": SECRET, **({"X_Forwarded_User": named} if named else {})}
    token = token_of(people, "runa", "run")
    video = "/api/v1/videos/00000000-0000-4000-8000-000000000000"
    assert client("GET", "/api/models", **sent, **by("a.token.of-the-proxys")).status == (
        200 if named else 401
    )
    assert client("DELETE", video, **sent, **by(token)).status == (403 if named else 404)
    client.close()


def test_a_foreign_token_is_ignored_without_accounts(place: Place) -> None:
    with closing(AccessBook(place.catalogue.url)) as book:
        place.access = book
        assert place.app().test_client().get("/api/models", headers=by("x")).status_code == 200


def test_the_upload_command_sends_a_token_from_netrc(
    url: str, people: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert people.access.add_account(UserAccount("robot", "correct"))
    token = token_of(people, "robot", "correct")
    server = Dashboard(url)
    assert server.ask("OPTIONS", UPLOADS).status == 401
    server.close()
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login robot password {token}\n", encoding="utf-8")
    netrc.chmod(0o600)
    server = Dashboard(url)
    assert server.ask("OPTIONS", UPLOADS).status == 204
    server.close()
