"""The library: pages of videos, one video, and people's changes to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from tests.accounts.people import KEPT, Asks, asking_as
from tests.core.test_status import House, house
from tests.fakes.records import make_manifest
from tests.videos.uploading import BYTES, UPLOADS, VERSION, form_of, metadata
from tests.videos.video_records import fake_look, fake_video, make_facts, make_video
from tests.web.conftest import Place, Serving
from tests.web.counted_footage import make_lines, publish_lines
from tests.web.test_events_api import events, listen
from werkzeug.test import TestResponse

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.errors import Retryable
from frametally.records import encode
from frametally.rules.times import utc
from frametally_accounts.credentials import make_api_token, token_hash
from frametally_accounts.rights import ApiToken, UserAccount
from frametally_cli import main as cli
from frametally_videos.catalogue.catalogue_rows import Artifact, VideoBooks
from frametally_videos.catalogue.video_catalogue import VideoCatalogue
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.records import MovedCounts, VideoFields, VideoRecord
from frametally_videos.uploads.acceptance import read_video
from frametally_videos.uploads.receiving import begin_upload
from frametally_web.app import parts_of

NOBODY = "0b5d8a0e-3c1f-4f57-9a55-7a3f5d1f8c11"


def stored(place: Place, *records: VideoRecord) -> list[str]:
    for record in records:
        place.store.put(record.key, encode(record))
        info = place.store.head(record.key)
        place.catalogue.put_video(record, info.version)
    return [record.id for record in records]


def listed(client: FlaskClient, asked: str = "") -> list[str]:
    answer = client.get(f"/api/v1/videos{asked}")
    assert answer.status_code == 200, answer.text
    return [video["id"] for video in answer.json["videos"]]


def patch(client: FlaskClient, video_id: str, changes: Any, **headers: str) -> TestResponse:
    return client.patch(f"/api/v1/videos/{video_id}", json=changes, headers=headers)


def record_of(place: Place, video_id: str) -> VideoRecord:
    record = read_video(place.store, video_id)
    assert record is not None
    assert place.catalogue.video(video_id).record == record, "the catalogue has what the store has"
    return record


def jobs_of(place: Place, video_id: str) -> list[tuple[str, str]]:
    return [(job.kind, job.state) for job in place.catalogue.jobs(video_id)]


def test_an_empty_library_is_answered_as_empty(client: FlaskClient) -> None:
    assert client.get("/api/videos").json == {
        "videos": [],
        "next": None,
        "total": 0,
        "states": {},
        "uploads_allowed": True,
        "remedy": None,
    }


def test_pages_follow_each_other_to_the_end(place: Place, client: FlaskClient) -> None:
    ids = stored(place, *(make_video(n) for n in range(1, 6)))
    seen, cursor = [], ""
    while True:
        page = client.get(f"/api/v1/videos?limit=2&cursor={cursor}").json
        assert (page["total"], page["states"]) == (5, {"received": 5})
        seen.append([video["id"] for video in page["videos"]])
        if page["next"] is None:
            break
        cursor = page["next"]
    assert seen == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


@pytest.mark.thorough
def test_videos_are_found_by_words_source_and_state_and_are_sorted(place: Place, client: FlaskClient) -> None:
    one, two, three = stored(
        place,
        make_video(1, name="North", size_bytes=3),
        make_video(2, name="South", size_bytes=1),
        make_video(3, name="north side", source_name="Side", size_bytes=2),
    )
    place.catalogue.set_video(one, state="ready")
    assert listed(client, "?q=NORTH") == [three, one]
    assert listed(client, "?q=north&source=side") == [three]
    assert listed(client, "?source=gate&source=side&state=received&state=failed") == [three, two]
    assert listed(client, "?order=size&direction=asc") == [two, three, one]
    assert listed(client, "?order=name") == [two, three, one]
    assert client.get("/api/v1/videos?state=failed").json["total"] == 0


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ("state=done", "state"),
        ("order=colour", "order"),
        ("direction=up", "direction"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=nothing", "cursor"),
        ("page=2", "page"),
        ("q=%00", "q"),
    ],
)
def test_an_invalid_parameter_of_the_library_is_named(
    client: FlaskClient, asked: str, parameter: str
) -> None:
    answer = client.get(f"/api/v1/videos?{asked}")
    assert (answer.status_code, answer.json["parameter"]) == (400, parameter)
    assert answer.json["remedy"]


def test_the_answer_for_a_video_has_everything_known_about_it(place: Place, client: FlaskClient) -> None:
    record = make_video(
        1,
        name="<b>Gate</b>",
        fields=VideoFields(client_id="secret-client", roi={"points": [[1, 2]]}),
        facts=make_facts(plays_in_browsers=False, why_not="It is HEVC.", damage=["It ends early."]),
    )
    (video_id,) = stored(place, record)
    first_ms = 1_714_550_400_000  # 2024-05-01T08:00:00Z
    books = VideoBooks(300, 300, 299, 1, 299, {"car": 7, "bus": 1})
    place.catalogue.set_video(video_id, state="ready", range_ms=(first_ms, first_ms + 61_000), books=books)
    folder = keys.video_folder(video_id)
    place.catalogue.set_artifacts(
        video_id,
        [
            Artifact("poster", f"{folder}/poster-0a1b2c3d.jpg", "image/jpeg", 1),
            Artifact("sprite", f"{folder}/sprite-1a1b2c3d.jpg", "image/jpeg", 1),
            Artifact("sprite_vtt", f"{folder}/sprite-1a1b2c3d.vtt", "text/vtt", 1),
        ],
    )
    place.catalogue.queue(video_id, "previews")
    here = f"/api/v1/videos/{video_id}"
    answer = client.get(here)
    found = answer.json
    (job,) = found.pop("jobs")
    assert found == {
        "id": video_id,
        "file_id": video_id,
        "name": "<b>Gate</b>",
        "file_name": "gate-1.mp4",
        "source": "gate",
        "source_name": "Gate",
        "state": "ready",
        "reason": None,
        "remedy": None,
        "progress": None,
        "uploaded_at_ms": record.uploaded_at_ms,
        "owner": None,
        "started_at_ms": first_ms,
        "ended_at_ms": first_ms + 61_000,
        "time_source": "container",
        "time_is_guess": False,
        "moved_from": None,
        "duration_s": 60.0,
        "width_px": 640,
        "height_px": 360,
        "fps": 25.0,
        "size_bytes": 1001,
        "sha256": record.sha256,
        "container": "mp4",
        "codec": "h264",
        "content_type": "video/mp4",
        "has_sound": False,
        "plays_in_browsers": False,
        "why_not": "It is HEVC.",
        "damage": ["It ends early."],
        "remarks": [],
        "frames": {"expected": 300, "announced": 300, "detected": 299, "dead_lettered": 1, "counted": 299},
        "labels": {"bus": 1, "car": 7},
        "detections_counted": 8,
        "roi": {"points": [[1, 2]]},
        "calibration": None,
        "calibrate_coordinates": None,
        "revision": 0,
        "links": {
            "original": f"{here}/original",
            "playable": None,
            "poster": f"{here}/poster?v=0a1b2c3d",
            "sprite": f"{here}/sprite?v=1a1b2c3d",
            "sprite_vtt": f"{here}/sprite.vtt?v=1a1b2c3d",
            "enhanced": None,
            "processed": None,
            "metadata": None,
            "quality": None,
            "derivatives": f"{here}/derivatives",
            "detections": f"{here}/detections",
            "chart": "/?source=gate&from=2024-05-01T08:00:00Z&to=2024-05-01T08:02:00Z&timezone=UTC",
            "proof": "/?source=gate&from=2024-05-01T08:00:00Z&to=2024-05-01T08:02:00Z"
            "&timezone=UTC&at=2024-05-01T08:00:00Z",
        },
    }
    assert (job["kind"], job["state"], job["attempts"]) == ("previews", "queued", 0)
    assert "secret-client" not in answer.text
    assert client.get(f"{here}/jobs").json == {"jobs": [job]}
    (in_list,) = client.get("/api/v1/videos").json["videos"]
    assert in_list == {**found, "jobs": []}


@pytest.mark.thorough
@pytest.mark.parametrize("video_id", [NOBODY, "x", "..", NOBODY.upper(), f"{NOBODY}%0A", "%00"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_video_is_404(client: FlaskClient, method: str, video_id: str) -> None:
    answer = client.open(f"/api/v1/videos/{video_id}", method=method, json={})
    assert answer.status_code in (400, 404) if video_id == "%00" else answer.status_code == 404
    for rest in ("retry", "jobs"):
        asked = client.get if rest == "jobs" else client.post
        assert asked(f"/api/v1/videos/{video_id}/{rest}").status_code in (400, 404)


def test_a_rename_changes_only_the_name(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video())
    place.catalogue.set_video(video_id, state="ready")
    answer = patch(client, video_id, {"name": "  Cafe\u0301 \U0001f697 "})
    assert (answer.status_code, answer.json["name"]) == (200, "Café \U0001f697")
    assert (answer.json["state"], answer.json["revision"]) == ("ready", 1)
    assert record_of(place, video_id).name == "Café \U0001f697"
    assert jobs_of(place, video_id) == []


def test_the_frames_follow_a_change_of_source(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video())
    place.catalogue.set_video(video_id, state="ready")
    answer = patch(client, video_id, {"source": "North Side"})
    assert (answer.json["source"], answer.json["source_name"]) == ("north-side", "North Side")
    assert answer.json["state"] == "received"
    assert jobs_of(place, video_id) == [(kind, "queued") for kind in ("frames", "metadata", "checks")]


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"source": "Nordtor"}, "source"), ({"start_time": "2026-05-01T09:00:00Z"}, "start_time")],
)
def test_a_video_without_images_and_original_is_not_moved_because_its_counts_would_be_lost(
    place: Place, client: FlaskClient, changes: dict[str, str], field: str
) -> None:
    video = make_video()
    (video_id,) = stored(place, video)
    manifest = make_manifest(
        4,
        media=video.sha256,
        source=video.source,
        start_ms=video.facts.started_at_ms,
        announced_frames=bytes([0b1111]),
    )
    place.store.put(manifest.key, encode(manifest))
    refused = patch(client, video_id, changes)
    assert (refused.status_code, refused.json["parameter"]) == (400, field)
    assert "its counts would go" in refused.json["detail"]
    assert patch(client, video_id, {"name": "Morning"}).status_code == 200
    place.store.put(keys.original_key(video_id), b"original")  # its frames can be made again
    assert patch(client, video_id, changes).status_code == 200


def test_a_known_source_keeps_its_spelling(place: Place, client: FlaskClient) -> None:
    manifest = make_manifest(3, source="gate-2")
    place.store.put(manifest.key, encode(manifest))
    video_id, _ = stored(place, make_video(1), make_video(2, source_name="Büdchen"))
    assert patch(client, video_id, {"source": "GATE 2"}).json["source_name"] == manifest.source_name
    assert patch(client, video_id, {"source": "büdchen"}).json["source_name"] == "Büdchen"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("changes", "started_at_ms"),
    [
        ({"start_time": "2024-05-01T08:00:00+02:00"}, 1_714_543_200_000),
        ({"start_time": "2024-05-01T08:00:00Z", "timezone": "Europe/Berlin"}, 1_714_550_400_000),
        ({"start_time": "2024-05-01T08:00:00", "timezone": "Europe/Berlin"}, 1_714_543_200_000),
        ({"start_time": "2024-05-01T08:00:00"}, 1_714_550_400_000),
        # It occurs twice: the first; it is skipped: it moves on.
        ({"start_time": "2024-10-27T02:30:00", "timezone": "Europe/Berlin"}, 1_729_989_000_000),
        ({"start_time": "2024-03-31T02:30:00", "timezone": "Europe/Berlin"}, 1_711_848_600_000),
    ],
)
def test_a_video_without_a_time_gets_one_and_its_frames_are_made(
    place: Place, client: FlaskClient, changes: dict[str, str], started_at_ms: int
) -> None:
    record = make_video(facts=make_facts(started_at_ms=None, time_source=None))
    (video_id,) = stored(place, record)
    place.catalogue.set_video(
        video_id, state="needs_time", reason="Neither the file nor its name says when it was filmed."
    )
    assert client.get(f"/api/v1/videos/{video_id}").json["remedy"]
    answer = patch(client, video_id, changes)
    assert (answer.json["started_at_ms"], answer.json["time_source"]) == (started_at_ms, "start_time")
    assert (answer.json["state"], answer.json["reason"], answer.json["remedy"]) == ("received", None, None)
    assert jobs_of(place, video_id) == [(kind, "queued") for kind in ("frames", "metadata", "checks")]


def test_a_time_zone_given_later_applies_to_a_start_time_without_one(
    place: Place, client: FlaskClient
) -> None:
    (video_id,) = stored(place, make_video())
    patch(client, video_id, {"start_time": "2024-05-01T08:00:00"})
    answer = patch(client, video_id, {"timezone": "Europe/Berlin"})
    assert answer.json["started_at_ms"] == 1_714_543_200_000


@pytest.mark.thorough
def test_changing_or_removing_a_region_moves_no_frame(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video())
    region = {"x": 1, "y": 2, "width": 30, "height": 40}
    calibration = {"points": [[0, 0], [9, 0], [9, 9], [0, 9]], "metres": [[0, 3], [3, 3], [3, 0], [0, 0]]}
    answer = patch(client, video_id, {"roi": region, "calibration": calibration})
    assert answer.status_code == 200, answer.json
    assert (answer.json["roi"], answer.json["calibration"]) == (region, calibration)
    assert answer.json["calibrate_coordinates"] == calibration
    answer = patch(client, video_id, {"roi": None})
    assert (answer.json["roi"], answer.json["calibration"]) == (None, calibration)
    assert jobs_of(place, video_id) == []


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"name": ""}, "name"),
        ({"source": "a\0"}, "source"),
        ({"start_time": "yesterday"}, "start_time"),
        ({"start_time": "9999-12-31T23:59:59-12:00"}, "start_time"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"timezone": "Europe/Berlin"}, "timezone"),
        ({"roi": {"x": 0, "y": 0, "width": 9000, "height": 1}}, "roi"),
        ({"calibration": {"points": [[1, 2]], "metres": [[1, 2], [3, 4]]}}, "calibration"),
        ({"calibration": {"points": [[1, 2000]]}}, "calibration"),
    ],
)
def test_an_invalid_change_names_its_field_and_changes_nothing(
    place: Place, client: FlaskClient, changes: dict[str, Any], parameter: str
) -> None:
    record = make_video()
    (video_id,) = stored(place, record)
    answer = patch(client, video_id, {"name": "Other", **changes})
    assert (answer.status_code, answer.json["parameter"]) == (400, parameter), answer.json
    assert answer.json["remedy"]
    assert record_of(place, video_id) == record


@pytest.mark.thorough
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"id": "x"}', b'{"name": 5}', b'{"name": null}', b"{", b"[" * 100_000]
)
def test_a_body_that_is_not_a_change_of_a_video_is_refused(
    place: Place, client: FlaskClient, body: bytes
) -> None:
    (video_id,) = stored(place, make_video())
    here = f"/api/v1/videos/{video_id}"
    assert client.patch(here, data=body, content_type="application/json").status_code == 400
    assert client.patch(here, data=b'{"name":"x"}', content_type="text/plain").status_code == 415
    assert record_of(place, video_id).revision == 0


def test_the_second_of_two_changes_to_one_revision_is_refused(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video())
    assert patch(client, video_id, {"name": "A"}, **{"If-Match": '"0"'}).status_code == 200
    answer = patch(client, video_id, {"name": "B"}, **{"If-Match": '"0"'})
    assert (answer.status_code, record_of(place, video_id).name) == (412, "A")
    assert "revision 1" in answer.json["detail"]
    assert patch(client, video_id, {"name": "B"}, **{"If-Match": 'W/"1"'}).json["revision"] == 2
    assert patch(client, video_id, {"name": "C"}, **{"If-Match": "x"}).status_code == 412


def test_a_change_without_effect_makes_no_new_revision(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video(fields=VideoFields(name="Gate 1")))
    answer = patch(client, video_id, {"name": "Gate 1"}, **{"If-Match": '"7"'})
    assert (answer.status_code, answer.json["revision"]) == (200, 0)
    assert patch(client, video_id, {}).json["revision"] == 0


@pytest.mark.thorough
def test_a_video_is_removed_once_and_cannot_be_changed_afterwards(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video())
    place.catalogue.queue(video_id, "frames")
    here = f"/api/v1/videos/{video_id}"
    answer = client.delete(here)
    assert (answer.status_code, answer.json) == (202, {"id": video_id, "state": "deleting"})
    assert record_of(place, video_id).state == "deleting"
    assert client.get(here).json["state"] == "deleting"
    assert jobs_of(place, video_id) == [("frames", "cancelled"), ("removal", "queued")]
    again = client.delete(here)
    assert (again.status_code, again.data) == (204, b"")
    assert jobs_of(place, video_id) == [("frames", "cancelled"), ("removal", "queued")]
    assert patch(client, video_id, {"name": "x"}).status_code == 404


def test_failed_jobs_can_be_retried(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video())
    place.catalogue.queue(video_id, "frames")
    held = place.catalogue.claim("w", ("frames",), lease_s=60)
    assert held is not None
    place.catalogue.end(held, "failed", reason="its decoder was killed")
    place.catalogue.set_video(video_id, state="failed", reason="its decoder was killed")
    answer = client.post(f"/api/v1/videos/{video_id}/retry")
    assert (answer.status_code, answer.json["state"], answer.json["reason"]) == (202, "received", None)
    assert [(job["state"], job["attempts"]) for job in answer.json["jobs"]] == [("queued", 0)]


def test_jobs_that_did_not_fail_cannot_be_retried(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video())
    place.catalogue.set_video(video_id, state="ready")
    assert client.post(f"/api/v1/videos/{video_id}/retry").json["state"] == "ready"
    assert jobs_of(place, video_id) == []


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({"web_host": "0.0.0.0"}, False),  # noqa: S104
        ({"web_host": "0.0.0.0", "web_uploads": True}, True),  # noqa: S104
        ({"web_uploads": False}, False),
        ({"web_host": "::1"}, True),
    ],
)
def test_where_uploads_are_off_nothing_can_be_changed_and_the_library_explains_how(
    place: Place, settings: dict[str, Any], allowed: bool
) -> None:
    record = make_video()
    (video_id,) = stored(place, record)
    client = place.app(**settings).test_client()
    page = client.get("/api/v1/videos").json
    assert (page["uploads_allowed"], page["total"], page["remedy"] is None) == (allowed, 1, allowed)
    here = f"/api/v1/videos/{video_id}"
    answers = [patch(client, video_id, {"name": "x"}), client.post(f"{here}/retry"), client.delete(here)]
    assert [answer.status_code for answer in answers] == ([200, 202, 202] if allowed else [403] * 3)
    if not allowed:
        assert all(answer.json["remedy"] == page["remedy"] for answer in answers)
        assert record_of(place, video_id) == record


def test_a_damaged_record_is_reported_and_not_overwritten(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video())
    place.store.put(keys.video_key(video_id), b'{"name": "half')
    answer = patch(client, video_id, {"name": "x"})
    assert answer.status_code == 503
    assert "restore it from a backup" in answer.json["detail"]
    assert place.store.get(keys.video_key(video_id)) == b'{"name": "half'


DATA = fake_video(size_bytes=1000)
LENGTH = {"Upload-Length": "1000"}


@pytest.fixture
def people(people: Place) -> Place:
    """Two users who may correct, besides the others."""
    assert people.access.add_account(UserAccount("carl", "correct"))
    assert people.access.set_password("carl", KEPT)
    people.look = lambda _, key, fields, file_name: fake_look(people.store, key, fields, file_name)
    return people


@pytest.fixture
def app(people: Place) -> Flask:
    return people.app(web_uploads=True)


@pytest.fixture
def url(app: Flask, serving: Serving) -> str:
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
def test_only_its_owner_or_an_admin_can_continue_or_end_an_upload(url: str, meant: str) -> None:
    with asking_as(url, "clara") as clara, asking_as(url, "carl") as carl, asking_as(url, "runa") as runa:
        path = begin(clara)
        assert send(clara, path, DATA[:500], 0) == 204
        said = BYTES | {"Upload-Offset": "500"}
        said |= {"X-HTTP-Method-Override": "DELETE"} if meant == "POST" else {}
        refused = carl(meant, path, DATA[500:] if meant == "PATCH" else None, **as_written(said))
        assert refused.status == 403
        if meant != "HEAD":
            assert refused.json["detail"] == "This upload belongs to clara."
        assert send(clara, path, DATA[500:700], 500) == 204
        assert runa("HEAD", path, **as_written(VERSION)).status == 200
        assert runa("DELETE", path, **as_written(VERSION)).status == 204


@pytest.mark.thorough
def test_a_video_belongs_to_the_user_who_uploaded_it_by_tus_form_or_token(url: str, people: Place) -> None:
    token = make_api_token()
    assert people.access.add_token(ApiToken("carl", "t", "correct"), token_hash(token), lasts_s=60)
    with asking_as(url, "clara") as clara, asking_as(url, "") as nobody:
        assert send(clara, begin(clara), DATA, 0) == 204
        body, kind = form_of(fake_video(size_bytes=2000))
        sent = {"Content_Type": kind, "Authorization": f"Bearer {token}"}
        assert nobody("POST", "/api/v1/videos/upload", body, **sent).status == 201
        found = clara("GET", "/api/v1/videos").json["videos"]
    assert sorted((one["size_bytes"], one["owner"]) for one in found) == [(1000, "clara"), (2000, "carl")]


def test_uploads_begun_before_there_were_accounts_belong_to_everyone(app: Flask, url: str) -> None:
    ports = parts_of(app).plugins["videos"].close.__self__.ports  # type: ignore[attr-defined]
    upload = begin_upload(
        ports, kind="resumable", length_bytes=1000, file_name="clip.mp4", fields=VideoFields(source="gate")
    )
    with asking_as(url, "carl") as carl:
        assert send(carl, f"{UPLOADS}/{upload.id}", DATA, 0) == 204
        assert [one["owner"] for one in carl("GET", "/api/v1/videos").json["videos"]] == [None]


__all__ = ["house"]


@contextmanager
def library_of(house: House, *videos: VideoRecord) -> Iterator[VideoCatalogue]:
    """The catalogue of a house with these videos, which are in its store."""
    with (
        closing(open_object_store(house.settings.store_url)) as store,
        closing(open_video_catalogue(house.settings.catalogue_url)) as catalogue,
    ):
        for video in videos:
            store.put(video.key, encode(video))
            catalogue.put_video(video, "1")
        yield catalogue


def test_status_shows_how_many_videos_are_not_ready(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    videos = [make_video(number) for number in (1, 2)]
    with library_of(house, *videos) as catalogue:
        cli.main(["status", "--data-dir", str(house.settings.data_dir)])
        assert "2 uploaded videos are not ready yet; see the page /jobs" in capsys.readouterr().out
        for video in videos:
            catalogue.set_video(video.id, state="ready")
    cli.main(["status", "--data-dir", str(house.settings.data_dir)])
    assert "not ready yet" not in capsys.readouterr().out


def test_status_shows_since_when_jobs_have_failed(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    video = make_video()
    with library_of(house, video) as catalogue:
        catalogue.queue(video.id, "frames")
        job = catalogue.claim("w", ("frames",), lease_s=60)
        assert job is not None
        catalogue.end(job, "failed", reason="no disk")
        [job] = catalogue.jobs(video.id)
    assert job.ended_at_ms is not None
    arguments = ["status", "--data-dir", str(house.settings.data_dir)]
    cli.main(arguments)
    said = " ".join(capsys.readouterr().out.split())
    assert f"needs you: 1 job of videos failed, since {utc(job.ended_at_ms)}; see the page /jobs" in said
    cli.main([*arguments, "--json"])
    [need] = json.loads(capsys.readouterr().out)["needs"]
    assert (need["area"], need["number"], need["severity"]) == ("job", 1, "need")


def test_status_distinguishes_a_pending_move_from_a_finished_one(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = MovedCounts(source="cam", source_name="Cam", from_ms=0, to_ms=0, frames=60)
    video = make_video(moved_from=moved)
    arguments = ["status", "--data-dir", str(house.settings.data_dir)]
    with library_of(house, video) as catalogue:
        cli.main(arguments)
        assert f"will soon count as {video.source_name}" in " ".join(capsys.readouterr().out.split())
        catalogue.set_video(video.id, state="ready")
        cli.main(arguments)
        assert f"now count as {video.source_name}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.thorough
def test_a_change_of_a_video_is_announced(place: Place, serving: Serving) -> None:
    video = make_video()
    with listen(serving(place.app())) as stream:
        told = (data["version"] for kind, data in events(stream) if kind == "videos")
        versions = [next(told)]
        for change in (
            lambda: place.catalogue.put_video(video, "1"),
            lambda: place.catalogue.set_video(video.id, state="producing", progress=0.5),
            lambda: place.catalogue.queue(video.id, "frames"),
        ):
            change()
            versions.append(next(told))
    assert len(set(versions)) == 4
    assert place.catalogue.version() in versions[-1]


@pytest.mark.thorough
def test_streams_continue_while_the_video_catalogue_is_unavailable(
    place: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_away() -> str:
        raise Retryable("the catalogue is away")

    with monkeypatch.context() as away, listen(serving(place.app())) as stream:
        away.setattr(place.catalogue, "version", is_away)
        told = events(stream)
        publish_lines(place, make_lines("gate", frames=6))
        assert next(told)[0] != "videos"
        away.undo()
        assert next(kind for kind, _ in told if kind == "videos")
