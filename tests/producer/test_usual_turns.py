"""Making a video for a test takes nobody else's turn."""

import os
import sys
from pathlib import Path

import pytest
from tests.fakes.shapes import SHAPES, make_shape


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how a process has its turn")
def test_who_has_made_an_av1_video_has_its_turn_as_all_others(tmp_path: Path) -> None:
    make_shape(tmp_path, SHAPES["av1"])
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
