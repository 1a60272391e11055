"""Videos that were made of others, by HTTP: what browsers play, what is better to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from flask import Flask
from tests.family.footage import make_video as write_clip
from tests.videos.made_work import make_derivative, put_derivative, recipe_bytes
from tests.videos.test_playback_api import Footage, store_video
from tests.videos.video_records import make_facts
from tests.web.conftest import Place
from tests.web.raw_client import Client

from frametally.opening import open_object_store
from frametally_videos.media_records import Enhancement
from frametally_videos.playback import frame_routes

HEVC = make_facts(plays_in_browsers=False, why_not="It is HEVC.", codec="hevc")


@pytest.fixture
def ask(place: Place, serving: Callable[[Flask], str]) -> Iterator[Client]:
    client = Client(serving(place.app()))
    yield client
    client.close()


@pytest.fixture
def video(place: Place) -> Footage:
    return store_video(place, facts=HEVC)


def test_what_no_browser_plays_is_played_once_it_is_made(place: Place, ask: Client, video: Footage) -> None:
    for at in (f"{video.at}/playable", f"/processed_videos/{video.id}"):
        refused = ask("GET", at)
        assert (refused.status, "It is HEVC." in refused.json["detail"]) == (404, True)
    place.catalogue.queue(video.id, "playable")
    for at in (f"{video.at}/playable", f"/processed_videos/{video.id}"):
        assert "queued" in ask("GET", at).json["detail"]
    job = place.catalogue.claim("w", ["playable"], lease_s=30)
    assert job is not None
    place.catalogue.end(job, "failed", reason="No encoder is left.")
    assert "failed. No encoder is left." in ask("GET", f"{video.at}/playable").json["detail"]
    made = make_derivative(video.id, "0a1b2c3d", None)
    put_derivative(place, made)
    whole = ask("GET", f"{video.at}/playable?v=0a1b2c3d")
    assert (whole.status, whole.body) == (200, recipe_bytes(made))
    assert (whole.headers["etag"], whole.headers["content-type"]) == ('"0a1b2c3d"', "video/mp4")
    assert "immutable" in whole.headers["cache-control"]
    at = f"/processed_videos/{video.id}"
    assert ask("GET", at).headers["cache-control"] == "private, no-cache"
    assert ask("HEAD", at).headers["content-length"] == "2000"
    assert ask("GET", at, Range="bytes=8-11").body == b"0a1b"
    assert ask("GET", f"{video.at}/original").body == video.data


@pytest.mark.thorough
def test_the_newest_enhanced_video_is_shown_or_the_one_that_is_named(
    place: Place, ask: Client, video: Footage
) -> None:
    assert ask("GET", f"{video.at}/enhanced").status == 404
    older = make_derivative(video.id, "0a1b2c3d", Enhancement(gamma=2))
    newer = make_derivative(video.id, "1a1b2c3d", Enhancement(gamma=3))
    for one in (make_derivative(video.id, "2a1b2c3d", None), older, newer):
        put_derivative(place, one)
    for at in (
        f"{video.at}/enhanced",
        f"/processed_videos/{video.id}",
        f"{video.at}/enhanced?recipe=1a1b2c3d",
    ):
        answer = ask("GET", at)
        assert (answer.status, answer.body) == (200, recipe_bytes(newer)), at
        assert ("immutable" in answer.headers["cache-control"]) == ("recipe" in at)
    named = ask("GET", f"{video.at}/enhanced?recipe=0a1b2c3d", Range="bytes=-4")
    assert (named.status, named.body) == (206, recipe_bytes(older)[-4:])
    assert named.headers["content-range"] == "bytes 1996-1999/2000"
    again = ask("GET", f"{video.at}/enhanced?recipe=0a1b2c3d", If_None_Match='"0a1b2c3d"')
    assert again.status == 304
    for recipe in ("3a1b2c3d", "x", "..", "%00"):
        assert ask("GET", f"{video.at}/enhanced?recipe={recipe}").status in (400, 404)
    assert ask("GET", f"{video.at}/enhanced?v=1").json["parameter"] == "v"


def test_the_seeds_example_is_answered_by_the_same_id(place: Place, ask: Client, video: Footage) -> None:
    """As they did it: poll the status until it is completed, then fetch what it names."""
    put_derivative(place, make_derivative(video.id, "0a1b2c3d", Enhancement(brightness=0.1)))
    told = ask("GET", f"/internal/video-enhancement-status/{video.id}").json
    assert (told["status"], told["enhanced"], told["message"]) == ("completed", True, None)
    assert ask("GET", told["result_url"]).headers["content-type"] == "video/mp4"


@pytest.mark.thorough
def test_a_frame_comes_as_it_is_and_as_it_would_be(
    place: Place, tmp_path: Path, serving: Callable[[Flask], str]
) -> None:
    place.store = open_object_store((tmp_path / "store").as_uri())
    data = write_clip(tmp_path / "gate.mp4", frames=10).read_bytes()
    video = store_video(place, data)
    client = Client(serving(place.app(store_url=(tmp_path / "store").as_uri())))
    plain = ask_picture(client, f"{video.at}/frame?position_s=0.2")
    brighter = ask_picture(client, f"{video.at}/frame?position_s=0.2&brightness=0.3")
    assert brighter.mean() > plain.mean() + 20
    for asked, parameter in (
        ("brightness=2", "brightness"),
        ("position_s=x", "position_s"),
        ("zoom=2", "zoom"),
    ):
        refused = client("GET", f"{video.at}/frame?{asked}")
        assert (refused.status, refused.json["parameter"]) == (400, parameter)
    client.close()


def test_a_frame_that_would_be_one_too_many_is_asked_for_again_later(
    ask: Client, video: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_routes, "_MOST_AT_ONCE", 0)
    refused = ask("GET", f"{video.at}/frame?position_s=0")
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert refused.json["remedy"] == "Ask again in a second, as Retry-After says."


def ask_picture(client: Client, path: str) -> np.ndarray:
    answer = client("GET", path)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return picture


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_the_description_stands_where_the_seeds_had_it(ask: Client, path: str) -> None:
    answer = ask("GET", path)
    assert answer.status == 200
    assert answer.body == ask("GET", "/api" + path.replace("redoc", "docs")).body
