"""`frametally index --every`: runs are indexed automatically, until SIGTERM."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.commands import run_frametally

from frametally.adapters_by_url import open_count_index

pytestmark = pytest.mark.thorough

PATIENCE_S = 240  # for a busy machine; nothing depends on how long it takes


@pytest.mark.timeout(300)
def test_index_publishes_new_runs_by_itself_and_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    env: dict[str, Any] = {"FRAMETALLY_DATA_DIR": str(tmp_path / "data"), "FRAMETALLY_DETECTOR": "pixels"}

    def frametally(*arguments: str) -> None:
        assert run_frametally(*arguments, cwd=tmp_path, **env).code == 0

    def runs() -> int:
        with closing(open_count_index(f"sqlite:///{tmp_path / 'data' / 'index.sqlite'}")) as index:
            return len(index.current_runs())

    with (tmp_path / "index.log").open("ab") as log:
        command = [sys.executable, "-m", "frametally", "index", "--every", "1s"]
        indexer = subprocess.Popen(command, env=os.environ | env, cwd=tmp_path, stdout=log, stderr=log)
    try:
        for day in (1, 2):
            picture = np.full((60, 80, 3), 255 // day, np.uint8)
            folder = tmp_path / f"gate-{day}"
            folder.mkdir()
            assert cv2.imwrite(str(folder / f"cam_2026010{day}_080000.jpg"), picture)
            frametally("produce", "--time-pattern", "cam_%Y%m%d_%H%M%S", str(folder))
            frametally("consume", "--until-caught-up")
            frametally("aggregate")
            by_s = time.monotonic() + PATIENCE_S
            while runs() != day:
                assert indexer.poll() is None, (tmp_path / "index.log").read_text()
                assert time.monotonic() < by_s
                time.sleep(0.2)
        indexer.send_signal(signal.SIGTERM)
        assert indexer.wait(timeout=PATIENCE_S) == 0, (tmp_path / "index.log").read_text()
    finally:
        indexer.kill()
        indexer.wait()
