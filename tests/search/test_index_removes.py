"""`frametally index` removes superseded runs; the others are settled and shown as before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.commands import run_frametally

pytestmark = pytest.mark.thorough

HOUR_S = 3600


def test_repeated_counting_leaves_two_runs_of_a_day_and_settled_books(tmp_path: Path) -> None:
    env: dict[str, Any] = {"FRAMETALLY_DATA_DIR": str(tmp_path / "data"), "FRAMETALLY_DETECTOR": "pixels"}

    def frametally(*arguments: str) -> str:
        done = run_frametally(*arguments, cwd=tmp_path, **env)
        assert done.code == 0, done.err
        return done.out

    picture = np.zeros((60, 80, 3), np.uint8)
    picture[20:40, 20:60] = 255
    (tmp_path / "gate").mkdir()
    assert cv2.imwrite(str(tmp_path / "gate" / "cam_20260101_080000.jpg"), picture)
    frametally("produce", "--time-pattern", "cam_%Y%m%d_%H%M%S", str(tmp_path / "gate"))
    frametally("consume", "--until-caught-up")
    output = tmp_path / "data" / "store" / "mapreduce-output"
    for number in range(5):
        frametally("aggregate", "--all")
        for path in output.rglob("*"):  # as if that were some hours ago
            seconds = path.stat().st_mtime - 2 * HOUR_S
            os.utime(path, (seconds, seconds))
        assert len([*output.rglob("run=*")]) == number + 1
        if number == 0:
            frametally("index")
    counted = frametally("export")
    assert "store: 3 superseded runs deleted" in frametally("index")
    assert len([*output.rglob("run=*/_hours.json")]) == 2
    assert "superseded" not in frametally("index")
    assert "settled" in frametally("status")
    assert frametally("export") == counted
    assert ",white," in counted
