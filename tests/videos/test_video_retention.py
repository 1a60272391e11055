"""What of uploaded videos ends by its age or on command, and what doctor --deep finds damaged."""

import hashlib
import io
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.fakes.memory import ManualClock, MemoryStore
from tests.fakes.records import make_manifest

from frametally import keys
from frametally.opening import open_object_store
from frametally.process.reports import NoProgress
from frametally.records import encode
from frametally.rules.times import DAY_S
from frametally.settings.loading import load_settings
from frametally_cli.main import main
from frametally_cli.options.ports import open_ports
from frametally_cli.scrub.checks import deep_rows
from frametally_cli.scrub.unnamed_images import check_images
from frametally_videos.hooks.checks import check_originals
from frametally_videos.library.retention import remove_old_originals
from frametally_videos.opening import open_video_catalogue
from frametally_videos.records import UploadRecord, VideoContent, VideoFacts, VideoFields, VideoRecord

FACTS = VideoFacts(
    container="mp4",
    content_type="video/mp4",
    codec="h264",
    width_px=64,
    height_px=48,
    fps=25.0,
    duration_s=1.5,
    frames=38,
    has_sound=False,
    plays_in_browsers=True,
)


def a_video(number: int, data: bytes) -> VideoRecord:
    return VideoRecord(
        id=f"{number:08d}-1111-4111-8111-111111111111",
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        name="Cam",
        file_name="cam.mp4",
        source="cam",
        source_name="Cam",
        fields=VideoFields(),
        facts=FACTS,
        uploaded_at_ms=0,
    )


def test_an_original_ends_after_its_days_once_its_frames_are_taken_and_all_else_stays() -> None:
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    states = {1: "complete", 2: "producing", 3: None, 4: "complete"}
    for number, state in states.items():
        clock.now_s = 5.0 * DAY_S if number == 4 else 0.0
        video = a_video(number, b"video %d" % number)
        store.put(keys.original_key(video.id), b"video %d" % number)
        store.put(video.key, encode(video))
        store.put(keys.preview_key(video.id, "poster-00000000.jpg"), b"poster")
        if state is not None:
            manifest = msgspec.structs.replace(make_manifest(1), sha256=video.sha256, state=state)
            store.put(manifest.key, encode(manifest))
    no_videos = keys.original_key("99999999-1111-4111-8111-111111111111")
    store.put(no_videos, b"of an upload that is not over")
    before = {info.key for info in store.list("")}
    now_ms = 7 * DAY_S * 1000
    assert remove_old_originals(store, days=0, now_ms=now_ms) == []
    assert remove_old_originals(store, days=7, now_ms=now_ms) == []
    assert remove_old_originals(store, days=3, now_ms=now_ms) == [a_video(1, b"video 1").id]
    assert {info.key for info in store.list("")} == before - {keys.original_key(a_video(1, b"").id)}
    assert remove_old_originals(store, days=3, now_ms=now_ms) == []


def upload_of(video: VideoRecord) -> UploadRecord:
    return UploadRecord(
        id=video.id,
        video_id=video.id,
        kind="resumable",
        length_bytes=9,
        file_name="cam.mp4",
        fields=VideoFields(),
        created_at_ms=0,
        expires_at_ms=2**50,
    )


def test_unnamed_images_are_also_those_of_uploads_that_are_gone_or_whose_frames_were_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(data_dir=tmp_path)
    store = open_object_store(settings.store_url)
    forgotten, counted, waiting, gone, coming = (a_video(number, b"%d" % number) for number in range(1, 6))
    for video in (forgotten, counted, waiting, gone, coming):
        store.put(keys.original_key(video.id), b"original")
        store.put(keys.preview_key(video.id, "poster-00000000.jpg"), b"poster")
    for video in (forgotten, counted, waiting):
        store.put(video.key, encode(video))
    for video in (forgotten, counted):
        manifest = msgspec.structs.replace(make_manifest(1), sha256=video.sha256, state="complete")
        store.put(manifest.key, encode(manifest))
    claim = VideoContent(sha256=forgotten.sha256, video_id=forgotten.id, upload_id=forgotten.id)
    store.put(claim.key, encode(claim))
    store.put(upload_of(coming).key, encode(upload_of(coming)))
    kept = {info.key for info in store.list("") if forgotten.id not in info.key and gone.id not in info.key}
    with closing(open_video_catalogue(settings.catalogue_url)) as catalogue:
        catalogue.put_video(forgotten, "1")
        catalogue.set_video(forgotten.id, state="ready")
    assert main(["forget", forgotten.sha256, "--yes", "--data-dir", str(tmp_path)]) == 0
    with closing(open_video_catalogue(settings.catalogue_url)) as catalogue:
        row = catalogue.video(forgotten.id)
        assert row is not None
        assert row.state == "received"  # looked at again, and not ready any more
    capsys.readouterr()
    with open_ports(settings) as ports:
        rows = [row for row in check_images(ports, NoProgress()) if row.name == gone.id]
    assert [row.value for row in rows] == ["2 objects of an uploaded video that is gone, 0.0 MB"]

    assert main(["forget", "--unnamed-images", "--yes", "--data-dir", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"{gone.id}: 2 objects of an uploaded video that is gone" in said
    assert "Cam (source Cam): an uploaded video whose frames were forgotten" in said
    assert said.endswith("deleted: 2 pictures that no medium names, 1 uploaded videos\n")
    left = {info.key for info in store.list("") if not info.key.startswith(keys.TOMBSTONES)}
    assert left == kept - {keys.media_key(forgotten.sha256), claim.key}


@pytest.mark.thorough
def test_doctor_deep_names_an_original_whose_bytes_are_others_and_misses_none_that_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    settings = load_settings(data_dir=tmp_path)
    store = open_object_store(settings.store_url)
    data = bytes(9_000_000)
    for number in (1, 2, 3):
        video = a_video(number, data)
        store.put(video.key, encode(video))
        if number != 3:
            store.put(keys.original_key(video.id), data)
    with open_ports(settings) as ports:
        assert [row[:3] for row in check_originals(ports, NoProgress())] == [("originals", "all", "2 read")]
        damaged = keys.original_key(a_video(2, data).id)
        store.put(damaged, data[:-1] + b"\x01")
        store.put(keys.video_key(a_video(1, data).id), b"no record")
    bad = {row.name: row for row in deep_rows(settings) if not row.good}
    assert set(bad) == {damaged, keys.video_key(a_video(1, data).id)}
    assert bad[damaged].area == "originals"
    assert "restore it from a backup" in bad[damaged].remedy
