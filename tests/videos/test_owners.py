"""Uploads and videos are of the account that began them, which is told; no other goes on with or ends one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from tests.accounts.people import KEPT, Asks, asking_as, give_accounts
from tests.videos.fake_uploads import fake_look, fake_video
from tests.videos.uploading import BYTES, UPLOADS, VERSION, form_of, metadata
from tests.web.conftest import Place

from frametally_accounts.rights import ApiToken, UserAccount
from frametally_accounts.secrets import make_api_token, token_hash
from frametally_videos.records import VideoFields
from frametally_videos.uploads.receiving import begin_upload
from frametally_web.app import parts_of

DATA = fake_video(size_bytes=1000)
LENGTH = {"Upload-Length": "1000"}


@pytest.fixture
def people(place: Place) -> Iterator[Place]:
    """Two who may correct, beside the others."""
    give_accounts(place)
    assert place.access.add_account(UserAccount("carl", "correct"))
    assert place.access.set_password("carl", KEPT)
    place.look = lambda _, key, fields, file_name: fake_look(place.store, key, fields, file_name)
    yield place
    place.access.close()


@pytest.fixture
def app(people: Place) -> Flask:
    return people.app(web_uploads=True)


@pytest.fixture
def url(app: Flask, serving: Callable[[Flask], str]) -> str:
    return serving(app)


def as_written(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in headers.items()}


def begin(ask: Asks) -> str:
    begun = ask("POST", UPLOADS, None, **as_written(VERSION | LENGTH | metadata(filename="clip.mp4")))
    assert begun.status == 201
    return begun.headers["location"]


def send(ask: Asks, path: str, data: bytes, at: int) -> int:
    return ask("PATCH", path, data, **as_written(BYTES | {"Upload-Offset": str(at)})).status


@pytest.mark.thorough
@pytest.mark.parametrize("meant", ["PATCH", "DELETE", "HEAD", "GET", "POST"])
def test_an_upload_is_gone_on_with_and_ended_by_whoever_began_it(url: str, meant: str) -> None:
    with asking_as(url, "clara") as clara, asking_as(url, "carl") as carl, asking_as(url, "runa") as runa:
        path = begin(clara)
        assert send(clara, path, DATA[:500], 0) == 204
        said = BYTES | {"Upload-Offset": "500"}
        said |= {"X-HTTP-Method-Override": "DELETE"} if meant == "POST" else {}
        refused = carl(meant, path, DATA[500:] if meant == "PATCH" else None, **as_written(said))
        assert refused.status == 403
        if meant != "HEAD":
            assert refused.json["detail"] == "This upload is clara's."
        assert send(clara, path, DATA[500:700], 500) == 204
        assert runa("HEAD", path, **as_written(VERSION)).status == 200
        assert runa("DELETE", path, **as_written(VERSION)).status == 204


@pytest.mark.thorough
def test_a_video_is_of_whoever_uploaded_it_by_tus_by_form_and_by_a_token(url: str, people: Place) -> None:
    token = make_api_token()
    assert people.access.add_token(ApiToken("carl", "t", "correct"), token_hash(token), lasts_s=60)
    with asking_as(url, "clara") as clara, asking_as(url, "") as nobody:
        path = begin(clara)
        assert send(clara, path, DATA, 0) == 204
        body, kind = form_of(fake_video(size_bytes=2000))
        sent = {"Content_Type": kind, "Authorization": f"Bearer {token}"}
        formed = nobody("POST", "/api/v1/videos/upload", body, **sent)
        assert formed.status == 201
        found = clara("GET", "/api/v1/videos").json["videos"]
    assert sorted((one["size_bytes"], one["owner"]) for one in found) == [(1000, "clara"), (2000, "carl")]


def test_what_was_begun_before_there_were_accounts_is_everybodys(app: Flask, url: str) -> None:
    ports = parts_of(app).plugins["videos"].close.__self__.ports  # type: ignore[attr-defined]
    upload = begin_upload(
        ports, kind="resumable", length_bytes=1000, file_name="clip.mp4", fields=VideoFields(source="gate")
    )
    with asking_as(url, "carl") as carl:
        assert send(carl, f"{UPLOADS}/{upload.id}", DATA, 0) == 204
        assert [one["owner"] for one in carl("GET", "/api/v1/videos").json["videos"]] == [None]
