"""Damaged footage is never counted as whole on any machine: pictures that a decoder made up are left out."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.examples import examples, first_quick
from tests.fakes.damaged import (
    FILMS,
    FRAMES,
    KEY_FRAME_EVERY,
    is_smeared,
    make_film,
    with_bytes_turned,
    with_sector_zeroed,
    without_packets,
)
from tests.fakes.numbered_pictures import number_of

from frametally_producer.reading.video_file import open_video

MAX_PIXELS = 1_000_000
JUDGED = ("H.264, 1 slice", "H.264, 4 slices", "H.264, TS", "Motion JPEG", "MPEG-4")
_B_FRAMES = 2


def read(data: bytes, **threads: Any) -> tuple[list[tuple[int, np.ndarray]], list[str]]:
    """Return (number by its time, pixels) of each picture of a file, and its damage."""
    with open_video(io.BufferedReader(io.BytesIO(data)), max_pixels=MAX_PIXELS) as video:
        for name, value in threads.items():
            setattr(video.stream.codec_context, name, value)
        pictures = [(one.offset_ms // 40, video.pixels(one.frame)) for one in video.frames()]
        return pictures, video.damage


@pytest.mark.thorough
@pytest.mark.parametrize("threads", first_quick((2, 1, 8)))
@pytest.mark.parametrize("name", first_quick(JUDGED))
def test_bytes_changed_inside_a_picture_never_give_a_counted_picture_with_any_number_of_threads(
    tmp_path: Path, name: str, threads: int
) -> None:
    path = make_film(tmp_path, FILMS[name])
    whole, damage = read(path.read_bytes(), thread_count=threads)
    assert ([number for number, _ in whole], damage) == (list(range(FRAMES)), [])
    files_damaged = 0
    for seed in range(examples(10)):
        pictures, damage = read(with_bytes_turned(path, seed), thread_count=threads)
        assert [number for number, pixels in pictures if is_smeared(pixels, number)] == []
        assert bool(damage) == (len(pictures) < FRAMES)
        assert len(pictures) >= FRAMES - KEY_FRAME_EVERY - _B_FRAMES
        files_damaged += bool(damage)
    assert files_damaged >= 2, "hardly any seed does damage"


@pytest.mark.thorough
def test_a_damaged_file_gives_the_same_pictures_each_time_even_if_another_film_is_read_in_between(
    tmp_path: Path,
) -> None:
    """Marks on packets tell which picture comes from which; two films in one process must not mix them up."""
    path = make_film(tmp_path, FILMS["H.264, B-frames"])
    data = with_bytes_turned(path, 3)
    first, damage = read(data)
    assert damage
    with open_video(io.BufferedReader(io.BytesIO(data)), max_pixels=MAX_PIXELS) as other:
        others = other.frames()
        for _ in range(10):
            held = [next(others, None) for _ in range(3)]
            again, told = read(data)
            assert [number for number, _ in again] == [number for number, _ in first]
            assert told == damage
            del held


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["H.264, B-frames", "H.264, 4 slices"])
def test_whole_pictures_keep_their_times_where_a_sector_of_the_film_is_lost(
    tmp_path: Path, name: str
) -> None:
    film = FILMS[name]
    path = make_film(tmp_path, film._replace(options=film.options | {"crf": "30"}))  # many pictures a sector
    for seed in range(12):
        pictures, damage = read(with_sector_zeroed(path, seed))
        assert damage
        assert [
            (number, number_of(pixels)) for number, pixels in pictures if is_smeared(pixels, number)
        ] == []


@pytest.mark.thorough
@pytest.mark.parametrize("share", [0.002, 0.02])
def test_a_transport_stream_that_lost_packets_gives_only_whole_pictures(tmp_path: Path, share: float) -> None:
    path = make_film(tmp_path, FILMS["H.264, TS"])
    data = path.read_bytes()
    rng = np.random.default_rng(5)
    lost = set(np.flatnonzero(rng.random(len(data) // 188) < share).tolist()) - set(range(10))
    pictures, damage = read(without_packets(data, lost))
    assert damage
    assert FRAMES // 10 < len(pictures) < FRAMES
    assert None not in [number_of(pixels) for _, pixels in pictures]


@pytest.mark.thorough
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="this machine has one core")
def test_produce_stores_the_same_frames_of_a_damaged_film_on_one_core_and_on_many(tmp_path: Path) -> None:
    path = make_film(tmp_path, FILMS["H.264, 4 slices"])
    path.write_bytes(with_bytes_turned(path, 1))
    runs = []
    for cores in (sorted(os.sched_getaffinity(0))[:1], sorted(os.sched_getaffinity(0))):
        data = tmp_path / f"data-{len(cores)}"
        command = (
            sys.executable,
            "-c",
            "import sys; from frametally_cli.starting import main; sys.exit(main())",
            "produce",
            path,
        )
        options = ("--data-dir", data, "--sample-fps", "all", "--start-time", "2026-05-01T08:00:00Z")
        run = subprocess.run(
            [*map(str, (*command, *options))],
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=lambda cores=cores: os.sched_setaffinity(0, cores),  # type: ignore[misc]
        )
        frames = sorted((one.name, one.read_bytes()) for one in data.rglob("*.jpg"))
        runs.append((run.returncode, frames, "left out" in run.stdout + run.stderr))
    assert runs[0] == runs[1]
    assert runs[0][0] == 6
    assert len(runs[0][1]) < FRAMES
    assert runs[0][2]
