"""Originals that end by their age, and those that doctor --deep finds damaged."""

import hashlib
import io
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
from frametally.video_records import VideoFacts, VideoFields, VideoRecord
from frametally.videos.retention import remove_old_originals
from frametally_cli.options.ports import open_ports
from frametally_cli.scrub.checks import deep_rows
from frametally_cli.scrub.stored_originals import check_originals

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
