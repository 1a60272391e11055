"""Work on videos, by HTTP: requested, listed, tried again, cancelled; facts and artifacts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from flask.testing import FlaskClient
from tests.family.footage import make_video as write_clip
from tests.videos.made_work import make_derivative, make_metadata, make_quality, put_derivative, recipe_bytes
from tests.videos.test_library_api import NOBODY, stored
from tests.videos.test_playback_api import Footage, store_video
from tests.videos.video_records import make_facts, make_video
from tests.web.conftest import Place, Serving
from tests.web.raw_client import Client
from werkzeug.test import TestResponse

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.records import SealedRecord, encode
from frametally_videos.catalogue.catalogue_rows import Artifact, ArtifactKind, JobKind
from frametally_videos.jobs import job_requests as asked_jobs
from frametally_videos.media_records import Enhancement
from frametally_videos.playback import routes as playback_routes

UNPLAYED = make_facts(plays_in_browsers=False, why_not="It is HEVC.", codec="hevc")


def want(client: FlaskClient, video_id: str, wanted: Any) -> TestResponse:
    return client.post(f"/api/v1/videos/{video_id}/jobs", json=wanted)


def ended(place: Place, kind: JobKind, state: Any = "done", reason: str | None = None) -> None:
    """Let a worker end the longest waiting job of a kind."""
    job = place.catalogue.claim("w", [kind], lease_s=30)
    assert job is not None
    place.catalogue.end(job, state, reason=reason)


def listed(client: FlaskClient, asked: str = "") -> list[tuple[str, str]]:
    answer = client.get(f"/api/v1/jobs{asked}")
    assert answer.status_code == 200, answer.text
    return [(job["video_name"], job["kind"]) for job in answer.json["jobs"]]


def test_jobs_of_all_videos_are_listed_newest_first(place: Place, client: FlaskClient) -> None:
    one, two = stored(place, make_video(1), make_video(2))
    queued: list[tuple[str, JobKind]] = [(one, "frames"), (two, "frames"), (one, "previews"), (two, "checks")]
    for video_id, kind in queued:
        place.catalogue.queue(video_id, kind)
    assert place.catalogue.claim("media-1", ["checks"], lease_s=30) is not None
    assert listed(client) == [
        ("Gate 2", "checks"),
        ("Gate 1", "previews"),
        ("Gate 2", "frames"),
        ("Gate 1", "frames"),
    ]
    assert listed(client, "?state=running") == [("Gate 2", "checks")]
    assert listed(client, "?kind=frames&kind=checks&state=queued") == [
        ("Gate 2", "frames"),
        ("Gate 1", "frames"),
    ]
    assert listed(client, f"?video_id={one}") == [("Gate 1", "previews"), ("Gate 1", "frames")]
    answer = client.get("/api/jobs?limit=1").json
    assert answer["jobs"][0]["worker"] == "media-1"
    assert answer["states"] == {"queued": 3, "running": 1}
    by_state: Counter[str] = sum((Counter(of) for of in answer["kinds"].values()), Counter())
    assert by_state == answer["states"]
    assert (answer["uploads_allowed"], answer["remedy"]) == (True, None)


def test_pages_of_jobs_follow_each_other_to_the_end(place: Place, client: FlaskClient) -> None:
    ids = stored(place, *(make_video(n) for n in range(1, 6)))
    for video_id in ids:
        place.catalogue.queue(video_id, "frames")
    seen, cursor = [], ""
    while True:
        page = client.get(f"/api/v1/jobs?limit=2&cursor={cursor}").json
        seen.append([job["video_id"] for job in page["jobs"]])
        if page["next"] is None:
            break
        cursor = page["next"]
    assert seen == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ("state=ended", "state"),
        ("kind=polish", "kind"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=nothing", "cursor"),
        ("cursor=Wy0xXQ==", "cursor"),
        ("cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDhd", "cursor"),
        ("video_id=%00", "video_id"),
        ("page=2", "page"),
    ],
)
def test_an_invalid_parameter_of_the_job_list_is_named(
    client: FlaskClient, asked: str, parameter: str
) -> None:
    answer = client.get(f"/api/v1/jobs?{asked}")
    assert (answer.status_code, answer.json["parameter"]) == (400, parameter)


def test_requesting_the_same_enhancement_again_finds_the_queued_one(
    place: Place, client: FlaskClient
) -> None:
    (video_id,) = stored(place, make_video(1))
    first = want(client, video_id, {"kind": "enhance", "options": {"contrast": 1.2, "brightness": 0.1}})
    assert first.status_code == 202
    assert first.json["options"] == {"brightness": 0.1, "contrast": 1.2}
    assert (first.json["kind"], first.json["state"]) == ("enhance", "queued")
    alike = {"kind": "enhance", "options": {"brightness": 0.1, "contrast": 1.2, "gamma": 1}}
    again = want(client, video_id, alike)
    assert (again.status_code, again.json["id"]) == (200, first.json["id"])
    ended(place, "enhance")
    put_derivative(place, make_derivative(video_id, "0a1b2c3d", Enhancement(brightness=0.1, contrast=1.2)))
    made = want(client, video_id, alike)
    assert (made.status_code, made.json["id"], made.json["state"]) == (200, first.json["id"], "done")
    other = want(client, video_id, {"kind": "enhance", "options": {"brightness": 0.2}})
    assert (other.status_code, other.json["id"] == first.json["id"]) == (202, False)


def test_a_removed_enhancement_can_be_made_again(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video(1, facts=UNPLAYED))
    assert want(client, video_id, {"kind": "playable"}).status_code == 202
    ended(place, "playable")
    derivative = make_derivative(video_id, "0a1b2c3d", None)
    put_derivative(place, derivative)
    assert want(client, video_id, {"kind": "playable"}).status_code == 200
    address = f"/api/v1/videos/{video_id}/derivatives"
    (one,) = client.get(address).json["derivatives"]
    assert one["url"] == f"/api/v1/videos/{video_id}/playable?v=0a1b2c3d"
    assert client.get(f"/api/v1/videos/{video_id}").json["links"]["playable"] == one["url"]
    for _ in range(2):
        assert client.delete(f"{address}/0a1b2c3d").status_code == 204
    assert client.get(address).json == {"derivatives": []}
    assert place.store.head(derivative.key) is None
    assert place.store.head(derivative.file_key) is None
    assert client.get(f"/api/v1/videos/{video_id}").json["links"]["playable"] is None
    assert want(client, video_id, {"kind": "playable"}).status_code == 202


def test_requesting_a_failed_job_again_restarts_it(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video(1))
    first = want(client, video_id, {"kind": "checks"}).json
    ended(place, "checks", "failed", "It was killed.")
    again = want(client, video_id, {"kind": "checks"})
    assert (again.status_code, again.json["id"], again.json["state"]) == (202, first["id"], "queued")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("wanted", "parameter"),
    [
        ({"kind": "removal"}, "kind"),
        ({"kind": "enhance", "options": {"brightness": 2}}, "brightness"),
        ({"kind": "enhance", "options": {"filter": "drawbox"}}, "filter"),
        ({"kind": "enhance", "options": {"fps": "eq=1"}}, "fps"),
        ({"kind": "enhance", "options": {"deinterlace": "yes"}}, "deinterlace"),
        ({"kind": "checks", "options": {"fps": 2}}, "options"),
        ({"options": {}}, None),
        ({"kind": "enhance", "and": 1}, None),
        ([], None),
    ],
)
def test_an_invalid_job_request_is_refused_with_its_field(
    place: Place, client: FlaskClient, wanted: Any, parameter: str | None
) -> None:
    (video_id,) = stored(place, make_video(1))
    answer = want(client, video_id, wanted)
    assert (answer.status_code, answer.json.get("parameter")) == (400, parameter)
    assert answer.json["remedy"]
    assert place.catalogue.jobs(video_id) == []


def test_a_video_has_a_maximum_of_enhancements_and_the_refusal_names_the_oldest(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked_jobs, "ENHANCEMENTS_KEPT", 2)
    (video_id,) = stored(place, make_video(1))
    client = place.app().test_client()
    put_derivative(place, make_derivative(video_id, "0a1b2c3d", Enhancement(gamma=2)))
    assert want(client, video_id, {"kind": "enhance", "options": {"gamma": 3}}).status_code == 202
    refused = want(client, video_id, {"kind": "enhance", "options": {"gamma": 4}})
    assert refused.status_code == 409
    assert "0a1b2c3d" in refused.json["remedy"]
    assert want(client, video_id, {"kind": "checks"}).status_code == 202


def test_the_limit_of_waiting_jobs_of_a_video_ignores_finished_ones(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked_jobs, "JOBS_PER_VIDEO", 2)
    monkeypatch.setattr(asked_jobs, "ENHANCEMENTS_KEPT", 1000)
    (video_id,) = stored(place, make_video(1))
    client = place.app().test_client()
    for number in range(1, 6):  # jobs that were ended, in every way
        asked = want(client, video_id, {"kind": "enhance", "options": {"contrast": number / 2}})
        assert asked.status_code == 202, number
        if number == 1:
            assert client.post(f"/api/v1/jobs/{asked.json['id']}/cancel").status_code == 202
        else:
            ended(place, "enhance", "done" if number % 2 else "failed", "r")
    assert want(client, video_id, {"kind": "checks"}).status_code == 202
    assert want(client, video_id, {"kind": "metadata"}).status_code == 202
    # One that is new, and ones that failed or were cancelled.
    for wanted in (
        {"kind": "previews"},
        *({"kind": "enhance", "options": {"contrast": n}} for n in (0.5, 1)),
    ):
        refused = want(client, video_id, wanted)
        assert (refused.status_code, refused.json["remedy"]) == (409, "Wait for one of them, or cancel one.")
        assert "2 jobs" in refused.json["detail"]
    assert want(client, video_id, {"kind": "checks"}).status_code == 200, "it is under way"
    ended(place, "metadata")
    assert want(client, video_id, {"kind": "previews"}).status_code == 202


def test_a_video_that_browsers_already_play_gets_no_playable_version(
    place: Place, client: FlaskClient
) -> None:
    (video_id,) = stored(place, make_video(1))
    assert want(client, video_id, {"kind": "playable"}).status_code == 409


@pytest.mark.thorough
def test_a_job_can_be_cancelled_and_queued_again(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video(1))
    job = place.catalogue.queue(video_id, "frames")
    address = f"/api/v1/jobs/{job.id}"
    assert client.post(f"{address}/retry").status_code == 409
    for _ in range(2):
        cancelled = client.post(f"{address}/cancel")
        assert (cancelled.status_code, cancelled.json["state"]) == (202, "cancelled")
    place.catalogue.set_video(video_id, state="failed", reason="x")
    again = client.post(f"{address}/retry")
    assert (again.status_code, again.json["state"]) == (202, "queued")
    assert client.get(f"/api/v1/videos/{video_id}").json["state"] == "received"
    ended(place, "frames")
    assert client.post(f"{address}/cancel").status_code == 409
    assert client.post(f"{address}/retry").status_code == 409


def test_a_removal_cannot_be_cancelled(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video(1))
    client.delete(f"/api/v1/videos/{video_id}")
    (job,) = (job for job in place.catalogue.jobs(video_id) if job.kind == "removal")
    assert client.post(f"/api/v1/jobs/{job.id}/cancel").status_code == 409
    assert want(client, video_id, {"kind": "checks"}).status_code == 409


def test_jobs_cannot_be_changed_where_uploads_are_off_or_from_another_site(place: Place) -> None:
    (video_id,) = stored(place, make_video(1))
    job = place.catalogue.queue(video_id, "frames")
    writes = [
        ("POST", f"/api/v1/jobs/{job.id}/cancel"),
        ("POST", f"/api/v1/jobs/{job.id}/retry"),
        ("POST", f"/api/v1/videos/{video_id}/jobs"),
        ("DELETE", f"/api/v1/videos/{video_id}/derivatives/0a1b2c3d"),
    ]
    off, on = place.app(web_uploads=False).test_client(), place.app().test_client()
    for method, path in writes:
        wanted = {"kind": "checks"} if path.endswith("/jobs") else None
        assert off.open(path, method=method, json=wanted).status_code == 403, path
        foreign = on.open(path, method=method, json=wanted, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403, path
    assert [one.state for one in place.catalogue.jobs(video_id)] == ["queued"]
    listing = off.get("/api/v1/jobs").json
    assert listing["uploads_allowed"] is False
    assert listing["remedy"]


def test_metadata_and_quality_are_available_once_their_jobs_are_done(
    place: Place, client: FlaskClient
) -> None:
    (video_id,) = stored(place, make_video(1))
    here = f"/api/v1/videos/{video_id}"
    for what in ("metadata", "quality"):
        answer = client.get(f"{here}/{what}")
        assert (answer.status_code, client.get(here).json["links"][what]) == (404, None)
        assert answer.json["remedy"]
    found: list[tuple[SealedRecord, ArtifactKind]] = [
        (make_metadata(video_id), "metadata"),
        (make_quality(video_id), "quality"),
    ]
    for record, kind in found:
        place.store.put(record.key, encode(record))
        place.catalogue.put_artifacts(video_id, [Artifact(kind, record.key, "application/json", 1)])
    links = client.get(here).json["links"]
    assert links["metadata"] == f"{here}/metadata"
    metadata: Any = client.get(links["metadata"]).json
    assert (metadata["video_id"], metadata["pictures"][0]["codec"]) == (video_id, "h264")
    assert "seal" not in metadata
    quality = client.get(links["quality"]).json
    assert (quality["passed"], quality["checks"][0]["name"]) == (False, "black")
    assert client.get(f"/metadata/{video_id}.json").json == {**metadata, "file_id": video_id}


@pytest.mark.thorough
def test_a_client_of_the_earlier_api_can_poll_until_the_status_is_completed(
    place: Place, client: FlaskClient
) -> None:
    (video_id,) = stored(place, make_video(1, facts=UNPLAYED))
    address = f"/internal/video-enhancement-status/{video_id}"

    def told() -> tuple[Any, ...]:
        answer = client.get(address).json
        assert answer["file_id"] == video_id
        return tuple(answer[name] for name in ("status", "attempts", "error", "result_url"))

    assert told() == ("pending", 0, None, None)
    place.catalogue.queue(video_id, "playable")
    job = place.catalogue.claim("w", ["playable"], lease_s=30)
    assert job is not None
    assert told() == ("processing", 1, None, None)
    place.catalogue.end(job, "failed", reason="No encoder is left.")
    assert told() == ("failed", 1, "No encoder is left.", None)
    place.catalogue.retry_job(job.id)
    assert told()[:2] == ("pending", 0)
    job = place.catalogue.claim("w", ["playable"], lease_s=30)
    assert job is not None
    put_derivative(place, make_derivative(video_id, "0a1b2c3d", None))
    place.catalogue.end(job, "done")
    assert told() == ("completed", 1, None, f"/processed_videos/{video_id}")
    of_metadata = client.get(f"/internal/metadata-extraction-status/{video_id}").json
    assert (of_metadata["status"], of_metadata["result_url"]) == ("pending", None)
    assert (of_metadata["enhanced"], of_metadata["message"]) == (None, None)


def test_a_video_that_browsers_play_as_uploaded_is_completed_at_once(
    place: Place, client: FlaskClient
) -> None:
    (video_id,) = stored(place, make_video(1))
    answer = client.get(f"/internal/video-enhancement-status/{video_id}").json
    assert (answer["status"], answer["result_url"]) == ("completed", f"/processed_videos/{video_id}")
    assert answer["enhanced"] is False
    assert answer["message"] == (
        "No one has requested an enhanced version of the video yet. To request one, send the kind enhance "
        "to its jobs."
    )


@pytest.mark.thorough
@pytest.mark.parametrize(
    "path",
    [
        "/internal/video-enhancement-status/{}",
        "/internal/metadata-extraction-status/{}",
        "/metadata/{}.json",
        "/api/v1/videos/{}/metadata",
        "/api/v1/videos/{}/quality",
        "/api/v1/videos/{}/derivatives",
    ],
)
def test_an_unknown_video_is_not_found(client: FlaskClient, path: str) -> None:
    for video_id in (NOBODY, "x", "..%2fvideos"):
        assert client.get(path.format(video_id)).status_code == 404
    assert client.post("/api/v1/jobs/x/cancel").status_code == 404


def test_no_recipe_leads_outside_the_videos_folder(place: Place, client: FlaskClient) -> None:
    (video_id,) = stored(place, make_video(1))
    place.store.put(keys.original_key(video_id), b"bytes")
    for recipe in ("..", "0a1b2c3", "0A1B2C3D", "original", "%2e%2e%2foriginal"):
        answer = client.delete(f"/api/v1/videos/{video_id}/derivatives/{recipe}")
        assert answer.status_code in (404, 405), recipe
    assert place.store.head(keys.original_key(video_id)) is not None


@pytest.fixture
def ask(place: Place, serving: Serving) -> Iterator[Client]:
    client = Client(serving(place.app()))
    yield client
    client.close()


@pytest.fixture
def video(place: Place) -> Footage:
    return store_video(place, facts=UNPLAYED)


def test_a_video_that_no_browser_plays_can_be_played_once_it_is_converted(
    place: Place, ask: Client, video: Footage
) -> None:
    for at in (f"{video.at}/playable", f"/processed_videos/{video.id}"):
        refused = ask("GET", at)
        assert (refused.status, "It is HEVC." in refused.json["detail"]) == (404, True)
    place.catalogue.queue(video.id, "playable")
    for at in (f"{video.at}/playable", f"/processed_videos/{video.id}"):
        assert "queued" in ask("GET", at).json["detail"]
    ended(place, "playable", "failed", "No encoder is left.")
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
def test_the_newest_enhanced_video_is_shown_unless_a_recipe_is_named(
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


def test_the_earlier_apis_example_works_with_the_same_id(place: Place, ask: Client, video: Footage) -> None:
    """Like earlier clients: poll the status until it is completed, then fetch the result that it names."""
    put_derivative(place, make_derivative(video.id, "0a1b2c3d", Enhancement(brightness=0.1)))
    told = ask("GET", f"/internal/video-enhancement-status/{video.id}").json
    assert (told["status"], told["enhanced"], told["message"]) == ("completed", True, None)
    assert ask("GET", told["result_url"]).headers["content-type"] == "video/mp4"


@pytest.mark.thorough
def test_a_frame_is_served_as_it_is_and_as_an_enhancement_would_show_it(
    place: Place, tmp_path: Path, serving: Serving
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


def test_a_frame_beyond_the_limit_of_simultaneous_ones_is_refused_until_later(
    ask: Client, video: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playback_routes, "_MOST_AT_ONCE", 0)
    refused = ask("GET", f"{video.at}/frame?position_s=0")
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert refused.json["remedy"] == "Try again in a second, as Retry-After says."


def ask_picture(client: Client, path: str) -> np.ndarray:
    answer = client("GET", path)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return picture


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_the_api_description_is_also_at_the_earlier_apis_addresses(ask: Client, path: str) -> None:
    answer = ask("GET", path)
    assert answer.status == 200
    assert answer.body == ask("GET", "/api" + path.replace("redoc", "docs")).body
