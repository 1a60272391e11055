"""Temporary folders end with their process; those of a killed process are removed by the next one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from frametally.files.temporary import abandoned_folders, remove_abandoned, temporary_folder, work_folder

KILLED = """
import os, pathlib, sys
from frametally.files.temporary import work_folder
with work_folder(pathlib.Path(sys.argv[1])) as folder:
    (folder / "made.mp4").write_bytes(b"a picture")
    os._exit(1)
"""


def test_folders_in_use_stay_and_those_of_a_killed_process_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "system").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "system"))
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "data")], check=False)
    [left] = (tmp_path / "data/tmp").iterdir()
    of_somebody = tmp_path / "system/frametally-data"
    of_somebody.mkdir()
    with work_folder(tmp_path / "data") as ours, temporary_folder() as theirs:
        assert abandoned_folders(tmp_path / "data") == [left]
        assert remove_abandoned(tmp_path / "data") == 1
        assert ours.is_dir() and Path(theirs).is_dir() and not left.exists()
    assert not ours.exists() and not Path(theirs).exists() and of_somebody.is_dir()


def test_a_new_folder_is_never_taken_for_an_abandoned_one(tmp_path: Path) -> None:
    is_done = threading.Event()

    def remove() -> None:
        while not is_done.is_set():
            remove_abandoned(tmp_path)

    with ThreadPoolExecutor(2) as threads:
        removals = [threads.submit(remove) for _ in range(2)]
        try:
            for _ in range(300):
                with work_folder(tmp_path) as folder:
                    (folder / "made.mp4").write_bytes(b"a picture")
        finally:
            is_done.set()
        assert [removal.result() for removal in removals] == [None, None]
