"""`frametally aggregate` and `index` with `--every`: frames reach the chart automatically, until SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from frametally.adapters_by_url import open_count_index

pytestmark = [pytest.mark.timeout(300), pytest.mark.thorough]
PATIENCE_S = 240  # for a busy machine; nothing depends on how long it takes


@pytest.mark.parametrize("stage", ["aggregate", "index"])
def test_frames_on_the_log_reach_the_index_by_themselves_and_sigterm_ends_it_cleanly(
    tmp_path: Path, stage: str
) -> None:
    env = os.environ | {
        "FRAMETALLY_DATA_DIR": str(tmp_path / "data"),
        "FRAMETALLY_DETECTOR": "pixels",
        "FRAMETALLY_BATCH_S": "0.2",
    }
    index_url = f"sqlite:///{tmp_path / 'data' / 'index.sqlite'}"
    pictures = tmp_path / "gate"
    pictures.mkdir()

    def start(*arguments: object) -> subprocess.Popen[bytes]:
        log = (tmp_path / f"{arguments[0]}.log").open("ab")
        with log:
            command = [sys.executable, "-m", "frametally", *map(str, arguments)]
            return subprocess.Popen(command, env=env, cwd=tmp_path, stdout=log, stderr=log)

    def film(count: int) -> None:
        picture = np.zeros((60, 80, 3), np.uint8)
        cv2.rectangle(picture, (20, 20), (40, 45), (255, 255, 255), -1)
        for second in range(count):
            assert cv2.imwrite(str(pictures / f"cam_20260101_0800{second:02d}.jpg"), picture)
        by_hand: list[tuple[object, ...]] = [("produce", "--time-pattern", "cam_%Y%m%d_%H%M%S", pictures)]
        if stage == "index":
            by_hand += [("consume", "--until-caught-up"), ("aggregate",)]
        for arguments in by_hand:
            assert start(*arguments).wait() == 0, (tmp_path / f"{arguments[0]}.log").read_text()

    def frames_in_the_chart() -> int:
        if not (tmp_path / "data" / "index.sqlite").exists():
            return 0
        with closing(open_count_index(index_url)) as index:
            return sum(run.frames for run in index.current_runs())

    film(3)  # so that there is a log to read
    running = [start(stage, "--every", "1s"), *([start("consume")] if stage == "aggregate" else [])]
    log = tmp_path / f"{stage}.log"
    try:
        for frames in (3, 8):
            film(frames)
            deadline_s = time.monotonic() + PATIENCE_S
            while frames_in_the_chart() != frames:
                assert all(process.poll() is None for process in running), log.read_text()
                assert time.monotonic() < deadline_s, log.read_text()
                time.sleep(0.2)
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait() for process in running]
    assert {*codes} == {0}, log.read_text()
    assert "Traceback" not in log.read_text()
    assert list((tmp_path / "data" / "tmp").iterdir()) == []
