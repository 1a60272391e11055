"""Cameras by the API: added at allowed addresses, started, stopped and removed, with the right permission."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient
from tests.web.conftest import Place
from werkzeug.test import TestResponse

from frametally_live.cameras.camera_form import CameraTrial
from frametally_live.feed_records import LOOP, Feed, FeedTold

ADDRESS = "rtsp://10.1.2.3:8554/stream"


def add(client: FlaskClient, address: str = ADDRESS, source: str = "Gate 1", **said: Any) -> TestResponse:
    return client.post("/api/cameras", json={"address": address, "source": source, **said})


def refusal(answer: TestResponse) -> tuple[int, str | None]:
    told = answer.json
    assert told["remedy"]
    assert told["detail"]
    return answer.status_code, told.get("parameter")


@pytest.mark.thorough
def test_a_camera_can_be_added_listed_stopped_started_and_removed(place: Place, client: FlaskClient) -> None:
    added = add(client)
    assert added.status_code == 201
    camera = added.json
    assert camera is not None
    assert (camera["source"], camera["name"], camera["state"]) == ("gate-1", "Gate 1", "requested")
    assert client.get("/api/v1/cameras").json == {"cameras": [camera], "live_allowed": True, "remedy": None}
    feed = place.feeds.claim_feed("worker", ["camera"], lease_s=60)
    assert feed is not None
    assert feed.transport == "tcp"
    path = "images/gate-1/2026-05-01/1777622400000-0123456789ab-7.jpg"
    told = FeedTold("running", image_path=path, frames_per_s=9.9, drift_ms=-4, packets_lost=2)
    assert place.feeds.renew_feed(feed, told, lease_s=60)
    (running,) = client.get("/api/v1/cameras").json["cameras"]
    assert (running["frames_per_s"], running["drift_ms"], running["packets_lost"]) == (9.9, -4, 2)
    assert (running["taken_per_s"], running["leaves_out"]) == (None, False)
    for taken, is_less in ((4.9, False), (4.2, True)):
        rates = told._replace(taken_per_s=taken, offered_per_s=5.0)
        assert place.feeds.renew_feed(feed, rates, lease_s=60)
        (running,) = client.get("/api/v1/cameras").json["cameras"]
        told_rates = (running["taken_per_s"], running["offered_per_s"], running["leaves_out"])
        assert told_rates == (taken, 5.0, is_less), "a frame more or less in some seconds is none left out"
    assert client.get(running["frame_url"]).status_code == 404, "the store of this test has no such frame"
    assert client.post("/api/v1/cameras/gate-1/stop").json["wanted"] == "stop"
    assert place.feeds.release_feed(feed, FeedTold("ended"))
    assert client.post("/api/v1/cameras/gate-1/start").json["state"] == "requested"
    assert client.delete("/api/v1/cameras/gate-1").status_code == 204
    assert client.get("/api/v1/cameras").json["cameras"] == []


def test_one_request_deletes_a_running_camera_as_soon_as_it_has_ended(
    place: Place, client: FlaskClient
) -> None:
    assert add(client).status_code == 201
    feed = place.feeds.claim_feed("worker", ["camera"], lease_s=60)
    assert feed is not None
    for _ in range(2):
        assert client.delete("/api/v1/cameras/gate-1").status_code == 204
        [listed] = client.get("/api/v1/cameras").json["cameras"]
        assert (listed["state"], listed["wanted"]) == ("stopping", "stop")
    assert refusal(add(client)) == (409, None)
    assert place.feeds.release_feed(feed, FeedTold("ended"))
    assert client.get("/api/v1/cameras").json["cameras"] == []
    assert refusal(client.delete("/api/v1/cameras/gate-1")) == (404, None)
    assert add(client).status_code == 201


def test_a_camera_is_tried_and_added_whatever_it_shows(place: Place) -> None:
    trials = [CameraTrial("it shows nothing but a wall", True), CameraTrial("the camera is away", False)]
    tried: list[str] = []

    def try_feed(feed: Feed) -> CameraTrial:
        tried.append(feed.address)
        return trials[len(tried) - 1]

    place.try_feed = try_feed
    client = place.app().test_client()
    for number, said in ((1, "It shows nothing but a wall."), (2, "The camera is away.")):
        added = add(client, f"rtsp://10.1.2.{number}/", f"Gate {number}")
        assert added.status_code == 201
        assert added.json["trial"] == said
    assert refusal(add(client, "rtsp://10.1.2.9/", "gate-1")) == (409, None)
    assert refusal(add(client, "rtsp://169.254.169.254/", "gate-3")) == (400, "address")
    assert tried == ["rtsp://10.1.2.1/", "rtsp://10.1.2.2/"], "nobody is called where none may be added"


def test_a_camera_can_get_another_address_and_a_refused_one_changes_nothing(place: Place) -> None:
    tried: list[str] = []

    def try_feed(feed: Feed) -> CameraTrial:
        tried.append(feed.address)
        return CameraTrial("the camera is away", False)

    place.try_feed = try_feed
    client = place.app().test_client()
    assert add(client).status_code == 201
    url = "/api/v1/cameras/gate-1"
    for address in ("rtsp://169.254.169.254/", "rtsp://anna:geheim@10.1.2.4/"):
        refused = client.patch(url, json={"address": address})
        assert refusal(refused) == (400, "address")
        assert "geheim" not in refused.text
    changed = client.patch(url, json={"address": "rtsp://10.1.2.4/"}).json
    assert (changed["address"], changed["trial"]) == ("rtsp://10.1.2.4/", "The camera is away.")
    assert client.patch(url, json={}).json["address"] == "rtsp://10.1.2.4/"
    assert tried == [ADDRESS, "rtsp://10.1.2.4/", "rtsp://10.1.2.4/"]
    for rate, told in (("10", "10"), ("all", "all"), ("", None)):
        answer = client.patch(url, json={"sample_fps": rate}).json
        assert (answer["sample_fps"], answer["address"]) == (told, "rtsp://10.1.2.4/")
    assert refusal(client.patch(url, json={"sample_fps": "0"})) == (400, "sample_fps")
    feed = place.feeds.claim_feed("worker", ["camera"], lease_s=60)
    assert feed is not None
    assert place.feeds.release_feed(feed, FeedTold("failed", reason="It may not be used."))
    assert client.patch(url, json={}).json["state"] == "requested", "one that failed is started again"
    assert refusal(client.patch("/api/v1/cameras/gate-2", json={})) == (404, None)
    elsewhere = place.app(web_uploads=False).test_client()
    assert elsewhere.patch(url, json={"address": "rtsp://10.1.2.5/"}).status_code == 403


def test_a_simulated_camera_is_marked_and_cannot_get_an_address(place: Place, client: FlaskClient) -> None:
    add(client)
    place.feeds.put_camera(Feed("f", "camera", "simulated", "Simulated", address=f"{LOOP}{'0' * 64}"))
    listed = client.get("/api/v1/cameras").json["cameras"]
    assert [(camera["name"], camera["simulated"]) for camera in listed] == [
        ("Gate 1", False),
        ("Simulated", True),
    ]
    for change in ({}, {"address": "rtsp://10.1.2.4/"}):
        assert refusal(client.patch("/api/v1/cameras/simulated", json=change)) == (400, "address")
    assert client.get("/api/v1/cameras").json["cameras"] == listed


def test_a_preview_shows_the_picture_and_adds_nothing(place: Place) -> None:
    trials = [
        CameraTrial("it shows a wall", True, b"a picture"),
        CameraTrial("the camera is away", False),
        None,
    ]
    place.try_feed = lambda _: trials.pop(0)
    client = place.app().test_client()
    wanted = {"address": ADDRESS, "source": "Gate 1"}
    shown = client.post("/api/v1/cameras/preview", json=wanted)
    assert (shown.status_code, shown.json) == (
        200,
        {"trial": "It shows a wall.", "picture": base64.b64encode(b"a picture").decode()},
    )
    away = client.post("/api/v1/cameras/preview", json=wanted)
    assert away.json == {"trial": "The camera is away.", "picture": None}
    assert refusal(client.post("/api/v1/cameras/preview", json=wanted)) == (409, None)  # another is tried now
    refused = client.post("/api/v1/cameras/preview", json={**wanted, "address": "rtsp://169.254.169.254/"})
    assert refusal(refused) == (400, "address")
    assert client.get("/api/v1/cameras").json["cameras"] == []
    elsewhere = place.app(web_uploads=False).test_client()
    assert elsewhere.post("/api/v1/cameras/preview", json=wanted).status_code == 403


def test_the_user_is_told_to_ask_an_administrator_and_the_log_names_the_setting(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    told = add(client, "http://127.0.0.1:5001/").json
    assert told["detail"] == "address: frametally does not allow cameras at 127.0.0.1."
    assert told["remedy"] == "Ask an administrator to allow this address."
    assert "set FRAMETALLY_LIVE_ALLOW=10.0.0.0/8" in caplog.text


@pytest.mark.parametrize(
    ("address", "detail", "remedy"),
    [
        (
            "http://127.0.0.1:5001/",
            "Adresse: frametally erlaubt unter 127.0.0.1 keine Kameras.",
            "Lassen Sie die Administration diese Adresse erlauben.",
        ),
        (
            "rtsp://me:secret@10.1.2.4/",
            "Adresse: Sie enthält Name oder Passwort, und alle, die sie sehen, könnten es lesen.",
            "Lassen Sie beides weg, und lassen Sie die Administration Name und Passwort setzen.",
        ),
    ],
)
def test_the_reason_for_refusing_a_camera_is_also_in_german(
    client: FlaskClient, address: str, detail: str, remedy: str
) -> None:
    wanted = {"source": "Gate 1", "address": address}
    answer = client.post("/api/cameras", json=wanted, headers={"Accept-Language": "de"}).json
    assert (answer["detail"], answer["remedy"]) == (detail, remedy)


@pytest.mark.parametrize(
    ("said", "parameter"),
    [
        ({"address": "rtsp://anna:geheim@10.1.2.3/"}, "address"),
        ({"address": "rtsp://10.1.2.3/?password=geheim"}, "address"),
        ({"address": "rtsp://169.254.169.254/latest"}, "address"),
        ({"address": "http://127.0.0.1:5001/"}, "address"),
        ({"address": "http://192.0.2.1/"}, "address"),
        ({"address": "http://name.invalid/"}, "address"),
        ({"address": "/dev/video0"}, "address"),
        ({"address": "file:///etc/passwd"}, "address"),
        ({"address": ""}, "address"),
        ({"source": ""}, "source"),
        ({"source": "x" * 300}, "source"),
        ({"source": "a\x00b"}, "source"),
        ({"transport": "carrier pigeon"}, None),
        ({"address": 7}, None),
        ({"loud": True}, None),
    ],
)
def test_an_invalid_camera_is_refused_with_a_remedy_and_no_password_is_repeated(
    client: FlaskClient, said: dict[str, Any], parameter: str | None
) -> None:
    sent = {"address": ADDRESS, "source": "Gate 1", **said}
    answer = client.post("/api/v1/cameras", json=sent)
    assert refusal(answer) == (400, parameter)
    assert "geheim" not in answer.text
    assert "FRAMETALLY_" not in answer.text
    assert client.get("/api/v1/cameras").json["cameras"] == []


def test_an_unknown_camera_is_404(client: FlaskClient) -> None:
    for method, path in (("POST", "nowhere/start"), ("POST", "nowhere/stop"), ("DELETE", "nowhere")):
        assert refusal(client.open(f"/api/v1/cameras/{path}", method=method)) == (404, None)


def test_users_without_permission_cannot_change_cameras(place: Place, client: FlaskClient) -> None:
    assert add(client).status_code == 201
    elsewhere = place.app(web_uploads=False).test_client()
    sent = {"address": "rtsp://10.1.2.4/", "source": "Gate 2"}
    for method, path, body in (
        ("POST", "", sent),
        ("POST", "/gate-1/start", None),
        ("POST", "/gate-1/stop", None),
        ("DELETE", "/gate-1", None),
    ):
        assert elsewhere.open(f"/api/cameras{path}", method=method, json=body).status_code == 403
        foreign = {"Origin": "https://evil.example"}
        answer = client.open(f"/api/cameras{path}", method=method, json=body, headers=foreign)
        assert answer.status_code == 403
    listed = elsewhere.get("/api/cameras").json
    assert not listed["live_allowed"]
    assert listed["remedy"]
    assert [one["wanted"] for one in listed["cameras"]] == ["run"]
