"""Each bad input gets one clear line with the thing and the remedy; the rest goes on; the exit
code shows it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.commands import Run, run_frametally
from tests.examples import first_quick
from tests.kit.clips import jpeg_of

from frametally.adapters_by_url import open_frame_log
from frametally.files.opencv import cv2

ROOT = Path(__file__).resolve().parents[2]
NOON = "Noon_20260501_120000"


def write_picture(path: Path) -> Path:
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[10:30, 20:40] = (0, 0, 255)
    path.write_bytes(jpeg_of(picture))
    return path


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """A folder with one good picture."""
    folder = tmp_path / "gate"
    folder.mkdir()
    write_picture(folder / f"{NOON}.jpg")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    """A command with the detector that needs no weights."""

    def call(*arguments: object, code: int | None = 0, **env: Any) -> Any:
        usual: dict[str, Any] = {"FRAMETALLY_DETECTOR": "pixels", "FRAMETALLY_LEASE_S": "2"}
        finished = run_frametally(*arguments, cwd=tmp_path, **usual | env)
        assert "Traceback" not in finished.out + finished.err
        assert code in (None, finished.code), finished
        return finished

    return call


PATTERN = ("--time-pattern", "Noon_%Y%m%d_%H%M%S")


BAD_FILES = {
    "cut.jpg": b"",  # half of a picture
    "empty.jpg": b"",
    "notes.jpg": b"buy milk",
    "still.mp4": b"",
    "notes.mp4": b"buy milk" * 100,
    "ffconcat.mp4": f"ffconcat version 1.0\nfile '{NOON}.jpg'\n".encode(),
    "m3u8.mp4": f"#EXTM3U\n#EXTINF:1,\n{NOON}.jpg\n#EXT-X-ENDLIST\n".encode(),
}


def spoil(folder: Path, name: str) -> Path:
    path = folder / name
    data = BAD_FILES[name]
    if name == "cut.jpg":
        data = write_picture(path).read_bytes()
        data = data[: len(data) // 2]
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", first_quick(BAD_FILES))
def test_a_bad_file_is_named_and_counted_and_the_good_ones_go_on(run: Run, footage: Path, name: str) -> None:
    bad = spoil(footage, name)
    finished = run("run", footage, *PATTERN, "--no-serve", code=6)
    lines = [line for line in finished.err.splitlines() if bad.name in line and "skipped" in line]
    assert len(lines) == 1, finished.err
    assert "1 skipped in all" in finished.err
    assert "frames: 1 announced" in finished.out


@pytest.mark.thorough
def test_only_bad_files_give_exit_code_2(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    spoil(folder, "notes.jpg")
    run("run", folder, "--no-serve", code=2)


@pytest.mark.thorough
def test_a_missing_path_is_named_and_the_others_go_on(run: Run, footage: Path) -> None:
    finished = run("produce", footage, "no-such-folder", *PATTERN, code=6)
    assert "no-such-folder" in finished.err
    run("produce", "no-such-folder", code=2)


@pytest.mark.thorough
def test_producer_and_consumer_need_no_access_to_index_and_ledger(run: Run, footage: Path) -> None:
    away = {
        "FRAMETALLY_INDEX_URL": "elasticsearch+http://127.0.0.1:1",
        "FRAMETALLY_LEDGER_URL": "postgresql://127.0.0.1:1/none",
    }
    for stage in (("produce", footage), ("consume", "--until-caught-up")):
        run(*stage, **away)


@pytest.mark.thorough
def test_a_malformed_message_becomes_a_dead_letter(run: Run, footage: Path, tmp_path: Path) -> None:
    run("produce", footage, *PATTERN)
    with closing(open_frame_log(f"sqlite:///{tmp_path}/frametally-data/log.sqlite")) as log:
        log.publish("frames", [(b"cam/1", b"\xff not an announcement")])
    finished = run("consume", "--until-caught-up", code=6)
    assert "detections: 1 frame" in finished.out
    assert "not a FrameAnnouncement: JSON is malformed" in finished.err
    assert "1 message on the log is unreadable" in run("status", code=None).out


@pytest.mark.thorough
def test_a_segment_with_a_corrupt_line_is_named_and_none_of_it_is_counted(
    run: Run, footage: Path, tmp_path: Path
) -> None:
    write_picture(footage / "Noon_20260501_120001.jpg")
    run("produce", footage, *PATTERN)
    run("consume", "--until-caught-up")
    [segment] = [
        path for path in (tmp_path / "frametally-data/store/metadata").rglob("*.jsonl") if path.is_file()
    ]
    lines = segment.read_bytes().split(b"\n")
    assert len(lines) == 4
    lines[2] = b"#" * len(lines[2])
    segment.write_bytes(b"\n".join(lines))
    finished = run("aggregate", code=6)
    [told] = [line for line in finished.err.splitlines() if segment.name in line]
    assert "none of it is counted" in told
    assert "0 days counted" in finished.out
    run("status", code=3)


@pytest.mark.thorough
def test_a_taken_port_is_reported_with_a_remedy(run: Run, footage: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = run("serve", "--port", port, code=2)
    assert str(port) in finished.err
    assert "--port" in finished.err
    assert len(finished.err.strip().splitlines()) == 1


@pytest.mark.thorough
def test_an_unwritable_data_folder_is_reported_with_a_remedy(run: Run, footage: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    finished = run("produce", footage, "--data-dir", "file/data", code=2)
    [line] = finished.err.strip().splitlines()
    assert "file/data" in line
    assert "FRAMETALLY_DATA_DIR" in line or "--data-dir" in line


@pytest.mark.thorough
def test_an_unreadable_weights_file_is_reported_with_a_remedy(run: Run, footage: Path) -> None:
    files = {f"FRAMETALLY_MODEL_{name.upper()}": f"no.{name}" for name in ("cfg", "weights", "names")}
    finished = run("consume", "--until-caught-up", code=2, FRAMETALLY_DETECTOR="opencv", **files)
    assert "no.cfg" in finished.err or "no.weights" in finished.err


@pytest.mark.thorough
def test_an_unknown_option_and_a_wrong_value_are_reported_in_one_line(run: Run, footage: Path) -> None:
    run("produce", "--colour", "red", code=2)
    wrong = run("produce", footage, "--timezone", "Mars/Olympus", code=2)
    assert "--timezone Mars/Olympus: " in wrong.err


@pytest.mark.thorough
def test_preprocessed_pictures_are_kept_where_people_can_see_them(run: Run, footage: Path) -> None:
    kept = ROOT / "producer/extracted_frames/preprocessed-by-a-test"
    try:
        run("produce", footage, *PATTERN, "--source", kept.name, "--max-side-px", "32")
        [picture] = kept.iterdir()
        assert cv2.imread(str(picture)).shape[:2] == (24, 32)
    finally:
        shutil.rmtree(kept, ignore_errors=True)


@pytest.mark.thorough
def test_a_taken_port_is_found_before_the_work_begins(run: Run, footage: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        finished = run("run", footage, *PATTERN, "--port", taken.getsockname()[1], code=2)
    assert "--no-serve" in finished.err
    assert "announced" not in finished.out


@pytest.mark.thorough
def test_a_file_name_cannot_send_control_codes_to_the_terminal(run: Run, tmp_path: Path) -> None:
    hostile = "bad\n\x1b[31m<b>.jpg"
    (tmp_path / hostile).write_bytes(b"no picture")
    finished = run("produce", hostile, code=2)
    assert "\x1b" not in finished.err
    assert "skipped bad\\n\\x1b[31m<b>.jpg" in finished.err


@pytest.mark.thorough
def test_a_question_that_nobody_can_answer_names_the_option_instead(run: Run, footage: Path) -> None:
    run("run", footage, *PATTERN, "--no-serve")
    finished = run("forget", "--source", "gate", code=2)
    assert "--yes" in finished.err


@pytest.mark.thorough
def test_another_start_time_for_a_known_video_is_reported(run: Run, traffic_clip: Path) -> None:
    run("produce", traffic_clip, "--sample-fps", "1", "--start-time", "2026-01-01T08:00:00Z")
    again = run("produce", traffic_clip, "--sample-fps", "1", "--start-time", "2026-02-02T08:00:00Z")
    assert "ignores the start time 2026-02-02T08:00:00.000Z" in again.err
    assert "retime" in again.err
