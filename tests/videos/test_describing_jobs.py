"""Jobs that look at a video and write down what they found: what they leave in the store, and what never."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.fakes import scenes
from tests.fakes.footage import PLACE, make_file, moving
from tests.videos.test_jobs import START, Shop, shop

from frametally import keys
from frametally.media.manifests import find_manifest
from frametally.records import decode_at, encode
from frametally.settings.loading import load_settings
from frametally_videos.checking.video_quality import MADE_BY as CHECKED_BY
from frametally_videos.describing.video_metadata import MADE_BY
from frametally_videos.library.edits import edit_video
from frametally_videos.media_records import VideoMetadata, VideoQuality
from frametally_videos.records import VideoRecord

__all__ = ["shop"]


def metadata(shop: Shop, video: VideoRecord) -> VideoMetadata:
    key = keys.metadata_key(video.id)
    return decode_at(key, shop.store.get(key), VideoMetadata)


@pytest.mark.thorough
def test_what_is_told_of_a_video_is_of_its_record_and_of_todays_version(
    shop: Shop, make_video: Callable[..., Path]
) -> None:
    video = shop.upload_for("metadata", make_video("a.mp4", 20), start_time=START)
    shop.work()
    found = metadata(shop, video)
    assert (found.video_id, found.sha256, found.size_bytes) == (video.id, video.sha256, video.size_bytes)
    assert (found.made_by, found.pictures[0].frames_counted) == (MADE_BY, 20)
    assert (found.started_at_ms, found.time_source) == (video.facts.started_at_ms, "start_time")
    assert shop.made(video, "metadata").size_bytes == len(shop.store.get(found.key))


@pytest.mark.thorough
def test_what_another_version_told_is_replaced(shop: Shop, make_video: Callable[..., Path]) -> None:
    video = shop.upload_for("metadata", make_video("a.mp4", 20), start_time=START)
    shop.work()
    told = metadata(shop, video)
    for other in (encode(msgspec.structs.replace(told, made_by="0, FFmpeg 1.0", had_location=True)), b"{"):
        shop.store.put(told.key, other)
        shop.catalogue.queue(video.id, "metadata")
        shop.work()
        assert metadata(shop, video) == told


@pytest.mark.thorough
def test_a_time_that_is_said_later_is_in_the_metadata_then(
    shop: Shop, make_video: Callable[..., Path]
) -> None:
    video = shop.upload_for("metadata", make_video("a.mp4", 20), start_time=START)
    shop.work()
    later = edit_video(
        shop.store,
        shop.catalogue,
        load_settings("web", data_dir=shop.settings.data_dir),
        video.id,
        {"start_time": "2026-03-02T10:00:00Z"},
        name_source=lambda name: (name, name),
    )
    shop.work()
    assert metadata(shop, video).started_at_ms == later.facts.started_at_ms


@pytest.mark.thorough
def test_where_a_video_was_filmed_is_in_no_object_but_the_original(shop: Shop, tmp_path: Path) -> None:
    places = {"location": PLACE, "com.apple.quicktime.location.ISO6709": PLACE, "comment": f"at {PLACE}"}
    tags = {"movflags": "use_metadata_tags"}
    path = make_file(tmp_path / "a.mov", moving(20), metadata=places, container_options=tags)
    assert PLACE.encode() in path.read_bytes()
    video = shop.upload(path, start_time=START)
    shop.work()
    assert metadata(shop, video).had_location
    holding = [
        info.key for info in shop.store.list("") if b"48.1372" in shop.store.get(info.key).replace(b" ", b"")
    ]
    assert holding == [keys.original_key(video.id)]
    catalogue = shop.settings.data_dir / "catalogue.sqlite"
    assert b"48.1372" not in b"".join(
        part.read_bytes() for part in catalogue.parent.glob("catalogue.sqlite*")
    )


def quality(shop: Shop, video: VideoRecord) -> VideoQuality:
    key = keys.quality_of_video_key(video.id)
    return decode_at(key, shop.store.get(key), VideoQuality)


def test_a_video_that_fails_a_check_is_counted_all_the_same(shop: Shop, tmp_path: Path) -> None:
    video = shop.upload(make_file(tmp_path / "a.mp4", scenes.black(50)), start_time=START)
    assert shop.work().failed == []
    found = quality(shop, video)
    assert [check.name for check in found.checks if not check.passed] == ["black"]
    assert shop.made(video, "quality").size_bytes == len(shop.store.get(found.key))
    manifest = find_manifest(shop.store, video.sha256)
    assert manifest is not None
    assert (manifest.state, manifest.frames_announced) == ("complete", 10)
    assert shop.job(video, "checks").state == "done"


@pytest.mark.thorough
def test_pictures_are_looked_at_once_by_each_version_and_the_clock_each_time(
    shop: Shop, tmp_path: Path
) -> None:
    video = shop.upload_for("checks", make_file(tmp_path / "a.mp4", scenes.street(50)), start_time=START)
    shop.work()
    found = quality(shop, video)
    assert (found.made_by, found.passed) == (CHECKED_BY, True)
    # What is there is taken for what was seen: the pictures are not asked again.
    blurred = msgspec.structs.replace(
        found, checks=[msgspec.structs.replace(one, sentence="Seen.") for one in found.checks]
    )
    for made_by, seen in ((CHECKED_BY, 11), ("0, FFmpeg 1.0", 0)):
        shop.store.put(found.key, encode(msgspec.structs.replace(blurred, made_by=made_by)))
        shop.catalogue.queue(video.id, "checks")
        shop.work()
        assert sum(check.sentence == "Seen." for check in quality(shop, video).checks) == seen
    assert quality(shop, video) == found
