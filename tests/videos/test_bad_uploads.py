"""Files that are not videos, or unusable ones, are refused by the real look into their bytes, and
not kept."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path

import pytest
from tests.examples import first_quick
from tests.videos.uploading import send_form, upload
from tests.videos.video_records import all_keys, keys_of_video
from tests.web.conftest import Place, Serving

from frametally.adapters_by_url import open_object_store
from frametally_videos.uploads.acceptance import read_video

pytestmark = pytest.mark.thorough

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
try:
    from make_corpus import sound, video, wide_frames
finally:
    sys.path.pop(0)


def zipped() -> bytes:
    """An archive bomb, with another inside."""
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("clip.mp4", bytes(10_000_000))
    with zipfile.ZipFile(outer, "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
    return outer.getvalue()


NO_VIDEOS = {
    "archive": zipped(),
    "paper": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "playlist": b"#EXTM3U\n#EXTINF:5,\nfile:///etc/passwd\n",
    "manifest": b"<?xml version='1.0'?><MPD><Period><BaseURL>http://127.0.0.1:9/</BaseURL></Period></MPD>",
    "list of files": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "drawing": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
    "page": b"<!doctype html><script>alert(1)</script>",
    "text": b"buy milk\n" * 100,
    "zeros": bytes(100_000),
}


@pytest.fixture
def url(place: Place, tmp_path: Path, serving: Serving) -> str:
    # The look is another process, which reads stored files.
    folder = tmp_path / "store"
    place.store = open_object_store(folder.as_uri())
    return serving(place.app(store_url=folder.as_uri(), data_dir=tmp_path))


@pytest.mark.parametrize("kind", first_quick(NO_VIDEOS))
def test_a_file_that_is_not_a_video_is_refused_whatever_its_name_and_leaves_nothing(
    place: Place, url: str, kind: str
) -> None:
    for answer in (upload(url, NO_VIDEOS[kind]), send_form(url, NO_VIDEOS[kind])):
        assert answer.status == 415
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.body["detail"]
        assert answer.body["remedy"]
    assert all_keys(place.store) == []


@pytest.mark.parametrize("kind", ["sound alone", "too many pixels", "cut before its index"])
def test_an_unusable_video_is_refused_and_leaves_nothing(place: Place, url: str, kind: str) -> None:
    film = {
        "sound alone": sound("mp4"),
        "too many pixels": wide_frames(1000),
        "cut before its index": video(30, kind="mp4", codec="libx264")[:2000],
    }[kind]
    answer = upload(url, film)
    assert answer.status == 422, answer
    assert answer.body["detail"]
    assert all_keys(place.store) == []


def test_a_real_video_is_accepted_and_its_bytes_decide_its_type(place: Place, url: str) -> None:
    said = {"start_time": "2026-05-01T08:00:00", "timezone": "Europe/Berlin"}
    answer = send_form(url, video(30, kind="mp4", codec="libx264"), file_name="Gate.avi", **said)
    assert answer.status == 201, answer
    taken = read_video(place.store, answer.body["id"])
    assert (taken.facts.container, taken.facts.content_type) == ("mp4", "video/mp4")
    assert (taken.facts.started_at_ms, taken.facts.time_source) == (1_777_615_200_000, "start_time")
    assert all_keys(place.store) == keys_of_video(place.store, taken.id)
