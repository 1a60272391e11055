"""A read-only data folder, such as an archive, is read like any other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.commands import frametally
from tests.pipeline.dashboard import dashboard
from tests.pipeline.test_undo_end_to_end import House, house, make_video

__all__ = ["house"]

BAR = ("--source", "Gate", "--label", "white", "--interval-start", "2026-03-04T10:00:00Z", "--interval", "1")


@pytest.fixture
def archive(house: Callable[[str], House], tmp_path: Path) -> Iterator[Path]:
    """Counted footage on a read-only file system, if this user may mount one."""
    home = house("home")
    make_video(tmp_path / "a.mp4", 5)
    home("produce", tmp_path / "a.mp4", "--source", "Gate", "--start-time", "2026-03-04T10:00:00Z")
    stop = {"name": "stop", "width_px": 64, "height_px": 48, "points": [[1, 2], [60, 40]]}
    (tmp_path / "stop.json").write_text(json.dumps({"lines": [stop]}), encoding="utf-8")
    home("lines", "import", "Gate", tmp_path / "stop.json")
    home.count()
    folder = tmp_path / "archive"
    folder.mkdir()
    data = str(home.folder / "frametally-data")
    if subprocess.run(["mount", "--bind", data, str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_every_read_only_command_can_read_the_archive(archive: Path) -> None:
    looking = (["dead-letters", "list"], ["lines", "list"], ["lines", "export", "Gate"])
    commands = (["status"], ["quality"], ["export"], ["explain", *BAR], *looking)
    printed = [frametally(*command, "--data-dir", archive).out for command in commands]
    assert "settled" in printed[0]
    assert "the bar shows the same" in printed[3]


@pytest.mark.thorough
def test_the_dashboard_can_read_the_archive(archive: Path) -> None:
    with dashboard(archive, reading=True) as client:
        assert [one["name"] for one in client.get("/api/v1/sources").get_json()["sources"]] == ["Gate"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "command",
    [["index"], ["forget", "--source", "Gate", "--yes"], ["lines", "remove", "Gate", "stop"]],
    ids=" ".join,
)
def test_a_command_that_writes_is_refused_in_one_line(archive: Path, command: list[str]) -> None:
    said = frametally(*command, "--data-dir", archive, code=2).err
    assert "give this user permission" in said
    assert said.count("\n") == 1
