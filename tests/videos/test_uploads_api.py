"""Uploads to the running server: resumed, refused, and never left over."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import logging
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from tests.fakes.at_once import at_once
from tests.fakes.records import make_manifest
from tests.kit.waiting import until
from tests.videos.uploading import (
    BYTES,
    UPLOADS,
    VERSION,
    Answered,
    UploadServer,
    ask,
    begin,
    create,
    form_of,
    head,
    metadata,
    patch,
    send_form,
    upload,
)
from tests.videos.video_records import (
    NO_PICTURES,
    NO_TIME,
    all_keys,
    fake_look,
    fake_video,
    keys_of_video,
    make_facts,
    rows_and_jobs,
)
from tests.web.conftest import Place, Serving

from frametally import keys
from frametally.adapters_by_url import open_object_store
from frametally.errors import Poison, Retryable
from frametally.ports.object_store import PIECE_BYTES, NoRoom, ResumableWrite
from frametally.records import encode
from frametally_videos.records import VideoFacts
from frametally_videos.upload_routes import request_body, upload_limits
from frametally_videos.uploads.acceptance import read_video
from frametally_videos.uploads.receiving import find_upload

DATA = fake_video(size_bytes=100_000)
CLIENT = "client-1234"


@pytest.fixture
def fake(place: Place) -> Place:
    """A dashboard that accepts files with a fake video's beginning as videos."""
    place.look = lambda _, key, fields, file_name: fake_look(place.store, key, fields, file_name)
    return place


@pytest.fixture
def url(fake: Place, serving: Serving) -> str:
    return serving(fake.app())


def tell(url: str, path: str) -> Any:
    return ask(url, "GET", path).body


def assert_problem(answer: Answered, status: int, *parts: str) -> None:
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["remedy"]
    for part in parts:
        assert part in json.dumps(answer.body), answer.body


def assert_is_there(place: Place, video_id: str, data: bytes = DATA) -> None:
    """Check that the video, and nothing else, is in the store."""
    assert all_keys(place.store) == keys_of_video(place.store, video_id)
    assert place.store.get(keys.original_key(video_id)) == data


# Forms.


def test_a_form_becomes_a_video_with_its_row_and_its_jobs(fake: Place, url: str) -> None:
    answer = send_form(url, DATA, file_name="Gate East.mp4", name="Morning", source="Gate")
    assert answer.status == 201
    video_id = answer.body["id"]
    assert answer.body == {
        "id": video_id,
        "file_id": video_id,
        "status": "received",
        "name": "Morning",
        "source": "gate",
        "state": "received",
        "known": False,
        "time_is_guess": False,
        "message": "The video was uploaded.",
    }
    assert answer.headers["location"] == f"/api/v1/videos/{video_id}"
    assert_is_there(fake, video_id)
    assert sorted(job.kind for job in fake.catalogue.jobs(video_id)) == [
        "checks",
        "frames",
        "metadata",
        "previews",
    ]


def test_uploading_the_same_bytes_again_reports_that_they_are_known(fake: Place, url: str) -> None:
    first = send_form(url, DATA)
    again = send_form(url, DATA, file_name="other.avi", path="/api/v1/videos/upload", part="video")
    assert (first.status, again.status) == (201, 200)
    assert (again.body["known"], again.body["id"]) == (True, first.body["id"])
    assert "already" in again.body["message"]
    assert_is_there(fake, first.body["id"])


def count_elsewhere(fake: Place) -> str:
    """Count 60 frames of `DATA` as Traffic; return the key of their manifest."""
    manifest = make_manifest(
        60, media=hashlib.sha256(DATA).hexdigest(), source="traffic", start_ms=make_facts().started_at_ms
    )
    fake.store.put(manifest.key, encode(manifest))
    return manifest.key


def test_an_upload_moves_another_sources_counts_only_after_a_confirmation(fake: Place, url: str) -> None:
    key = count_elsewhere(fake)
    refused = send_form(url, DATA, source="Gate")
    assert_problem(refused, 409, "60 frames of Traffic", "would count as Gate", '"move_counts"')
    assert all_keys(fake.store) == [key]
    moved = send_form(url, DATA, source="Gate", move_counts="true")
    assert moved.status == 201
    assert "60 frames of Traffic" in moved.body["message"]
    video = tell(url, f"/api/v1/videos/{moved.body['id']}")
    assert (video["source"], video["moved_from"]["source"]) == ("gate", "traffic")
    assert send_form(url, DATA, source="Yard").status == 200  # bytes of a video move nothing unasked, either
    assert "60 frames" not in tell(url, "/api/v1/audit")["changes"][0]["target"]
    again = send_form(url, DATA, source="Yard", move_counts="true")
    assert (again.status, tell(url, f"/api/v1/videos/{video['id']}")["source"]) == (200, "yard")
    newest = tell(url, "/api/v1/audit")["changes"][0]["target"]
    assert f"video_id={video['id']}" in newest
    assert re.search(r"60 frames of Traffic on [\d-]+ will count as Yard", newest)


def test_a_confirmed_tus_upload_sends_no_bytes_again(fake: Place, url: str) -> None:
    count_elsewhere(fake)
    path = begin(url, len(DATA), source="Gate")
    # In tus, 409 means another offset: clients would send all of it again and again.
    assert_problem(patch(url, path, 0, DATA), 422, "60 frames of Traffic", '"move_counts"')
    assert (tell(url, path)["state"], tell(url, path)["status"]) == ("refused", 409)
    assert head(url, path).status == 410
    assert patch(url, path, len(DATA), b"").status == 410  # and resuming does not confirm it
    confirmed = metadata(move_counts="true")
    moved = patch(url, path, len(DATA), b"", **confirmed)
    assert (moved.status, moved.headers["frametally-remark"]) == (204, "true")
    assert "60 frames of Traffic" in tell(url, path)["reason"]
    video = tell(url, f"/api/v1/videos/{moved.headers['frametally-video']}")
    assert (video["source"], video["moved_from"]["source"]) == ("gate", "traffic")
    assert fake.store.get(keys.original_key(video["id"])) == DATA


def test_an_unconfirmed_tus_upload_can_be_removed(fake: Place, url: str) -> None:
    key = count_elsewhere(fake)
    path = begin(url, len(DATA), source="Gate")
    patch(url, path, 0, DATA)
    assert ask(url, "DELETE", path, headers=VERSION).status == 204
    assert all_keys(fake.store) == [key]
    confirmed = metadata(move_counts="true")
    assert patch(url, path, len(DATA), b"", **confirmed).status == 410


def test_the_earlier_apis_simplest_upload_gets_its_answer(fake: Place, url: str) -> None:
    answer = send_form(url, DATA, path="/upload", client_id=CLIENT)
    assert answer.status == 201
    assert answer.body["client_id"] == CLIENT
    assert answer.body["status"] == "received"
    assert answer.body["message"]
    assert_is_there(fake, answer.body["file_id"])
    assert send_form(url, DATA, path="/upload").body["client_id"] is None


def test_form_fields_may_come_before_or_after_the_file(fake: Place, url: str) -> None:
    body, content_type = form_of(DATA, name="behind", source="Gate")
    boundary = content_type.partition("boundary=")[2]
    part = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="start_time"\r\n\r\n2026-01-01T00:00:00Z\r\n'
    )
    answer = ask(url, "POST", "/api/videos/upload", part.encode() + body, {"Content-Type": content_type})
    video = read_video(fake.store, answer.body["id"])
    assert (video.name, video.source_name, video.fields.start_time) == (
        "behind",
        "Gate",
        "2026-01-01T00:00:00Z",
    )


def test_a_region_of_the_earlier_api_is_kept_and_its_calibration_explains_why_it_gives_no_speed(
    fake: Place, url: str
) -> None:
    roi = {"x": 100, "y": 100, "width": 500, "height": 200}
    points = {"points": [[0, 0], [100, 100]]}
    answer = send_form(url, DATA, roi=json.dumps(roi), calibrate_coordinates=json.dumps(points))
    assert answer.status == 201
    assert "2 of at least 4 points, none with coordinates in metres: no speed" in answer.body["message"]
    video = read_video(fake.store, answer.body["id"])
    assert (video.fields.roi, video.fields.calibration) == (roi, points)


def test_the_answer_says_that_a_video_without_a_known_time_needs_one(url: str) -> None:
    answer = send_form(url, NO_TIME)
    assert (answer.status, answer.body["state"]) == (201, "needs_time")
    assert "Set it" in answer.body["message"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("file_name", "kept"),
    [
        ('a "quoted" <b>.mp4', 'a "quoted" <b>.mp4'),
        ("two\nlines.mp4", "two\\x0alines.mp4"),
        ("\u202egpj.4pm", "\u202egpj.4pm"),
        ("\U0001f697" * 200, "\U0001f697" * 200),
        ("../../x/y.mp4", "y.mp4"),
    ],
)
def test_a_file_keeps_any_name_and_no_key_contains_it(
    fake: Place, url: str, file_name: str, kept: str
) -> None:
    answer = send_form(url, DATA, file_name=file_name)
    assert answer.status == 201
    video = read_video(fake.store, answer.body["id"])
    assert (video.name, video.file_name) == (kept, kept)
    assert_is_there(fake, video.id)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("fields", "parameter"),
    [
        ({"name": "x" * 256}, "name"),
        ({"roi": '{"points": [[1, "a"]]}'}, "points[0][1]"),
        ({"calibration": "{}"}, "calibration"),
        ({"colour": "red"}, "colour"),
        ({"roi": "x" * 70_000}, "roi"),
    ],
)
def test_an_invalid_field_is_named_with_its_remedy_and_nothing_is_stored(
    fake: Place, url: str, fields: dict[str, str], parameter: str
) -> None:
    assert_problem(send_form(url, DATA, **fields), 400, parameter)
    assert all_keys(fake.store) == []


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"--b--\r\n", 400),
        (b"no form at all", 400),
        (b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nno file name\r\n--b--\r\n', 400),
        (b'--b\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\nx\r\n--b--\r\n', 400),
        (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nFAKEVIDEO', 400),
        (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\r\n--b--\r\n', 415),
        (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nPK zip\r\n--b--\r\n', 415),
        (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\nFAKEVIDEO\r\n--b--\r\n',
            400,
        ),
        (b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n--b--\r\n', 400),
        (2 * b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n' + b"--b--\r\n", 400),
        (
            2 * b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nFAKEVIDEO\r\n'
            + b"--b--\r\n",
            400,
        ),
        (b"--b\r\n" + b"X-Long: " + b"x" * 10_000 + b"\r\n\r\n", 400),
        (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\r\nX-B: c"\r\n\r\n'
            + DATA
            + b"\r\n--b--\r\n",
            400,
        ),
    ],
)
def test_an_invalid_form_or_one_without_a_video_is_refused_and_nothing_is_stored(
    fake: Place, url: str, body: bytes, status: int
) -> None:
    answer = ask(url, "POST", "/api/videos/upload", body, {"Content-Type": "multipart/form-data; boundary=b"})
    assert_problem(answer, status)
    assert all_keys(fake.store) == []


@pytest.mark.thorough
@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json", "multipart/form-data"])
def test_a_body_that_is_not_a_form_is_415(url: str, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert_problem(ask(url, "POST", "/api/videos/upload", b"x", headers), 415, "multipart/form-data")


def test_a_content_type_that_is_not_a_videos_is_refused_whatever_the_bytes_are(fake: Place, url: str) -> None:
    body, content_type = form_of(DATA)
    body = body.replace(b"Content-Type: video/mp4", b"Content-Type: text/html")
    answer = ask(url, "POST", "/api/videos/upload", body, {"Content-Type": content_type})
    assert_problem(answer, 415, "text/html")
    assert_problem(create(url, 9, filename="a.mp4", filetype="text/html"), 415, "text/html")
    assert all_keys(fake.store) == []


@pytest.mark.thorough
def test_a_form_upload_whose_client_disconnects_leaves_nothing(fake: Place, url: str) -> None:
    body, content_type = form_of(fake_video(size_bytes=20_000_000))
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as client:
        client.sendall(
            f"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        client.sendall(body[:15_000_000])
        until(lambda: any(key.startswith("uploads/") for key in all_keys(fake.store)))
    until(lambda: all_keys(fake.store) == [])
    assert fake.catalogue.open_uploads() == 0


# Limits.


def test_an_upload_that_is_too_large_is_refused_before_a_byte_is_read(fake: Place, serving: Serving) -> None:
    url = serving(fake.app(upload_max_gb=0.001))
    assert_problem(create(url, 1_000_001, filename="a.mp4"), 413, "1 MB")
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.putrequest("POST", "/upload")
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", "3000000")
    connection.endheaders()  # and not a byte of it
    assert connection.getresponse().status == 413
    connection.close()
    assert all_keys(fake.store) == []


def test_a_form_of_unknown_length_ends_at_the_limit(fake: Place, serving: Serving) -> None:
    url = serving(fake.app(upload_max_gb=0.003))
    body, content_type = form_of(fake_video(size_bytes=3_500_000))
    chunks = (body[at : at + 100_000] for at in range(0, len(body), 100_000))
    answer = ask(url, "POST", "/upload", chunks, {"Content-Type": content_type})
    assert_problem(answer, 413)
    assert all_keys(fake.store) == []


@pytest.mark.thorough
def test_an_upload_without_enough_disk_space_is_refused_with_both_numbers(
    tmp_path: Path, fake: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "store"
    fake.store = open_object_store(folder.as_uri())
    url = serving(fake.app(store_url=folder.as_uri(), min_free_disk_mb=1000))

    class Usage:
        free = 1_500_000_000

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage)
    assert_problem(create(url, 600_000_000, filename="a.mp4"), 507, "600 MB", "1,500 MB", "1,000 MB")
    path = begin(url, 30_000_000)
    data = fake_video(size_bytes=30_000_000)
    Usage.free = 999_000_000
    assert_problem(patch(url, path, 0, data), 507, "999 MB")
    kept = int(head(url, path).headers["upload-offset"])
    assert PIECE_BYTES <= kept < len(data)  # existing data stays
    Usage.free = 5_000_000_000
    assert patch(url, path, kept, data[kept:]).status == 204
    Usage.free = 900_000_000
    assert_problem(send_form(url, DATA), 507)


class Failing:
    """A write that fails with a given error when bytes arrive."""

    def __init__(self, write: ResumableWrite, errors: list[Exception]) -> None:
        self._write, self._errors = write, errors

    def append(self, data: bytes, *, at_byte: int) -> None:
        if self._errors:
            raise self._errors.pop()
        self._write.append(data, at_byte=at_byte)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._write, name)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("error", "status"),
    [(NoRoom("the disk is full"), 507), (Poison("not where it ends"), 409), (Retryable("away"), 503)],
)
def test_a_store_error_during_an_upload_is_reported_and_the_upload_can_resume(
    fake: Place, url: str, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    errors: list[Exception] = []
    begun = fake.store.resumable
    monkeypatch.setattr(fake.store, "resumable", lambda key, part: Failing(begun(key, part), errors))
    path = begin(url, len(DATA))
    assert patch(url, path, 0, DATA[:100]).status == 204
    errors.append(error)
    assert_problem(patch(url, path, 100, DATA[100:]), status)
    assert head(url, path).headers["upload-offset"] == "100"
    assert_is_there(fake, patch(url, path, 100, DATA[100:]).headers["frametally-video"])


def test_the_number_of_simultaneous_uploads_is_limited_per_client_and_in_total(
    fake: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_limits, "UPLOADS_PER_CLIENT", 2)
    monkeypatch.setattr(upload_limits, "UPLOADS_IN_ALL", 3)
    url = serving(fake.app())
    paths = [begin(url, 10, client_id=CLIENT) for _ in range(2)]
    refused = create(url, 10, filename="a.mp4", client_id=CLIENT)
    assert_problem(refused, 429, "2 uploads running")
    assert refused.headers["retry-after"] == "30"
    begin(url, 10)
    assert_problem(create(url, 10, filename="a.mp4", client_id="client-5678"), 429, "3 uploads")
    assert_problem(send_form(url, DATA), 429)
    ask(url, "DELETE", paths[0], headers=VERSION)
    assert send_form(url, DATA, client_id=CLIENT).status == 201


def test_a_stalled_request_is_ended_and_its_bytes_are_kept(
    fake: Place, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_body, "IDLE_S", 0.3)
    url = serving(fake.app())
    path = begin(url, len(DATA))
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as client:
        named = "".join(f"{name}: {value}\r\n" for name, value in BYTES.items())
        client.sendall(
            f"PATCH {path} HTTP/1.1\r\nHost: localhost\r\nUpload-Offset: 0\r\n{named}"
            f"Content-Length: {len(DATA)}\r\n\r\n".encode()
        )
        client.sendall(DATA[:50_000])
        answer = b""
        while data := client.recv(65536):  # until it is closed
            answer += data
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert head(url, path).headers["upload-offset"] == "50000"
    body, content_type = form_of(DATA)
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as client:
        client.sendall(
            f"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
        )
        client.sendall(body[:5000])
        assert client.recv(65536).startswith(b"HTTP/1.1 408 ")
    assert all_keys(fake.store) == [f"uploads/{path.rsplit('/', 1)[1]}.{kind}" for kind in ("json", "part")]


def test_where_uploads_are_off_every_way_of_uploading_is_refused(fake: Place, serving: Serving) -> None:
    url = serving(fake.app(web_uploads=False))
    assert_problem(create(url, 10, filename="a.mp4"), 403)
    assert_problem(send_form(url, DATA), 403)
    assert_problem(send_form(url, DATA, path="/upload"), 403)
    assert all_keys(fake.store) == []


@pytest.mark.thorough
@pytest.mark.parametrize("path", ["/upload", "/api/videos/upload", UPLOADS])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_sites_page_cannot_upload(fake: Place, url: str, path: str, headers: dict[str, str]) -> None:
    body, content_type = form_of(DATA)
    answer = ask(url, "POST", path, body, {"Content-Type": content_type, **headers})
    assert_problem(answer, 403)
    assert all_keys(fake.store) == []


def test_an_allowed_sites_page_can_upload(fake: Place, serving: Serving) -> None:
    site = "https://intranet.example"
    url = serving(fake.app(web_allowed_origins=site))
    asked = {"Origin": site, "Access-Control-Request-Method": "PATCH"}
    preflight = ask(url, "OPTIONS", f"{UPLOADS}/x", headers=asked)
    assert preflight.headers["access-control-allow-origin"] == site
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    assert "Upload-Offset" in preflight.headers["access-control-allow-headers"]
    body, content_type = form_of(DATA)
    headers = {"Content-Type": content_type, "Origin": site}
    answer = ask(url, "POST", "/api/videos/upload", body, headers)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (201, site)


# tus.


def test_the_server_lists_the_tus_extensions_that_it_supports(url: str) -> None:
    answer = ask(url, "OPTIONS", UPLOADS)
    assert answer.status == 204
    assert {name: answer.headers[name] for name in answer.headers if name.startswith("tus-")} == {
        "tus-resumable": "1.0.0",
        "tus-version": "1.0.0",
        "tus-extension": "creation,creation-with-upload,expiration,checksum,termination",
        "tus-max-size": "20000000000",
        "tus-checksum-algorithm": "sha1,sha256",
    }


def test_an_upload_in_pieces_becomes_a_video_and_names_it(fake: Place, url: str) -> None:
    path = begin(url, len(DATA), name="Morning", start_time="2026-01-01T00:00:00Z")
    assert path.startswith(f"{UPLOADS}/")
    assert patch(url, path, 0, DATA[:40_000]).headers["upload-offset"] == "40000"
    there = head(url, path)
    assert (there.status, there.headers["upload-offset"], there.headers["upload-length"]) == (
        200,
        "40000",
        str(len(DATA)),
    )
    assert there.headers["cache-control"] == "no-store"
    said = metadata(filename="clip.mp4", name="Morning", start_time="2026-01-01T00:00:00Z")
    assert there.headers["upload-metadata"] == said["Upload-Metadata"]
    assert there.headers["upload-expires"].endswith(" GMT")
    assert tell(url, path) == {
        "id": path.rsplit("/", 1)[1],
        "state": "receiving",
        "offset": 40_000,
        "length": len(DATA),
        "video_id": None,
        "known": False,
        "status": 0,
        "reason": None,
        "remedy": None,
    }
    last = patch(url, path, 40_000, DATA[40_000:])
    assert (last.status, last.headers["upload-offset"]) == (204, str(len(DATA)))
    assert last.headers["frametally-known"] == "false"
    video_id = last.headers["frametally-video"]
    assert_is_there(fake, video_id)
    # A client that missed that answer asks.
    told = tell(url, path)
    assert (told["state"], told["video_id"], told["known"], told["offset"]) == (
        "accepted",
        video_id,
        False,
        len(DATA),
    )
    ended = head(url, path)
    assert (ended.status, ended.headers["upload-offset"]) == (200, str(len(DATA)))
    assert ended.headers["frametally-video"] == video_id
    assert_problem(patch(url, path, len(DATA), b""), 410)
    again = upload(url, DATA)
    assert (again.headers["frametally-video"], again.headers["frametally-known"]) == (video_id, "true")


def test_creating_an_upload_can_include_its_first_or_all_its_bytes(fake: Place, url: str) -> None:
    first = create(url, len(DATA), body=DATA[:70], filename="clip.mp4")
    assert (first.status, first.headers["upload-offset"]) == (201, "70")
    last = patch(url, first.headers["location"], 70, DATA[70:])
    again = create(url, len(DATA), body=DATA, filename="clip.mp4")
    assert again.status == 201
    assert again.headers["frametally-video"] == last.headers["frametally-video"]
    assert_problem(create(url, 9, body=b"no video!", filename="clip.mp4"), 415)
    assert_is_there(fake, last.headers["frametally-video"])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("data", "status"), [(b"PK\3\4" * 100, 415), (NO_PICTURES, 422), (b"<html>" * 9, 415)]
)
def test_a_file_that_is_not_a_video_is_refused_at_its_end_and_the_reason_can_be_read(
    fake: Place, url: str, data: bytes, status: int
) -> None:
    path = begin(url, len(data))
    answer = patch(url, path, 0, data)
    assert_problem(answer, status)
    assert answer.headers["tus-resumable"] == "1.0.0"
    told = tell(url, path)
    assert (told["state"], told["status"]) == ("refused", status)
    assert (told["reason"], told["remedy"]) == (answer.body["detail"], answer.body["remedy"])
    assert head(url, path).status == 410
    assert all_keys(fake.store) == []


def test_a_refusal_can_be_read_in_the_readers_language_with_a_separate_remedy(fake: Place, url: str) -> None:
    path = begin(url, len(NO_PICTURES))
    answer = patch(url, path, 0, NO_PICTURES)
    told = {code: ask(url, "GET", path, b"", {"Accept-Language": code}).body for code in ("en", "de", "fr")}
    assert (answer.body["detail"], answer.body["remedy"]) == (
        "It has no moving pictures.",
        "Give a video that has some.",
    )
    assert (told["en"]["reason"], told["en"]["remedy"]) == (answer.body["detail"], answer.body["remedy"])
    assert (told["de"]["reason"], told["de"]["remedy"]) == (
        "Sie enthält keine bewegten Bilder.",
        "Wählen Sie ein Video, das welche hat.",
    )
    assert told["fr"] == told["en"]


def test_bytes_that_do_not_match_the_announced_checksum_are_460(fake: Place, url: str) -> None:
    assert_problem(upload(url, DATA, sha256="0" * 64), 460)
    assert upload(url, DATA, sha256=hashlib.sha256(DATA).hexdigest()).status == 204
    assert_problem(create(url, 9, filename="a.mp4", sha256="xyz"), 400, "sha256")
    assert len(all_keys(fake.store)) == 3


def test_a_piece_with_a_wrong_checksum_is_not_kept(fake: Place, url: str) -> None:
    path = begin(url, len(DATA))
    right = base64.b64encode(hashlib.sha1(DATA[:100]).digest()).decode()  # noqa: S324 - the protocol's
    assert_problem(patch(url, path, 0, DATA[1:101], Upload_Checksum=f"sha1 {right}"), 460)
    assert head(url, path).headers["upload-offset"] == "0"
    assert patch(url, path, 0, DATA[:100], Upload_Checksum=f"sha1 {right}").status == 204
    rest = base64.b64encode(hashlib.sha256(DATA[100:]).digest()).decode()
    last = patch(url, path, 100, DATA[100:], Upload_Checksum=f"sha256 {rest}")
    assert_is_there(fake, last.headers["frametally-video"])


@pytest.mark.thorough
@pytest.mark.parametrize("checksum", ["md5 AAAA", "sha1", "sha1 !!!", "", "sha1  "])
def test_an_invalid_checksum_is_400(url: str, checksum: str) -> None:
    assert_problem(patch(url, begin(url, 10), 0, b"x", Upload_Checksum=checksum), 400, "Upload-Checksum")


def test_a_piece_with_a_checksum_that_is_too_large_to_hold_back_is_413(url: str) -> None:
    path = begin(url, 30_000_000)
    answer = patch(url, path, 0, bytes(17_000_000), Upload_Checksum="sha1 AAAA")
    assert_problem(answer, 413)
    assert head(url, path).headers["upload-offset"] == "0"


def test_a_wrong_offset_version_type_or_upload_gives_its_own_error(url: str) -> None:
    path = begin(url, len(DATA))
    patch(url, path, 0, DATA[:10])
    for offset in (0, 9, 11, len(DATA)):
        wrong = patch(url, path, offset, DATA[10:20])
        assert_problem(wrong, 409, "byte 10")
    assert_problem(patch(url, path, 10, DATA[10:20], Tus_Resumable="0.2.2"), 412)
    answer = ask(url, "POST", UPLOADS, headers={"Upload-Length": "9"})
    assert_problem(answer, 412)
    assert answer.headers["tus-version"] == "1.0.0"
    assert_problem(patch(url, path, 10, DATA[10:20], Content_Type="video/mp4"), 415)
    assert_problem(patch(url, path, 10, DATA[10:20], Upload_Offset="ten"), 400)
    for unknown in ("x", "../videos", "00000000-0000-4000-8000-000000000000"):
        assert head(url, f"{UPLOADS}/{unknown}").status == 404
        assert_problem(ask(url, "GET", f"{UPLOADS}/{unknown}"), 404)
    assert head(url, path).headers["upload-offset"] == "10"


@pytest.mark.thorough
@pytest.mark.parametrize("length", ["", "-1", "1.5", "many", "9" * 30, "１"])  # noqa: RUF001 - a wide 1
def test_an_invalid_length_is_400(fake: Place, url: str, length: str) -> None:
    headers = {**VERSION, "Upload-Length": length.encode().decode("latin-1")}
    assert_problem(ask(url, "POST", UPLOADS, headers=headers), 400, "Upload-Length")
    assert all_keys(fake.store) == []


def test_an_empty_file_is_415(url: str) -> None:
    assert_problem(create(url, 0, filename="a.mp4"), 415, "empty")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "said",
    ["name", "name ====", "name !", "name YQ==,name YQ==", "name /w==", "colour YQ==", "filename YS8="],
)
def test_invalid_metadata_is_400(fake: Place, url: str, said: str) -> None:
    headers = {**VERSION, "Upload-Length": "9", "Upload-Metadata": said}
    answer = ask(url, "POST", UPLOADS, headers=headers)
    if said == "name":  # a key without a value is an empty one
        assert answer.status == 201
        return
    assert_problem(answer, 400)
    assert all_keys(fake.store) == []


def test_bytes_beyond_the_announced_length_are_refused_and_the_rest_is_kept(url: str) -> None:
    path = begin(url, 100)
    assert_problem(patch(url, path, 0, bytes(101)), 400, "more bytes than the 100 that it announced")
    chunks = (bytes(40) for _ in range(3))
    answer = ask(url, "PATCH", path, chunks, {**BYTES, "Upload-Offset": "0"})
    assert_problem(answer, 400)
    assert int(head(url, path).headers["upload-offset"]) <= 100


@pytest.mark.thorough
def test_an_upload_ended_by_its_client_is_gone(fake: Place, url: str) -> None:
    path = begin(url, len(DATA))
    patch(url, path, 0, DATA[:5000])
    assert ask(url, "DELETE", path, headers=VERSION).status == 204
    assert all_keys(fake.store) == []
    assert head(url, path).status == 410
    assert_problem(ask(url, "DELETE", path, headers=VERSION), 410)
    assert_problem(patch(url, path, 5000, DATA[5000:]), 410)
    assert tell(url, path)["state"] == "aborted"


def test_an_expired_upload_is_410(fake: Place, url: str) -> None:
    path = begin(url, len(DATA))
    record = find_upload(fake.store, path.rsplit("/", 1)[1])
    assert record is not None
    expired = msgspec.structs.replace(record, expires_at_ms=1)
    fake.store.put(record.key, encode(expired))
    assert head(url, path).status == 410
    assert_problem(patch(url, path, 0, DATA), 410, "too long")


def test_a_client_without_patch_can_override_the_method_with_a_header(fake: Place, url: str) -> None:
    path = begin(url, len(DATA))
    headers = {**BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    answer = ask(url, "POST", path, DATA, headers)
    assert_is_there(fake, answer.headers["frametally-video"])
    assert_problem(ask(url, "POST", path, DATA, {**BYTES, "Upload-Offset": "0"}), 405)


def test_a_client_that_reconnects_need_not_wait_until_the_server_notices_the_disconnection(
    fake: Place, url: str
) -> None:
    path = begin(url, len(DATA))
    with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as dead:
        named = "".join(f"{name}: {value}\r\n" for name, value in BYTES.items())
        dead.sendall(
            f"PATCH {path} HTTP/1.1\r\nHost: localhost\r\nUpload-Offset: 0\r\n{named}"
            f"Content-Length: {len(DATA)}\r\n\r\n".encode()
        )
        dead.sendall(DATA[:30_000])
        until(lambda: tell(url, path)["offset"] in (0, 30_000))

        def goes_on() -> Answered:
            offset = int(head(url, path).headers["upload-offset"])
            assert offset <= 30_000
            return patch(url, path, offset, DATA[offset:])

        last = goes_on()
        if last.status == 409:  # the first's bytes were written in between: it is asked again
            last = goes_on()
    assert_is_there(fake, last.headers["frametally-video"])


def test_an_upload_resumes_on_another_server_that_hashes_the_bytes_it_has_not_seen(
    fake: Place, serving: Serving
) -> None:
    first, second = serving(fake.app()), serving(fake.app())
    path = begin(first, len(DATA), sha256=hashlib.sha256(DATA).hexdigest())
    patch(first, path, 0, DATA[:30_000])
    patch(second, path, 30_000, DATA[30_000:60_000])
    last = patch(first, path, 60_000, DATA[60_000:])
    assert last.status == 204
    assert_is_there(fake, last.headers["frametally-video"])


@pytest.mark.parametrize("way", ["tus", "form"])
def test_a_server_that_stops_while_it_receives_logs_nothing_and_the_upload_resumes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    server, data = UploadServer(tmp_path), fake_video(size_bytes=4_000_000)
    if way == "tus":
        path = begin(server.url, len(data))
        body, head_lines = data, [f"PATCH {path} HTTP/1.1", "Upload-Offset: 0"]
        head_lines += [f"{name}: {value}" for name, value in BYTES.items()]
    else:
        body, content_type = form_of(data)
        head_lines = ["POST /api/videos/upload HTTP/1.1", f"Content-Type: {content_type}"]
    address = urlsplit(server.url)
    head_lines += [f"Host: {address.netloc}", f"Content-Length: {len(body)}", "", ""]
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:

        def send() -> None:
            connection.sendall("\r\n".join(head_lines).encode() + body[:2_000_000])
            with suppress(OSError):
                for at in range(2_000_000, len(body), 1000):
                    connection.sendall(body[at : at + 1000])
                    time.sleep(0.005)

        sending = threading.Thread(target=send)
        sending.start()
        until(lambda: way == "form" or tell(server.url, path)["offset"] > 0)
        until(lambda: bool(server.uploads()))
        server.stop()
        sending.join()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    if way == "form":
        assert server.uploads() == server.videos() == []
    else:
        server.start()
        offset = int(head(server.url, path).headers["upload-offset"])
        assert 0 < offset < len(data)
        video = patch(server.url, path, offset, data[offset:]).headers["frametally-video"]
        assert server.digest(video) == hashlib.sha256(data).hexdigest()
    server.close()


def test_eight_simultaneous_uploads_of_the_same_bytes_give_one_video(fake: Place, url: str) -> None:
    def as_form() -> tuple[str, bool]:
        answer = send_form(url, DATA)
        assert answer.status in (200, 201)
        return answer.body["id"], answer.body["known"]

    def by_tus() -> tuple[str, bool]:
        answer = upload(url, DATA)
        assert answer.status == 204
        return answer.headers["frametally-video"], answer.headers["frametally-known"] == "true"

    ended = at_once(*4 * [as_form, by_tus])
    assert len({video_id for video_id, _ in ended}) == 1
    assert sorted(known for _, known in ended) == [False] + [True] * 7
    assert_is_there(fake, ended[0][0])
    assert len(rows_and_jobs(fake.catalogue)) == 1
    assert len(fake.catalogue.jobs(ended[0][0])) == 4, "each once"


@pytest.mark.thorough
def test_an_upload_that_cannot_become_a_video_yet_becomes_one_later_by_itself(
    fake: Place, serving: Serving
) -> None:
    looks: list[str] = []

    def look(_: object, key: str, fields: Any, file_name: str) -> VideoFacts:
        looks.append(key)
        if len(looks) == 1:
            raise Retryable("it was ended from outside")
        return fake_look(fake.store, key, fields, file_name)

    fake.look = look
    url = serving(fake.app())
    path = begin(url, len(DATA))
    answer = patch(url, path, 0, DATA)
    assert_problem(answer, 503, path)
    assert answer.headers["retry-after"]
    there = head(url, path)  # which makes the client start again
    assert there.headers["upload-offset"] == str(len(DATA))
    until(lambda: tell(url, path)["state"] == "accepted")
    assert_is_there(fake, tell(url, path)["video_id"])


def test_uploads_left_by_a_killed_server_continue_when_the_next_one_starts(
    fake: Place, serving: Serving
) -> None:
    gone = fake.look
    fake.look = lambda *_: (_ for _ in ()).throw(Retryable("killed"))
    path = begin(first := serving(fake.app()), len(DATA))
    assert patch(first, path, 0, DATA).status == 503
    fake.look = gone
    second = serving(fake.app())
    until(lambda: not any(key.startswith("uploads/") for key in all_keys(fake.store)))
    assert_is_there(fake, tell(second, path)["video_id"])


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert not [one for one in threading.enumerate() if one.name == "uploads left over"]
