"""Each picture is a frame with a separate time; bad ones are set aside; those of a day share a manifest."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.examples import examples
from tests.producer.conftest import Bench, encode_picture

from frametally import keys
from frametally.errors import Misconfigured
from frametally.files.opencv import cv2, decode_image
from frametally.media.manifests import pictures_identity
from frametally_producer.media import pictures
from frametally_producer.reading import footage as media_files

NOON_MS = 1_777_636_800_000  # 2026-05-01T12:00:00Z
FILE_DATE_S = 1_772_600_767
NOON = {"taken": "2026:05:01 12:00:00", "offset": "+00:00"}


def test_a_picture_is_stored_upright_announced_and_noted(bench: Bench) -> None:
    path = bench.picture("My Pictures/a.jpg", orientation=6, **NOON)
    report = bench.produce(path.parent)
    assert (report.frames_announced, report.frames_known, report.skipped, report.notices) == (1, 0, [], [])
    [announcement] = bench.log.announcements
    file_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert announcement.image_path == keys.image_key("my-pictures", NOON_MS, file_sha256[:32], 0)
    assert (announcement.frame_index, announcement.captured_at_ms) == (0, NOON_MS)
    assert (announcement.time_source, announcement.source) == ("exif", "my-pictures")
    stored = bench.store.get(announcement.image_path)
    assert decode_image(stored, 10_000).shape == (64, 48, 3)
    assert (announcement.width_px, announcement.height_px) == (48, 64)
    assert (announcement.bytes, announcement.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
    [manifest] = bench.manifests()
    assert report.media == [manifest]
    assert manifest.sha256 == announcement.media == pictures_identity("my-pictures", "2026-05-01")
    assert manifest.sha256 == hashlib.sha256(b"pictures/my-pictures/2026-05-01").hexdigest()
    assert (manifest.kind, manifest.name) == ("pictures", str(path.parent))
    assert (manifest.source, manifest.source_name) == ("my-pictures", "My Pictures")
    assert (manifest.time_source, manifest.sampling, manifest.start_ms) == ("exif", "all", None)
    assert (manifest.first_captured_at_ms, manifest.last_captured_at_ms) == (NOON_MS, NOON_MS)
    assert (manifest.frames_expected, manifest.frames_put, manifest.frames_announced) == (1, 1, 1)
    assert manifest.state == "complete"
    assert manifest.announced_pictures == [f"{NOON_MS}-{file_sha256[:32]}"]


def test_only_the_pixels_of_the_file_are_stored(bench: Bench) -> None:
    path = bench.picture("pics/a.jpg", **NOON)
    path.write_bytes(path.read_bytes() + b"<script>alert(1)</script>")
    bench.produce(path.parent)
    stored = bench.store.get(bench.log.announcements[0].image_path)
    for foreign in (b"Exif", b"a camera", b"script"):
        assert foreign not in stored


@pytest.mark.thorough
def test_pictures_of_a_day_share_a_manifest(bench: Bench) -> None:
    times = ["2026:05:01 00:00:00", "2026:05:01 23:59:59", "2026:05:02 00:00:00"]
    for index, taken in enumerate(times):
        bench.picture(f"pics/deep/er/{index}.jpg", taken=taken, offset="+00:00", index=index)
    report = bench.produce(bench.folder / "pics")
    days = {keys.utc_day(m.first_captured_at_ms or 0): m.frames_announced for m in report.media}
    assert days == {"2026-05-01": 2, "2026-05-02": 1}
    # East of Greenwich the day differs.
    east = bench.produce(bench.folder / "pics/deep/er/0.jpg", source="east", timezone="Asia/Tokyo")
    assert keys.utc_day(east.media[0].first_captured_at_ms or 0) == "2026-05-01"


@pytest.mark.thorough
def test_producing_a_folder_again_announces_only_what_was_added(bench: Bench) -> None:
    for index in range(3):
        bench.picture(f"pics/{index}.jpg", index=index, **NOON)
    bench.produce(bench.folder / "pics")
    before = list(bench.log.effects)
    report = bench.produce(bench.folder / "pics")
    assert (report.frames_announced, report.frames_known) == (0, 3)
    assert [manifest.frames_announced for manifest in report.media] == [3]
    assert bench.log.effects == before
    bench.picture("pics/new.jpg", index=9, **NOON)
    report = bench.produce(bench.folder / "pics")
    assert (report.frames_announced, report.frames_known) == (1, 3)
    [manifest] = bench.manifests()
    assert (manifest.state, manifest.frames_expected, manifest.frames_announced) == ("complete", 4, 4)


def test_equal_pictures_are_one_frame_at_one_time_and_two_frames_at_two(bench: Bench) -> None:
    bench.picture("pics/a_20260501_120000.jpg")
    bench.picture("pics/b/a_20260501_120000.jpg")
    bench.picture("pics/a_20260501_120001.jpg")
    report = bench.produce(bench.folder / "pics", time_pattern="a_%Y%m%d_%H%M%S")
    assert report.frames_announced == 2
    [manifest] = report.media
    assert manifest.frames_expected == 2
    assert manifest.last_captured_at_ms == NOON_MS + 1000


@pytest.mark.thorough
def test_the_weakest_source_of_time_marks_the_day(bench: Bench) -> None:
    # Its file's date is 2026-03-04.
    bench.picture("pics/a.jpg", taken="2026:03:04 12:00:00", offset="+00:00")
    assert bench.produce(bench.folder / "pics").media[0].time_source == "exif"
    bench.picture("pics/b.jpg", index=1)
    bench.picture("pics/c.jpg", index=2, taken="2026:03:04 13:00:00", offset="+00:00")
    report = bench.produce(bench.folder / "pics")
    assert [manifest.time_source for manifest in report.media] == ["file_time"]
    assert {a.time_source for a in bench.log.announcements} == {"exif", "file_time"}


def test_remarks_about_times_appear_once_and_not_for_each_picture(bench: Bench) -> None:
    for index in range(4):
        bench.picture(f"pics/dated{index}.jpg", index=index)
        bench.picture(f"pics/naive{index}.jpg", index=index, taken="2026:03:29 02:30:00")
    report = bench.produce(bench.folder / "pics", timezone="Europe/Berlin")
    assert report.frames_announced == 8
    file_time, naive, skipped = report.notices
    assert file_time.startswith(
        f"{bench.folder}/pics/dated0.jpg (3 more like this): neither the file nor its name contains a time"
    )
    assert bench.progress.lines == report.notices
    assert naive.startswith(f"{bench.folder}/pics/naive0.jpg (3 more like this)")
    assert "read in Europe/Berlin" in naive
    assert "does not exist in Europe/Berlin" in skipped


def test_pictures_without_a_time_are_refused_if_file_dates_are(bench: Bench) -> None:
    path = bench.picture("pics/a.jpg")
    [skipped] = bench.produce(path.parent, file_time=False).skipped
    assert skipped.name == str(path)
    assert "--time-pattern" in skipped.reason
    assert bench.manifests() == []


def test_preprocessed_pictures_are_kept_as_files_on_request(bench: Bench, tmp_path: Path) -> None:
    bench.picture("pics/a.png", format="PNG", size_px=(200, 100), **NOON)
    extracted = tmp_path / "extracted"
    bench.produce(tmp_path / "pics", source="Cam 7", extracted_dir=extracted, max_side_px=50, jpeg_quality=70)
    [announcement] = bench.log.announcements
    assert (announcement.width_px, announcement.height_px) == (50, 25)
    [kept] = [path for path in extracted.rglob("*") if path.is_file()]
    assert kept == extracted / "cam-7" / announcement.image_path.rpartition("/")[2]
    assert kept.read_bytes() == bench.store.get(announcement.image_path)


@pytest.mark.thorough
def test_a_lower_quality_makes_smaller_frames(bench: Bench) -> None:
    path = bench.picture("pics/a.jpg", size_px=(320, 240), **NOON)
    sizes = []
    for quality in (95, 40):
        bench.produce(path, source=f"q{quality}", jpeg_quality=quality)
        sizes.append(bench.log.announcements[-1].bytes)
    assert sizes[1] < sizes[0]


def test_an_unwritable_folder_for_extracted_pictures_is_reported(bench: Bench, tmp_path: Path) -> None:
    bench.picture("pics/a.jpg", **NOON)
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="make its folder writable"):
        bench.produce(tmp_path / "pics", extracted_dir=tmp_path / "file")


BAD = {
    "cut.jpg": lambda whole: whole[: len(whole) // 2],
    "empty.jpg": lambda whole: b"",
    "notes.jpg": lambda whole: b"buy milk",
    "no_header.png": lambda whole: b"\x89PNG\r\n\x1a\n" + bytes(50),
    "movie.jpg": lambda whole: bytes(4) + b"ftypisom" + bytes(100),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_named_with_a_reason_and_the_others_are_produced(bench: Bench, name: str) -> None:
    good = bench.picture("pics/good.jpg", **NOON)
    bad = good.with_name(name)
    bad.write_bytes(BAD[name](good.read_bytes()))
    report = bench.produce(good.parent)
    [skipped] = report.skipped
    assert skipped.name == str(bad)
    assert "\n" not in skipped.reason
    assert report.frames_announced == 1
    [manifest] = bench.manifests()
    assert (manifest.state, manifest.frames_expected) == ("complete", 1)


def test_a_picture_with_too_many_pixels_is_named_and_the_others_are_produced(bench: Bench) -> None:
    bench.picture("pics/good.jpg", **NOON)
    large = bench.picture("pics/large.jpg", size_px=(1100, 1000), **NOON)
    report = bench.produce(large.parent, max_image_megapixels=1)
    assert [skipped.name for skipped in report.skipped] == [str(large)]
    assert "1100x1000 pixels, but at most 1 million are allowed" in report.skipped[0].reason
    assert report.frames_announced == 1


def test_a_folder_of_only_bad_pictures_leaves_no_manifest(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics/notes.jpg").write_bytes(b"buy milk")
    report = bench.produce(tmp_path / "pics")
    assert (report.media, report.frames_announced, len(report.skipped)) == ([], 0, 1)
    assert bench.manifests() == []


def test_a_device_a_pipe_and_a_dangling_link_are_named_and_not_waited_for(
    bench: Bench, tmp_path: Path
) -> None:
    bench.picture("pics/good.jpg", **NOON)
    os.mkfifo(tmp_path / "pics/pipe.jpg")
    (tmp_path / "pics/device.jpg").symlink_to("/dev/zero")
    (tmp_path / "pics/device.mp4").symlink_to("/dev/zero")
    (tmp_path / "pics/nothing.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "pics/loop.jpg").symlink_to(tmp_path / "pics/loop.jpg")
    report = bench.produce(tmp_path / "pics")
    reasons = {Path(skipped.name).name: skipped.reason for skipped in report.skipped}
    assert set(reasons) == {"pipe.jpg", "device.jpg", "device.mp4", "nothing.jpg", "loop.jpg"}
    for name in ("pipe.jpg", "device.jpg", "device.mp4"):
        assert "give a regular file" in reasons[name]
    for name in ("nothing.jpg", "loop.jpg"):
        assert "cannot be read" in reasons[name]
    assert report.frames_announced == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(bench: Bench) -> None:
    path = bench.picture("pics/secret.jpg", **NOON)
    path.chmod(0)
    [skipped] = bench.produce(path.parent).skipped
    assert "that you have permission to read it" in skipped.reason


def test_a_damaged_manifest_is_named_with_the_remedy_and_other_days_go_on(bench: Bench) -> None:
    bad = bench.picture("pics/a.jpg", **NOON)
    bench.picture("pics/b.jpg", taken="2026:05:02 12:00:00")
    key = keys.media_key(pictures_identity("pics", "2026-05-01"))
    bench.store.put(key, b"{")
    report = bench.produce(bad.parent)
    [skipped] = report.skipped
    assert skipped.name == str(bad)
    assert key in skipped.reason
    assert report.frames_announced == 1


def test_progress_counts_pictures(bench: Bench) -> None:
    for index in range(3):
        bench.picture(f"pics/{index}.jpg", index=index, **NOON)
    bench.produce(bench.folder / "pics")
    name = str(bench.folder / "pics")
    assert bench.progress.updates == [(done, 3, name) for done in range(4)]


@pytest.mark.thorough
@settings(max_examples=examples(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=4))
def test_each_picture_is_announced_once_however_pictures_are_grouped(
    bench: Bench, portions: list[set[int]]
) -> None:
    bench.store.__init__()
    bench.log.__init__(bench.store.effects)
    for portion in portions:
        paths = [
            bench.picture(f"{index}.jpg", index=index, taken=f"2026:05:0{1 + index % 3} 12:00:0{index}")
            for index in portion
        ]
        bench.produce(*paths, source="cam")
    paths = [announcement.image_path for announcement in bench.log.announcements]
    assert len(paths) == len(set(paths)) == len(set().union(*portions))
    assert sum(manifest.frames_announced for manifest in bench.manifests()) == len(paths)
    assert {manifest.state for manifest in bench.manifests()} <= {"complete"}


@pytest.mark.parametrize("size_px", [(65_501, 1), (1, 65_535)])
def test_a_side_too_long_for_a_jpeg_is_one_line_and_the_other_pictures_count(
    bench: Bench, size_px: tuple[int, int]
) -> None:
    for index in range(5):
        bench.picture(f"pics/{index}.jpg", taken=f"2026:05:01 12:00:0{index}", offset="+00:00", index=index)
    wide = bench.folder / "pics/2.png"
    Image.new("RGB", size_px).save(wide)
    os.utime(wide, (NOON_MS // 1000 + 86_400, NOON_MS // 1000 + 86_400))
    report = bench.produce(bench.folder / "pics")
    assert report.frames_announced == 5
    [skipped] = report.skipped
    assert skipped.name == str(wide)
    assert skipped.reason.endswith("a JPEG's sides can have at most 65500; --max-side-px 65500 shrinks it")
    assert [(m.state, m.frames_expected) for m in bench.manifests()] == [("complete", 5)], "nothing is due"
    shrunk = bench.produce(bench.folder / "pics", max_side_px=65_500)
    assert (shrunk.frames_announced, shrunk.frames_known, shrunk.skipped) == (1, 5, [])


@pytest.mark.thorough
def test_each_picture_that_cannot_be_encoded_is_a_line_and_leaves_nothing_expected(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.picture("pics/a.jpg", **NOON)
    with monkeypatch.context() as patch:
        patch.setattr(cv2, "imencode", lambda *given: (False, np.empty(0, np.uint8)))
        report = bench.produce(bench.folder / "pics")
    assert [skipped.name for skipped in report.skipped] == [str(bench.folder / "pics/a.jpg")]
    assert [(m.state, m.frames_expected) for m in bench.manifests()] == [("complete", 0)]
    assert bench.produce(bench.folder / "pics").frames_announced == 1


def test_a_file_too_large_for_a_picture_is_refused_before_it_is_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bench.picture("pics/a.jpg", **NOON)
    with path.open("r+b") as file:
        file.truncate(10 << 30)  # sparse
    monkeypatch.setattr(media_files.hashlib, "sha256", lambda: pytest.fail("it is hashed"))
    [skipped] = bench.produce(bench.folder / "pics").skipped
    assert "is larger than a picture of 64x48 pixels can be" in skipped.reason


@pytest.mark.thorough
def test_pictures_without_a_time_of_their_own_count_once_whatever_happens_to_their_file_dates(
    bench: Bench,
) -> None:
    for index in range(5):
        bench.picture(f"pics/{index}.jpg", index=index)
    bench.produce(bench.folder / "pics", source="cam")
    shutil.copytree(bench.folder / "pics", bench.folder / "copy", copy_function=shutil.copyfile)
    for path in (bench.folder / "pics").iterdir():
        os.utime(path, (FILE_DATE_S + 90_000, FILE_DATE_S + 90_000))
    for folder in ("pics", "copy", "pics"):
        report = bench.produce(bench.folder / folder, source="cam")
        assert (report.frames_announced, report.frames_known, report.skipped) == (0, 5, [])
        if folder == "copy":
            [notice] = [line for line in report.notices if "another file date" in line]
            assert "(4 more like this)" in notice
    assert [manifest.frames_announced for manifest in bench.manifests()] == [5]
    # In another source the same pictures are other frames, with their current time.
    assert bench.produce(bench.folder / "pics", source="other").frames_announced == 5


def test_two_pictures_with_one_time_and_the_same_first_48_bits_of_their_hash_are_two_frames(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(2):
        bench.picture(f"pics/{index}.jpg", index=index, **NOON)
    plain = pictures.sha256_of
    monkeypatch.setattr(pictures, "sha256_of", lambda file: "0123456789ab" + plain(file)[12:])
    report = bench.produce(bench.folder / "pics")
    assert report.frames_announced == 2
    assert len({announcement.image_path for announcement in bench.log.announcements}) == 2


def _write_several(path: Path, format: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    pages = [Image.new("RGB", (64, 48), (level, ord(path.name[0]), 0)) for level in (0, 90, 180)]
    pages[0].save(path, format, save_all=True, append_images=pages[1:])
    os.utime(path, (FILE_DATE_S, FILE_DATE_S))
    return path


@pytest.mark.thorough
def test_the_first_of_several_pictures_in_a_file_is_counted_and_a_line_says_so(bench: Bench) -> None:
    for name, format in {"a.tif": "TIFF", "b.tif": "TIFF", "c.jpg": "MPO"}.items():
        _write_several(bench.folder / "pics" / name, format)
    stream = b"".join(encode_picture(index=index) for index in range(3))
    (bench.folder / "pics" / "d.jpg").write_bytes(stream)
    report = bench.produce(bench.folder / "pics")
    [line] = [line for line in report.notices if "holds" in line]
    assert "a.tif (3 more like this): holds 3 pictures; frametally counts the first only" in line
    assert (report.frames_announced, report.skipped) == (4, [])


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_an_animation_is_refused_with_a_remedy(bench: Bench, format: str) -> None:
    path = _write_several(bench.folder / f"a.{format.lower()}", format)
    [(_, line)] = bench.produce(path).skipped
    assert line == "is an animation of 3 pictures; convert it to a video, for example to MP4"
