"""Streams of videos by the API: started, controlled and stopped, with the right permission."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.videos.test_library_api import NOBODY, stored
from tests.videos.video_records import make_facts, make_video
from tests.web.conftest import Place
from werkzeug.test import TestResponse

from frametally_live.feed_records import FeedTold
from frametally_videos.catalogue.catalogue_rows import VideoRow
from frametally_videos.records import VideoRecord


@pytest.fixture
def video_id(place: Place) -> str:
    return stored(place, make_video(1))[0]


def start(client: FlaskClient, video_id: str, **wanted: Any) -> TestResponse:
    return client.post("/api/stream/start", json={"video_id": video_id, **wanted})


def refusal(answer: TestResponse) -> tuple[int, str | None, str]:
    told = answer.json
    assert told["remedy"]
    return answer.status_code, told.get("parameter"), told["detail"]


def test_a_stream_is_started_once_and_visible_to_all(client: FlaskClient, video_id: str) -> None:
    begun = start(client, video_id, speed=2)
    assert begun.status_code == 202
    stream = begun.json
    assert (stream["state"], stream["speed"], stream["model"]) == ("requested", 2.0, None)
    assert stream["websocket"] == f"/ws/stream?video_id={video_id}"
    again = client.post("/api/v1/streams", json={"video_id": video_id})
    assert (again.status_code, again.json) == (200, stream)
    assert client.get(f"/api/v1/streams/{stream['stream_id']}").json == stream
    assert client.get(f"/api/v1/streams?video_id={video_id}").json == client.get("/api/v1/streams").json
    assert client.get(f"/api/v1/streams?video_id={NOBODY}").status_code == 404
    assert client.get("/api/v1/streams").json == {
        "streams": [stream],
        "most": 2,
        "live_allowed": True,
        "remedy": None,
    }


@pytest.mark.thorough
@pytest.mark.parametrize("by", ["video_id", "stream_id", "delete"])
def test_a_stream_can_be_stopped_by_its_id_or_its_videos_and_again(
    client: FlaskClient, video_id: str, by: str
) -> None:
    stream_id = start(client, video_id).json["stream_id"]
    for _ in range(2):
        if by == "delete":
            stopped = client.delete(f"/api/v1/streams/{stream_id}")
        else:
            said = {"video_id": video_id} if by == "video_id" else {"stream_id": stream_id}
            stopped = client.post("/api/stream/stop", json=said)
        assert stopped.status_code == 200
        assert stopped.json["state"] == "ended"
    assert start(client, video_id).status_code == 202


def test_a_stream_can_be_paused_sought_and_resumed(place: Place, client: FlaskClient, video_id: str) -> None:
    stream_id = start(client, video_id).json["stream_id"]
    feed = place.feeds.claim_feed("worker", ["video"], lease_s=60)
    assert feed is not None
    here = f"/api/v1/streams/{stream_id}"
    assert client.post(f"{here}/pause").json["wanted"] == "pause"
    assert client.post(f"{here}/seek", json={"position_s": 12.5}).status_code == 200
    asked = place.feeds.renew_feed(feed, FeedTold("running"), lease_s=60)
    assert (asked.wanted, asked.seek_s) == ("pause", 12.5)
    assert client.post(f"{here}/resume").json["wanted"] == "run"


def test_a_pause_during_the_answer_to_a_seek_is_not_lost(
    place: Place, client: FlaskClient, video_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream_id = start(client, video_id).json["stream_id"]
    look_up = place.catalogue.video

    def paused_meanwhile(asked_id: str) -> VideoRow | None:
        assert place.feeds.ask_feed(stream_id, "pause")
        return look_up(asked_id)

    monkeypatch.setattr(place.catalogue, "video", paused_meanwhile)
    sought = client.post(f"/api/v1/streams/{stream_id}/seek", json={"position_s": 12.5})
    assert (sought.status_code, sought.json["wanted"]) == (200, "pause")


@pytest.mark.thorough
@pytest.mark.parametrize("action", ["pause", "resume", "seek"])
def test_an_ended_stream_cannot_be_controlled(client: FlaskClient, video_id: str, action: str) -> None:
    stream_id = start(client, video_id).json["stream_id"]
    client.delete(f"/api/v1/streams/{stream_id}")
    body = {"position_s": 1} if action == "seek" else {}
    sent = client.post(f"/api/v1/streams/{stream_id}/{action}", json=body)
    assert refusal(sent) == (409, None, "The stream has ended.")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("said", "status", "parameter"),
    [
        ({"video_id": NOBODY}, 404, None),
        ({"video_id": "1"}, 404, None),
        ({"video_id": "\0"}, 404, None),
        ({}, 400, None),
        ({"video_id": NOBODY, "loud": 1}, 400, None),
        ({"video_id": NOBODY, "speed": 0}, 400, "speed"),
        ({"video_id": NOBODY, "speed": 1e300}, 400, "speed"),
        ({"video_id": NOBODY, "speed": "fast"}, 400, None),
        ({"video_id": NOBODY, "model": "../x y"}, 400, "model"),
    ],
)
def test_an_invalid_stream_request_is_refused_with_a_remedy(
    client: FlaskClient, said: dict[str, Any], status: int, parameter: str | None
) -> None:
    assert refusal(client.post("/api/stream/start", json=said))[:2] == (status, parameter)


def test_a_video_without_a_time_or_being_deleted_cannot_be_streamed(
    place: Place, client: FlaskClient
) -> None:
    timeless = make_video(1, facts=make_facts(started_at_ms=None, time_source=None))
    gone: VideoRecord = make_video(2, state="deleting")
    ids = stored(place, timeless, gone)
    assert refusal(start(client, ids[0])) == (409, None, "The video has no start time.")
    assert refusal(start(client, ids[1]))[0] == 404


@pytest.mark.thorough
@pytest.mark.parametrize("position_s", [-1, 61, 1e300])
def test_a_position_outside_the_video_cannot_be_sought(
    client: FlaskClient, video_id: str, position_s: float
) -> None:
    stream_id = start(client, video_id).json["stream_id"]
    sought = client.post(f"/api/v1/streams/{stream_id}/seek", json={"position_s": position_s})
    assert refusal(sought)[:2] == (400, "position_s")


@pytest.mark.parametrize("said", [{}, {"video_id": NOBODY, "stream_id": NOBODY}])
def test_a_stop_must_name_one_stream(client: FlaskClient, said: dict[str, str]) -> None:
    assert refusal(client.post("/api/stream/stop", json=said))[:2] == (400, "stream_id")


@pytest.mark.thorough
def test_users_without_permission_cannot_control_streams(
    place: Place, client: FlaskClient, video_id: str
) -> None:
    stream_id = start(client, video_id).json["stream_id"]
    elsewhere = place.app(web_uploads=False).test_client()
    asked = [
        ("POST", "stream/start", {"video_id": video_id}),
        ("POST", "streams", {"video_id": video_id}),
        ("POST", "stream/stop", {"video_id": video_id}),
        ("DELETE", f"streams/{stream_id}", None),
        ("POST", f"streams/{stream_id}/pause", None),
        ("POST", f"streams/{stream_id}/resume", None),
        ("POST", f"streams/{stream_id}/seek", {"position_s": 1}),
    ]
    for method, path, sent in asked:
        here = f"/api/v1/{path}"
        assert elsewhere.open(here, method=method, json=sent).status_code == 403, path
        foreign = {"Origin": "https://evil.example"}
        assert client.open(here, method=method, json=sent, headers=foreign).status_code == 403, path
    listed = elsewhere.get("/api/v1/streams").json
    assert not listed["live_allowed"]
    assert listed["remedy"]
    assert [one["wanted"] for one in listed["streams"]] == ["run"]
