"""An archive that was produced with times of its containers is corrected by its names, in one command."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.commands import CommandLine
from tests.kit.clips import write_clip

from frametally.adapters_by_url import open_object_store
from frametally.files.opencv import cv2
from frametally.media.manifests import list_manifests
from frametally.rules.times import utc
from frametally.settings.loading import load_settings

PATTERN = "%Y%m%d/{source}_%H%M%S"
Told = Callable[..., tuple[int, str]]


def make_video(path: Path, frames: int, creation_time: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = (np.full((48, 64, 3), 20 * n, np.uint8) for n in range(frames))
    write_clip(path, pictures, codec="mpeg4", metadata={"creation_time": creation_time})


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Three exports of a recorder and one file with another name, produced by their containers' times."""
    monkeypatch.setenv("FRAMETALLY_DETECTOR", "pixels")
    for n, hour in enumerate(("08", "09", "10")):
        make_video(tmp_path / f"nvr/20260501/gate_{hour}0000.mp4", 4 + n, f"2026-06-02T15:4{n}:00Z")
    make_video(tmp_path / "nvr/20260501/other.mp4", 8, "2026-06-03T00:00:00Z")

    def run(*arguments: str) -> tuple[int, str]:
        done = CommandLine(tmp_path)(*arguments, code=None)
        return done.code, done.out + done.err

    assert run("produce", "nvr")[0] == 0
    return run


def begun(folder: Path) -> list[str]:
    settings = load_settings(data_dir=folder / "frametally-data")
    with closing(open_object_store(settings.store_url)) as store:
        return [utc(manifest.first_captured_at_ms or 0) for manifest in list_manifests(store)]


RIGHT = [f"2026-05-01 {hour}:00:00Z" for hour in ("08", "09", "10")]
OTHER = "2026-06-03 00:00:00Z"


@pytest.mark.parametrize(
    "which",
    [
        ["--source", "nvr"],
        ["nvr"],
        [f"nvr/20260501/{name}.mp4" for name in ("gate_080000", "gate_090000", "gate_100000", "other")],
    ],
    ids=["source", "folder", "files"],
)
def test_all_files_of_an_archive_get_the_times_in_their_names(
    told: Told, tmp_path: Path, which: list[str]
) -> None:
    before = begun(tmp_path)
    code, words = told("retime", *which, "--time-pattern", PATTERN, "--dry-run")
    assert code == 6
    assert "nvr/20260501/gate_080000.mp4: 2026-06-02 15:40:00Z becomes 2026-05-01 08:00:00Z" in words
    assert "3 media would change; nothing was changed" in words
    assert begun(tmp_path) == before
    code, words = told("retime", *which, "--time-pattern", PATTERN)
    assert code == 6
    assert "corrected: media: 3" in words
    assert "skipped nvr/20260501/other.mp4: its name does not match --time-pattern, so its time" in words
    assert begun(tmp_path) == [*RIGHT, OTHER]
    code, words = told("retime", *which, "--time-pattern", PATTERN)
    assert (code, "already done: nothing to change" in words) == (6, True)
    code, words = told("produce", "nvr", "--time-pattern", "%Y%m%d/*_%H%M%S")
    assert (code, "0 announced, 23 already known" in words) == (0, True)
    assert "was produced before" not in words


def test_a_time_without_a_zone_is_read_in_the_given_zone(told: Told, tmp_path: Path) -> None:
    code, _ = told(
        "retime", "nvr/20260501/gate_080000.mp4", "--time-pattern", PATTERN, "--timezone", "Europe/Berlin"
    )
    assert code == 0
    assert begun(tmp_path)[0] == "2026-05-01 06:00:00Z"


def test_producing_a_known_source_again_with_a_pattern_names_the_retime_command(told: Told) -> None:
    code, words = told("produce", "nvr", "--time-pattern", "%Y%m%d/*_%H%M%S", "--timezone", "Europe/Berlin")
    assert code == 0
    command = "retime --source nvr --time-pattern '%Y%m%d/*_%H%M%S' --timezone Europe/Berlin"
    assert f"or for all of that source `frametally {command}`" in " ".join(words.split())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nvr"], "give either --start-time TIME or --time-pattern PATTERN"),
        (["nvr", "--start-time", "2026-05-01T08:00Z", "--time-pattern", PATTERN], "give either --start-time"),
        (["a", "b", "--start-time", "2026-05-01T08:00Z"], "--start-time is for one MEDIUM"),
        (["nvr", "--source", "nvr", "--time-pattern", PATTERN], "give only one of"),
        (["--time-pattern", PATTERN], "give the footage to correct"),
        (["nvr", "--time-pattern", "%Y%Y"], "--time-pattern %Y%Y: it has %Y twice"),
        (["nvr", "nowhere", "--time-pattern", PATTERN], "no footage named 'nowhere' has been produced"),
        (["nvr", "--time-pattern", "x_%Y%m%d"], "does not match --time-pattern"),
    ],
)
def test_an_impossible_retime_is_one_line_and_changes_nothing(
    told: Told, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    before = begun(tmp_path)
    code, words = told("retime", *arguments)
    assert (code, reason in " ".join(words.split())) == (2, True), words
    assert begun(tmp_path) == before


def test_a_clip_in_the_repeated_hour_when_clocks_go_back_stays_there(told: Told, tmp_path: Path) -> None:
    make_video(tmp_path / "night/cam_20251026_022000.mp4", 4, "2025-10-26T00:20:00Z")
    make_video(tmp_path / "night/cam_20251026_022000_1.mp4", 5, "2025-10-26T01:20:00Z")
    make_video(tmp_path / "night/cam_20251026_032000.mp4", 6, "2025-10-26T03:20:00Z")
    assert told("produce", "night")[0] == 0
    names = ["night", "--time-pattern", "cam_%Y%m%d_%H%M%S*"]
    code, words = told("retime", *names, "--timezone", "Europe/Berlin")
    assert code == 0
    assert "media: 1;" in words
    night = [time for time in begun(tmp_path) if time.startswith("2025")]
    assert night == ["2025-10-26 00:20:00Z", "2025-10-26 01:20:00Z", "2025-10-26 02:20:00Z"]
    # With a fixed offset, a name says which hour it is.
    moved = ["night/cam_20251026_022000.mp4", *names[1:], "--timezone", "Etc/GMT-1"]
    assert told("retime", *moved)[0] == 6  # both are in the same hour then
    assert "2025-10-26 00:20:00Z" not in begun(tmp_path)


def pictures_of(folder: Path) -> list[str]:
    settings = load_settings(data_dir=folder / "frametally-data")
    with closing(open_object_store(settings.store_url)) as store:
        names = [name for one in list_manifests(store) for name in one.announced_pictures]
    return sorted(utc(int(name.partition("-")[0])) for name in names)


@pytest.mark.thorough
def test_pictures_of_the_repeated_hour_are_moved_by_their_files_and_the_others_stay(
    told: Told, tmp_path: Path
) -> None:
    for folder, level in (("a", 90), ("b", 160)):  # two folders, so that no name tells the hours apart
        for minute in (0, 20):
            picture = np.full((48, 64, 3), level + minute, np.uint8)
            path = tmp_path / f"trap/{folder}/p_20251026_02{minute:02}00.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    zone = ["--time-pattern", "p_%Y%m%d_%H%M%S", "--timezone"]
    code, words = told("produce", "trap", *zone, "Europe/Berlin")
    assert code == 0
    assert "--start-time 2025-10-26T02:00:00+01:00" in words
    first = ["2025-10-26 00:00:00Z"] * 2 + ["2025-10-26 00:20:00Z"] * 2
    assert pictures_of(tmp_path) == first

    files = ["trap/b/p_20251026_020000.png", "trap/b/p_20251026_022000.png"]
    code, words = told("retime", *files, *zone, "Etc/GMT-1", "--dry-run")
    assert code == 0
    assert f"{files[1]}: 2025-10-26 00:20:00Z becomes 2025-10-26 01:20:00Z" in words
    assert "2 pictures would change; nothing was changed" in words
    assert pictures_of(tmp_path) == first
    (tmp_path / "new.png").write_bytes(b"never produced")
    code, words = told("retime", *files, "new.png", *zone, "Etc/GMT-1")
    assert code == 6
    assert "skipped new.png: it is not a stored picture" in words
    right = [f"2025-10-26 0{hour}:{minute}:00Z" for hour in (0, 1) for minute in ("00", "20")]
    assert pictures_of(tmp_path) == right
    # One picture, by a time with its offset; and nothing is left to do.
    assert told("retime", files[0], "--start-time", "2025-10-26T02:30:00+01:00")[0] == 0
    assert pictures_of(tmp_path)[-1] == "2025-10-26 01:30:00Z"
    assert told("retime", files[0], "--start-time", "2025-10-26T02:00:00+01:00")[0] == 0
    code, words = told("retime", *files, *zone, "Etc/GMT-1")
    assert (code, "already done" in words) == (0, True)
    assert told("consume", "--until-caught-up")[0] == 0
    assert told("aggregate")[0] == 0
    status = json.loads(told("status", "--json")[1])
    [trap] = [source for source in status["sources"] if source["source"] == "trap"]
    assert (trap["announced"], trap["counted"]) == (4, 4)
