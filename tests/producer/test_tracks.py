"""Of several video tracks in a file, one is counted and the others are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from av.stream import Disposition
from tests.fakes.footage import make_file, moving
from tests.fakes.memory import MemoryStore
from tests.fakes.remuxed import only_sound, with_tracks
from tests.fakes.said import Said
from tests.producer.conftest import Bench

from frametally.errors import Misconfigured
from frametally.media.lookup import find_media
from frametally.media.manifests import find_manifest
from frametally.media.overlapping import overlaps_of
from frametally_producer.plan import plan
from frametally_producer.writing.production import ProduceCall

START = "2026-05-01T08:00:00Z"
DEFAULT, NONE = Disposition.default, Disposition(0)
SMALL, MIDDLE, LARGE = (160, 90), (320, 180), (640, 360)


def clip(folder: Path, frames: int, size_px: tuple[int, int] = MIDDLE) -> Path:
    return make_file(folder / f"{frames}-{size_px[0]}.mp4", moving(frames, size_px), fps=5)


def shown_size(bench: Bench) -> set[tuple[int, int]]:
    return {(one.width_px, one.height_px) for one in bench.log.announcements}


@pytest.mark.parametrize("name", ["dash.mp4", "dash.mkv"])
def test_two_cameras_in_one_file_are_two_sources_and_producing_again_adds_nothing(
    bench: Bench, tmp_path: Path, name: str
) -> None:
    path = with_tracks(tmp_path / name, clip(tmp_path, 40), clip(tmp_path, 41, SMALL))
    first = bench.produce(path, source="front", start_time=START)
    assert first.frames_announced == 40
    assert first.skipped == []
    [line] = first.notices
    assert line == (
        f"{path}: has 2 video tracks; frametally counts track 1 (320x180); to count track 2 (160x90), run "
        "`frametally produce` with --track 2 --source NAME"
    )
    second = bench.produce(path, source="rear", start_time=START, track=2)
    assert (second.frames_announced, second.skipped, second.notices) == (41, [], [])
    assert shown_size(bench) == {MIDDLE, SMALL}
    by_source = {one.source: one for one in bench.manifests()}
    assert {name: one.track for name, one in by_source.items()} == {"front": 1, "rear": 2}
    assert overlaps_of(bench.manifests(), [], "first") == []
    for source, track in (("front", None), ("rear", 2), ("front", 1)):
        again = bench.produce(path, source=source, start_time=START, track=track)
        assert (again.frames_announced, again.notices) == (0, []), "both tracks are there"
    path.rename(path.with_name("moved" + path.suffix))
    media = find_media(bench.store, str(path.with_name("moved" + path.suffix)))
    assert {one.source for one in media} == {"front", "rear"}


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("cover_frames", [1, 2])
def test_a_cover_in_first_place_does_not_hide_the_film(
    bench: Bench, tmp_path: Path, name: str, cover_frames: int
) -> None:
    path = with_tracks(tmp_path / name, clip(tmp_path, cover_frames, LARGE), clip(tmp_path, 40))
    report = bench.produce(path, start_time=START)
    assert (report.frames_announced, report.skipped) == (40, [])
    assert shown_size(bench) == {MIDDLE}
    assert "counts track 2 (320x180)" in report.notices[0]


@pytest.mark.parametrize(
    ("sizes", "dispositions", "counted"),
    [
        ([SMALL, LARGE, MIDDLE], [DEFAULT, DEFAULT, DEFAULT], LARGE),
        ([SMALL, LARGE], [NONE, DEFAULT], LARGE),
        ([SMALL, LARGE], [DEFAULT, NONE], SMALL),
        ([MIDDLE, SMALL], [Disposition.attached_pic, DEFAULT], SMALL),
    ],
)
def test_the_track_that_ffmpeg_chooses_among_several_is_counted(
    bench: Bench,
    tmp_path: Path,
    sizes: list[tuple[int, int]],
    dispositions: list[Disposition],
    counted: tuple[int, int],
) -> None:
    clips = [clip(tmp_path, 10, size_px) for size_px in sizes]
    path = with_tracks(tmp_path / "a.mkv", *clips, dispositions=dispositions)
    bench.produce(path, start_time=START)
    assert shown_size(bench) == {counted}


def test_three_tracks_are_all_named_once_for_all_similar_files(bench: Bench, tmp_path: Path) -> None:
    clips = [clip(tmp_path, frames, size_px) for frames, size_px in ((10, MIDDLE), (11, MIDDLE), (12, SMALL))]
    (tmp_path / "cam").mkdir()
    for name, three in (("a.mkv", clips), ("b.mkv", [*clips[:2], clip(tmp_path, 14, SMALL)])):
        with_tracks(tmp_path / "cam" / name, *three)
    report = bench.produce(tmp_path / "cam")
    lines = [line for line in report.notices if "video tracks" in line]
    assert len(lines) == 1
    assert "to count track 2 (320x180), track 3 (160x90), run" in lines[0]
    assert "--track N --source NAME" in lines[0]


def test_a_missing_track_is_refused_and_a_chosen_track_needs_a_source(bench: Bench, tmp_path: Path) -> None:
    path = clip(tmp_path, 10)
    [skipped] = bench.produce(path, source="rear", track=9).skipped
    assert skipped.reason == "has 1 video track and no track 9; choose another --track"
    with pytest.raises(Misconfigured, match="--track needs --source"):
        bench.produce(path, track=2)


def test_a_file_with_another_counted_track_is_refused_until_that_is_forgotten(
    bench: Bench, tmp_path: Path
) -> None:
    path = with_tracks(tmp_path / "a.mkv", clip(tmp_path, 1, SMALL), clip(tmp_path, 40))
    bench.produce(path, start_time=START)
    [manifest] = bench.manifests()
    as_before = bench.manifest_with(manifest, track=1)
    [skipped] = bench.produce(path, start_time=START, sample_fps="all").skipped
    assert f"run `frametally forget {as_before.sha256[:12]}`" in skipped.reason
    assert find_manifest(bench.store, as_before.sha256) == as_before


def test_a_dry_run_names_the_tracks_too_and_knows_what_was_produced(bench: Bench, tmp_path: Path) -> None:
    assert isinstance(bench.store, MemoryStore)
    path = with_tracks(tmp_path / "dash.mp4", clip(tmp_path, 40), clip(tmp_path, 41, SMALL))
    progress = Said()
    for track, frames in ((None, 40), (2, 41)):
        call = ProduceCall(paths=[path], settings=bench.settings(), source="s", track=track)
        planned = plan(call, find=lambda sha256: find_manifest(bench.store, sha256), progress=progress)
        assert planned.sources[0].frames == frames
    assert [line for line in progress.lines if "has 2 video tracks" in line] == [progress.lines[0]]


def test_pictures_after_a_sound_track_are_all_read(bench: Bench, tmp_path: Path) -> None:
    sound = tmp_path / "sound.m4a"
    make_file(tmp_path / "both.mp4", moving(2), fps=5, sounds=[("aac", None)], sound_s=4)
    only_sound(tmp_path / "both.mp4", sound)
    path = with_tracks(tmp_path / "a.mkv", sound, clip(tmp_path, 40))
    report = bench.produce(path, start_time=START)
    assert (report.frames_announced, report.notices) == (40, [])
