"""Overlapping footage of one source, on the command line: each moment counts once, with a message."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from tests.commands import CommandLine, Finished

from frametally.adapters_by_url import open_object_store
from frametally.books.runs import current_runs, read_run

ENV = {"FRAMETALLY_DETECTOR": "pixels", "FRAMETALLY_INTERVAL_S": "1"}
START, SEVENTH = "2026-04-01T10:00:00Z", "2026-04-01T10:00:07Z"


class House(CommandLine):
    """An empty data folder, and the command line on it, in this process."""

    def run(self, path: Path, start_time: str = START, *, code: int | None = 0) -> Finished:
        return self("run", "--no-serve", path, "--source", "cam", "--start-time", start_time, code=code)

    def recount(self) -> None:
        self("aggregate")
        self("index")

    def books(self) -> dict[str, Any]:
        [books] = json.loads(self("status", "--json").out)["sources"]
        return books

    def counts(self) -> tuple[int, list[tuple[int, int, int, int | None]]]:
        """Frames covered; and per second frames, boxes and objects."""
        store = open_object_store(f"file://{self.folder}/frametally-data/store")
        frames, rows = 0, []
        for run in current_runs(store):
            counts, coverage = read_run(store, run)
            frames += sum(one.frames for one in coverage)
            rows += [(one.interval_start_ms, one.frames, one.detections, one.objects) for one in counts]
        return frames, sorted(rows)


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], House]:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    return lambda name: House(tmp_path / name)


def make_video(
    path: Path, frames: range, *, codec: str = "mpeg4", options: dict[str, str] | None = None
) -> Path:
    """Frames of one scene at 5 a second: a bright patch that moves right over time."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream: Any = container.add_stream(codec, rate=5)
        stream.width, stream.height = 192, 48
        stream.pix_fmt = "bgr0" if codec == "ffv1" else "yuv420p"
        stream.codec_context.gop_size = 5
        stream.time_base = Fraction(1, 5)
        for n in frames:
            image = np.zeros((48, 192, 3), np.uint8)
            image[16:32, 4 + 2 * n : 24 + 2 * n] = 255
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = n - frames[0], Fraction(1, 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}


@pytest.mark.thorough
@pytest.mark.parametrize(("suffix", "options"), [(".ts", None), (".mp4", FRAGMENTED)])
@pytest.mark.parametrize("whole_first", [False, True])
def test_a_file_first_truncated_and_then_whole_counts_once(
    house: Callable[[str], House],
    tmp_path: Path,
    suffix: str,
    options: dict[str, str] | None,
    whole_first: bool,
) -> None:
    whole = make_video(tmp_path / f"full{suffix}", range(60), options=options).read_bytes()
    given = tmp_path / f"cam{suffix}"
    two, right = house("two"), house("right")
    parts = [whole[: len(whole) // 2], whole]
    for part in reversed(parts) if whole_first else parts:
        given.write_bytes(part)
        said = two("produce", given, "--source", "cam", "--start-time", START, code=None)
    assert "covers all of its time" in said.err.replace("\n", " ")
    assert "is not counted" not in said.err
    two("consume", "--until-caught-up")
    two.recount()
    assert "0 with a failed check" in two("quality").out
    given.write_bytes(whole)
    right.run(given)
    assert two.counts() == right.counts()
    assert two.counts()[0] == 60
    books = two.books()
    assert (books["counted"], books["detected"]) == (60, 60)
    assert 20 < books["overlapped"] == books["announced"] - 60


@pytest.mark.thorough
def test_forget_removes_the_file_with_the_given_sha256_if_two_share_a_name(
    house: Callable[[str], House], tmp_path: Path
) -> None:
    whole = make_video(tmp_path / "full.ts", range(60)).read_bytes()
    given = tmp_path / "cam.ts"
    two, cut_alone = house("two"), house("cut")
    given.write_bytes(whole[: len(whole) // 2])
    cut_alone.run(given, code=None)
    two.run(given, code=None)
    given.write_bytes(whole)
    two.run(given)
    refused = two("forget", given, "--yes", code=2).err
    for part in (whole, whole[: len(whole) // 2]):
        assert f"`frametally forget {hashlib.sha256(part).hexdigest()[:12]}` (source cam" in refused
    two("forget", hashlib.sha256(whole).hexdigest()[:8], "--yes")
    two.recount()
    assert two.counts() == cut_alone.counts()
    assert two.books()["overlapped"] == 0


def test_overlapping_recorder_files_are_counted_and_tracked_like_the_uncut_file(
    house: Callable[[str], House], tmp_path: Path
) -> None:
    split, right = house("split"), house("right")
    early = make_video(tmp_path / "early.mkv", range(45), codec="ffv1")
    late = make_video(tmp_path / "late.mkv", range(35, 80), codec="ffv1")
    split.run(late, SEVENTH)
    said = split.run(early, START, code=6)
    assert f"skipped {late}" in said.err.replace("\n", "")
    assert "10:00:07Z to 2026-04-01 10:00:08Z" in said.err.replace("\n", "")
    right.run(make_video(tmp_path / "whole.mkv", range(80), codec="ffv1"))
    assert split.counts() == right.counts()
    assert sum(objects or 0 for *_, objects in split.counts()[1]) == 1
    assert split.books()["overlapped"] == 10


@pytest.mark.thorough
def test_retime_reports_overlaps_at_the_new_time_and_the_old_time_counts_again(
    house: Callable[[str], House], tmp_path: Path
) -> None:
    mended, right = house("mended"), house("right")
    early = make_video(tmp_path / "early.mkv", range(45), codec="ffv1")
    late = make_video(tmp_path / "late.mkv", range(35, 80), codec="ffv1")
    mended("produce", early, "--source", "cam", "--start-time", START)
    mended("produce", late, "--source", "cam", "--start-time", START, code=6)
    said = mended("retime", late, "--start-time", SEVENTH, code=6)
    assert "10:00:07Z to 2026-04-01 10:00:08Z" in said.err.replace("\n", "")
    mended("consume", "--until-caught-up")
    mended.recount()
    right.run(make_video(tmp_path / "whole.mkv", range(80), codec="ffv1"))
    assert mended.counts() == right.counts()


@pytest.mark.thorough
def test_explain_uses_the_overlap_setting_that_the_bar_was_counted_with(
    house: Callable[[str], House], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = house("home")
    early = make_video(tmp_path / "early.mkv", range(45), codec="ffv1")
    late = make_video(tmp_path / "late.mkv", range(35, 80), codec="ffv1")
    monkeypatch.setenv("FRAMETALLY_COUNT_OVERLAPS", "all")
    home.run(early)
    home.run(late, SEVENTH)
    monkeypatch.delenv("FRAMETALLY_COUNT_OVERLAPS")
    told = home(
        "explain", "--source", "cam", "--label", "white", "--interval-start", SEVENTH, "--interval", "1"
    )
    assert "the bar shows the same" in told.out


@pytest.mark.thorough
def test_two_cameras_under_one_name_are_not_mixed(house: Callable[[str], House], tmp_path: Path) -> None:
    both, first = house("both"), house("first")
    one = make_video(tmp_path / "one.mkv", range(40), codec="ffv1")
    other = make_video(tmp_path / "other.mkv", range(3, 30), codec="ffv1")
    both.run(other)
    both.run(one, code=6)
    first.run(one)
    assert both.counts() == first.counts()
