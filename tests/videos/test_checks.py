"""Checks of a video: each defect fails only its own check, and a good video fails none."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.test_doctor import settings
from tests.fakes import scenes
from tests.fakes.footage import make_file
from tests.fakes.remuxed import trimmed
from tests.videos.video_records import UPLOADED_AT_MS, make_facts, make_video

from frametally.records import TimeSource
from frametally.settings.loading import Settings
from frametally_cli.checkup.ports import port_rows
from frametally_producer.reading.video_file import open_video
from frametally_videos.catalogue_by_url import open_video_catalogue
from frametally_videos.describing import picture_pass
from frametally_videos.describing.packets import clock_fault, found_times, gaps
from frametally_videos.describing.picture_pass import (
    PictureLook,
    blockiness,
    blur,
    largest_change,
    looks,
    mean_change,
    parts,
)
from frametally_videos.describing.video_checks import check_video, repeated_looks, with_clock
from frametally_videos.media_records import CheckName, VideoQuality

MAX_PIXELS = 50_000_000
STREET = scenes.street


def quality(path: Path, **facts: Any) -> VideoQuality:
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        (width_px, height_px), times = video.size_px, found_times(video)
    found = make_facts(width_px=width_px, height_px=height_px, **facts)
    with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
        return check_video(make_video(facts=found), times, list(looks(video, frames=times.frames)))


def failed(found: VideoQuality) -> list[str]:
    return [check.name for check in found.checks if not check.passed]


def cut_in_half(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


GOOD: dict[str, Callable[[Path], Path]] = {
    "a street": lambda folder: make_file(folder / "a.mp4", STREET(150)),
    "a street that stands still but for noise": lambda folder: make_file(
        folder / "a.mp4", scenes.standing(200)
    ),
    "a street at night": lambda folder: make_file(folder / "a.mp4", scenes.night(150)),
    "a clip trimmed between key frames": lambda folder: trimmed(
        folder / "cut.mp4",
        make_file(folder / "a.mp4", STREET(150), codec_options={"g": "100", "bf": "2"}),
        Fraction(31, 25),
    ),
    "a variable rate": lambda folder: make_file(
        folder / "a.mkv", STREET(100), times_ms=[index * 40 + index % 3 * 9 for index in range(100)]
    ),
    "a camera of its own": lambda folder: make_file(
        folder / "a.avi", STREET(100), codec="mjpeg", pix_fmt="yuvj420p", codec_options={"b": "20M"}
    ),
    "it begins black": lambda folder: make_file(folder / "a.mp4", [*scenes.black(4), *STREET(150)]),
    "it ends with a picture that stands for twenty seconds": lambda folder: make_file(
        folder / "a.mp4", scenes.frozen(STREET(100), moving=100, still=100), fps=5
    ),
    "it is black for two seconds": lambda folder: make_file(
        folder / "a.mp4", [*STREET(60), *scenes.black(60), *STREET(60)]
    ),
}
BAD: list[tuple[CheckName, Callable[[Path], Path]]] = [
    (
        "black",
        lambda folder: make_file(folder / "a.mp4", [*STREET(60), *scenes.black(60), *STREET(60)], fps=5),
    ),
    ("dark", lambda folder: make_file(folder / "a.mp4", scenes.dark(150))),
    (
        "frozen",  # with a picture that is encoded again each second
        lambda folder: make_file(
            folder / "a.mp4",
            scenes.frozen(STREET(60), moving=60, still=350),
            fps=5,
            codec_options={"g": "25"},
        ),
    ),
    ("blurred", lambda folder: make_file(folder / "a.mp4", scenes.blurred(150))),
    ("blocky", lambda folder: make_file(folder / "a.mp4", scenes.blocky(100))),
    ("cut", lambda folder: cut_in_half(make_file(folder / "a.mkv", STREET(200)))),
    ("short", lambda folder: make_file(folder / "a.mp4", STREET(15))),
    ("slow", lambda folder: make_file(folder / "a.mp4", STREET(20), fps=2)),
    ("small", lambda folder: make_file(folder / "a.mp4", STREET(100, (160, 120)))),
    ("repeated", lambda folder: make_file(folder / "a.mp4", scenes.twice(STREET(75)))),
    (
        "dropped",
        lambda folder: make_file(
            folder / "a.mp4", STREET(100), times_ms=[40 * (index + index // 4) for index in range(100)]
        ),
    ),
]


@pytest.mark.thorough
@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
def test_a_good_video_fails_no_check(make: Callable[[Path], Path], tmp_path: Path) -> None:
    found = quality(make(tmp_path))
    assert failed(found) == []
    assert found.passed
    assert tuple(check.name for check in found.checks) == get_args(CheckName)


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "make"), BAD, ids=[f"{n}-{at}" for at, (n, _) in enumerate(BAD)])
def test_each_defect_fails_only_its_own_check(
    name: str, make: Callable[[Path], Path], tmp_path: Path
) -> None:
    found = quality(make(tmp_path))
    assert failed(found) == [name]
    assert not found.passed


@pytest.mark.thorough
def test_a_check_gives_the_place_of_a_defect_in_seconds(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.mp4", [*STREET(60), *scenes.black(60), *STREET(60)], fps=5)
    found = quality(path).checks[0]
    assert found.spans_s == [(12.0, 24.0)]
    assert found.sentence == "12.0 of 36.0 s are black."
    assert (found.measured, found.limit, found.unit) == (0.3333, 0.05, "1")


@pytest.mark.parametrize(
    ("started_at_ms", "source", "words"),
    [
        (None, None, "It has no start time."),
        (
            UPLOADED_AT_MS + 7_200_000,
            "start_time",
            "According to its own time, it ended 2.0 h after it was uploaded.",
        ),
        (3_600_000, "container", "It says that it was filmed on the first day of 1970, as clocks"),
        (-2_082_844_800_000, "container", "It says that it was filmed on the first day of 1904, as clocks"),
        (3_600_000, "start_time", None),
        (UPLOADED_AT_MS - 1000, "container", None),
        (UPLOADED_AT_MS + 1_800_000, "container", None),
    ],
)
def test_an_impossible_clock_fails_its_check(
    started_at_ms: int | None, source: TimeSource | None, words: str | None
) -> None:
    _, fault = clock_fault(started_at_ms, source, 1.0, UPLOADED_AT_MS)
    assert (fault is None) == (words is None)
    assert words is None or (fault or "").startswith(words)


def test_a_later_correction_of_the_time_changes_only_the_clock_check(tmp_path: Path) -> None:
    path = make_file(tmp_path / "a.mp4", STREET(50))
    found = quality(path, started_at_ms=None, time_source=None)
    assert failed(found) == ["clock"]
    later = with_clock(found, make_video())
    assert (failed(later), later.passed) == ([], True)
    assert [check for check in later.checks if check.name != "clock"] == [
        check for check in found.checks if check.name != "clock"
    ]


@pytest.mark.thorough
def test_checks_sample_a_limited_number_of_frames_across_a_long_video(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_pass, "STRETCHES", 10)
    monkeypatch.setattr(picture_pass, "FRAMES_PER_STRETCH", 12)
    monkeypatch.setattr(picture_pass, "MOST_LOOKS", 120)
    for name, options in (("a.mkv", {"g": "1000"}), ("b.ts", {"g": "20", "bf": "0"})):
        path = make_file(tmp_path / name, STREET(300), codec_options=options)
        with path.open("rb") as file, open_video(file, max_pixels=MAX_PIXELS) as video:
            found = list(looks(video, frames=300))
        assert 100 <= len(found) <= 120
        assert all(later.position_s > earlier.position_s for earlier, later in pairwise(found))
        assert found[0].position_s < 1
        assert found[-1].position_s > 10
        assert [look.follows for look in found].count(False) == 10
        steps_s = {round(b.position_s - a.position_s, 3) for a, b in pairwise(found) if b.follows}
        assert steps_s == {0.04}


@pytest.mark.thorough
def test_a_freeze_between_the_sampled_stretches_of_a_long_video_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_pass, "STRETCHES", 20)
    monkeypatch.setattr(picture_pass, "FRAMES_PER_STRETCH", 12)
    monkeypatch.setattr(picture_pass, "MOST_LOOKS", 240)
    pictures = scenes.frozen(STREET(300), moving=300, still=600)
    path = make_file(tmp_path / "a.mp4", pictures, fps=5, codec_options={"g": "25"})
    found = quality(path)
    assert failed(found) == ["frozen"]
    ((begin_s, end_s),) = next(check.spans_s for check in found.checks if check.name == "frozen")
    assert begin_s < 80
    assert end_s > 165


PICTURE = next(STREET(1))[:, :, 0]


@given(gain=st.floats(0.3, 1.0), offset=st.integers(0, 60))
def test_sharpness_does_not_depend_on_the_light(gain: float, offset: int) -> None:
    other = np.clip(PICTURE * gain * 0.7 + offset, 0, 255).astype(np.uint8)
    assert blur(other) == pytest.approx(blur(PICTURE), abs=0.05)


@given(turns=st.integers(0, 3), mirrored=st.booleans())
def test_picture_measures_do_not_depend_on_rotation_or_mirroring(turns: int, mirrored: bool) -> None:
    other = np.rot90(PICTURE[:, ::-1] if mirrored else PICTURE, turns).copy()
    assert blur(other) == pytest.approx(blur(PICTURE), rel=0.01)
    assert blockiness(other) == pytest.approx(blockiness(PICTURE), rel=0.01)


@pytest.mark.thorough
@given(left=st.integers(0, 7), top=st.integers(0, 7))
def test_blocks_are_found_wherever_their_grid_begins(left: int, top: int) -> None:
    assert blockiness(next(scenes.blocky(1))[:, :, 0][top : top + 200, left : left + 280]) > 2
    assert blockiness(PICTURE[top : top + 200, left : left + 280]) < 1.5


def test_a_picture_too_plain_to_measure_counts_as_good() -> None:
    flat = np.full((240, 320), 90, np.uint8)
    assert (blur(flat), blockiness(flat)) == (1.0, 1.0)
    assert blockiness(flat[:10, :10]) == 1.0
    assert (mean_change(flat, flat), largest_change(parts(flat), parts(flat))) == (0.0, 0.0)


@pytest.mark.thorough
@given(kept=st.lists(st.booleans(), min_size=60, max_size=200))
def test_every_frame_left_out_is_counted(kept: list[bool]) -> None:
    # With most of them, so that the usual step is known, and both ends.
    kept = [one or number % 3 > 0 for number, one in enumerate(kept)]
    ticks = np.array([0, *(512 * (n + 1) for n, one in enumerate(kept) if one)], np.int64)
    ticks = np.append(ticks, ticks[-1] + 512 * np.arange(1, 30))
    found = gaps(ticks, Fraction(1, 12800))
    missing = [n for n in range(int(ticks[-1]) // 512) if n * 512 not in set(ticks.tolist())]
    assert found.missing == len(missing)
    assert gaps(ticks * 7 + 1234, Fraction(1, 90000)).missing == found.missing


def still(position_s: float, *, change: float = 0.0, part: float = 0.0, digest: str = "") -> PictureLook:
    return PictureLook(position_s, True, None, digest or f"{position_s}", 100.0, change, part)


def test_a_repeated_picture_counts_only_in_the_middle_of_movement() -> None:
    def share(parts_of: list[float]) -> int:
        found = [still(number / 25, change=part, part=part) for number, part in enumerate(parts_of)]
        return sum(repeated_looks(found))

    assert share([9, 0, 9, 0, 0, 9]) == 3
    assert share([9, 0, 0, 0, 0, 0, 9]) == 0  # nothing moves
    assert share([1, 0.05, 1, 0.05, 1]) == 0  # noise


__all__ = ["settings"]


def test_the_catalogues_doctor_row_shows_waiting_videos_and_their_workers(settings: Settings) -> None:
    with closing(open_video_catalogue(settings.catalogue_url)) as catalogue:
        for number in range(3):
            catalogue.put_video(make_video(number), "1")
        catalogue.set_video(make_video(0).id, state="ready")
    [row] = [row for row in port_rows(settings) if row.area == "catalogue"]
    assert row.good
    assert row.value == "3 videos: 1 ready, 2 received"
    assert "`frametally serve`, `frametally up` or `frametally work` runs the waiting jobs" in row.note
