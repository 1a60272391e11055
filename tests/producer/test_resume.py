"""An interrupted video is resumed where it stopped, with the same bytes as without a stop."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.examples import first_quick
from tests.producer.conftest import Bench

from frametally_producer.writing import frames, manifest, seen_files

VIDEOS = {
    "B-frames, open groups": (
        "a.mp4",
        {"codec": "libx264", "options": {"g": "30", "x264-params": "open-gop=1"}},
    ),
    "gradual refresh": (
        "a.mkv",
        {"codec": "libx264", "options": {"g": "40", "x264-params": "intra-refresh=1"}},
    ),
    "groups of one frame": ("a.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "MPEG-4": ("a.mp4", {"codec": "mpeg4", "options": {"g": "25"}}),
    "VP9": (
        "a.webm",
        {"codec": "libvpx-vp9", "options": {"g": "40", "deadline": "realtime", "cpu-used": "8"}},
    ),
    "AVI": ("a.avi", {"codec": "mpeg4", "options": {"g": "25"}}),
}
FRAMES = 360


@pytest.fixture(autouse=True)
def notes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_ANNOUNCE_FRAMES", 20)
    monkeypatch.setattr(frames, "_ANNOUNCE_S", float("inf"))
    monkeypatch.setattr(manifest, "NOTE_EVERY_S", 0)
    monkeypatch.setattr(seen_files, "_SETTLED_NS", -1_000_000_000_000)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Indices of the frames that calls encode and put."""
    indices: list[int] = []
    whole = frames.FrameWriter.add

    def noted(self: frames.FrameWriter, frame: frames.NewFrame) -> None:
        indices.append(frame.frame_index)
        whole(self, frame)

    monkeypatch.setattr(frames.FrameWriter, "add", noted)
    return indices


def images(bench: Bench) -> dict[str, bytes]:
    return {info.key: bench.store.get(info.key) for info in bench.store.list("images")}


def other_bench(bench: Bench, name: str) -> Bench:
    return type(bench)(bench.folder / name)


@pytest.mark.parametrize("kind", first_quick(VIDEOS))
@pytest.mark.parametrize("sampling", first_quick(["3", "all"]))
def test_a_resumed_video_ends_as_if_it_had_never_stopped(
    bench: Bench, encoded: list[int], kind: str, sampling: str
) -> None:
    name, options = VIDEOS[kind]
    path = bench.video(name, FRAMES, noise=True, **options)
    bench.log.fail_at = 15 if sampling == "all" else 5
    with pytest.raises(BaseException, match="at a batch"):
        bench.produce(path, sample_fps=sampling, start_time="2026-05-01T06:00:00Z")
    bench.log.fail_at = 0
    noted = bench.manifests()[0].frames_announced
    encoded.clear()
    report = bench.produce(path, sample_fps=sampling, start_time="2026-05-01T06:00:00Z")
    assert noted > 0
    assert len(encoded) == len(set(encoded)) == report.frames_announced, "a frame that was known was encoded"
    undisturbed = other_bench(bench, "undisturbed")
    undisturbed.produce(path, sample_fps=sampling, start_time="2026-05-01T06:00:00Z")
    assert images(bench) == images(undisturbed)
    assert bench.manifests() == undisturbed.manifests()
    assert (report.frames_known, report.skipped) == (noted, [])
    assert {a.image_path: a for a in bench.log.announcements} == {
        a.image_path: a for a in undisturbed.log.announcements
    }


@pytest.mark.thorough
def test_a_half_finished_video_is_produced_whole_after_another_sampling_or_a_forget(bench: Bench) -> None:
    path = bench.video("a.mp4", FRAMES, noise=True, options={"g": "25"})
    bench.log.fail_at = 5
    with pytest.raises(BaseException, match="at a batch"):
        bench.produce(path, sample_fps="3")
    bench.log.fail_at = 0
    bench.produce(path, sample_fps="all")
    assert set(bench.announced()) == set(range(FRAMES))

    bench.log.announcements.clear()
    [manifest_key] = [info.key for info in bench.store.list("media")]
    bench.store.delete(manifest_key)
    bench.produce(path, sample_fps="all")
    assert set(bench.announced()) == set(range(FRAMES))


def test_a_finished_file_is_not_even_opened_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.video("yard/a.mp4", 20, metadata={"creation_time": "2026-05-01T06:00:00Z"})
    bench.picture("yard/b.jpg", taken="2026:05:01 08:00:00", offset="+02:00")
    first = bench.produce(bench.folder / "yard")

    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} is opened")

    monkeypatch.setattr("frametally_producer.media.videos.open_medium", refuse)
    monkeypatch.setattr("frametally_producer.media.pictures.open_medium", refuse)
    again = bench.produce(bench.folder / "yard")
    assert again.frames_known == first.frames_announced == 11
    assert (again.frames_announced, again.skipped) == (0, [])
    assert (bench.standings[-1].files_known, bench.standings[-1].files_total) == (2, 2)


@pytest.mark.thorough
def test_a_changed_file_of_the_same_size_and_date_is_not_taken_for_the_old_one(bench: Bench) -> None:
    path = bench.picture("yard/b.bmp", format="BMP", index=1)
    bench.produce(path)
    size_bytes, date_ns = path.stat().st_size, path.stat().st_mtime_ns
    bench.picture("yard/b.bmp", format="BMP", index=2)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (size_bytes, date_ns)
    assert bench.produce(path).frames_announced == 1


def test_a_file_that_changed_a_moment_ago_is_not_remembered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_files, "_SETTLED_NS", 3_600_000_000_000)
    path = bench.picture("b.jpg")
    bench.produce(path)
    with closing(seen_files.SeenFiles(bench.folder / "data")) as seen:
        assert seen.find(path, seen_files.stamp_of(path.stat())) is None


@pytest.mark.thorough
def test_the_memory_of_files_is_checked_against_the_manifests(bench: Bench) -> None:
    bench.video("yard/a.mp4", 20)
    bench.picture("yard/b.jpg")
    first = bench.produce(bench.folder / "yard")
    emptied = other_bench(bench, ".")
    assert emptied.settings().data_dir == bench.settings().data_dir
    assert emptied.produce(bench.folder / "yard").frames_announced == first.frames_announced


@pytest.mark.parametrize("bytes_left", [0, 100, 5000])
def test_a_damaged_cache_costs_only_time(bench: Bench, bytes_left: int) -> None:
    path = bench.video("a.mp4", 20, metadata={"creation_time": "2026-05-01T06:00:00Z"})
    bench.produce(path)
    cache = bench.folder / "data" / seen_files.FILE_NAME
    cache.write_bytes(cache.read_bytes()[:bytes_left] + b"\xff" * bytes_left)
    for _ in range(2):
        report = bench.produce(path)
        assert (report.frames_announced, report.frames_known, report.skipped) == (0, 10, [])


def test_a_note_of_a_file_damaged_on_disk_is_not_believed(bench: Bench) -> None:
    path = bench.video("a.mp4", 20, metadata={"creation_time": "2026-05-01T06:00:00Z"})
    bench.produce(path)
    with closing(sqlite3.connect(bench.folder / "data" / seen_files.FILE_NAME)) as connection, connection:
        assert connection.execute("UPDATE file SET sha256 = '0' || substr(sha256, 2)").rowcount == 1
    report = bench.produce(path)
    assert (report.frames_announced, report.frames_known, report.skipped) == (0, 10, [])


def test_an_unwritable_data_folder_is_not_used_as_a_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with closing(seen_files.SeenFiles(tmp_path / "file")) as seen:
        seen.note_rate("video", "", seen_files.Rate(1, 1.0, 1, 1))
        assert seen.rate("video", "") is None
    with closing(seen_files.SeenFiles(tmp_path / "none", writing=False)) as seen:
        assert seen.rate("video", "") is None
    assert not (tmp_path / "none").exists()


def test_a_data_folder_on_a_network_file_system_is_not_used_as_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounts").write_text(f"nas:/x {tmp_path.resolve()} nfs4 rw 0 0\n")
    monkeypatch.setattr("frametally.files.sqlite._MOUNTS", tmp_path / "mounts")
    with closing(seen_files.SeenFiles(tmp_path / "data")) as seen:
        seen.note_rate("video", "", seen_files.Rate(1, 1.0, 1, 1))
        assert seen.rate("video", "") is None
    assert not (tmp_path / "data").exists()


def test_file_notes_from_before_places_were_dropped_are_still_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bench.video("a.mp4", 20, metadata={"creation_time": "2026-05-01T06:00:00Z"})
    bench.produce(path)
    with sqlite3.connect(bench.folder / "data" / seen_files.FILE_NAME) as connection:
        connection.execute("CREATE TABLE place (sha256 TEXT PRIMARY KEY, place BLOB, crc32 INTEGER)")
        connection.execute("INSERT INTO place VALUES ('00', '{}', 0)")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    monkeypatch.setattr("frametally_producer.media.videos.open_medium", None)
    assert bench.produce(path).frames_known == 10
