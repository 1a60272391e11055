"""The README and settings in the consumer's folder are correct."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

FOLDER = Path(__file__).resolve().parents[2] / "consumer"


def download_models(**env: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "helpers/download_models.py"],
        cwd=FOLDER,
        env=os.environ | {name: str(value) for name, value in env.items()},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_download_script_names_the_models_files_and_ends_with_0(model_files: tuple[Path, ...]) -> None:
    finished = download_models(FRAMETALLY_MODELS_DIR=model_files[0].parent)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == [str(path) for path in model_files]


def test_the_download_script_ends_with_2_and_one_line_if_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finished = download_models(FRAMETALLY_MODELS_DIR=tmp_path / "file" / "models")
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr
    (line,) = (line for line in finished.stderr.splitlines() if "error" in line)
    assert str(tmp_path / "file" / "models") in line
    assert "choose another folder" in line
