"""After a SIGKILL during the counting of lines, the next run publishes the bytes of a quiet one."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from tests.hadoop.conftest import Footage
from tests.hadoop.test_aggregate_kills import DAY_MS, NOON_MS, count, published, start
from tests.traffic.test_flow_runs import LATER, STOP, draw, passing, totals

from frametally.adapters_by_url import open_object_store
from frametally_traffic.plugin import PLUGIN

pytestmark = pytest.mark.thorough


def test_a_kill_while_lines_are_counted_does_not_change_the_bytes_of_the_rerun(
    file_footage: Footage, tmp_path: Path
) -> None:
    footage = file_footage
    for begin_ms in (NOON_MS, NOON_MS + 2 * DAY_MS):
        footage.segment(passing(footage, begin_ms))
    draw(footage, STOP)
    footage.aggregate()
    before = totals(footage)
    draw(footage, STOP, LATER)

    def copy(name: str) -> Path:
        shutil.copytree(tmp_path / "store with space", tmp_path / name / "store")
        return tmp_path / name

    def seen(folder: Path) -> dict[str, int]:
        footage.store = open_object_store((folder / "store").as_uri())
        return totals(footage)

    quiet = copy("quiet")
    count(quiet)
    expected, after = published(quiet), seen(quiet)
    assert after == {**before, "gate/line/later/to_right": 2}
    points = [*PLUGIN.failpoints]
    assert len(points) == 5
    for point in points:
        folder = copy(point)
        assert start(folder, FRAMETALLY_FAILPOINT=point).wait() == -signal.SIGKILL
        half = {"gate/line/later/to_right": 1} if point == "flows.published" else {}
        assert seen(folder) == {**before, **half}, point
        assert start(folder).wait() == 0
        assert published(folder) == expected, point
        assert list((folder / "data" / "tmp").iterdir()) == [], point
