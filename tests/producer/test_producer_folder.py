"""The producer's README and settings are correct; encoding a video does not slow other processes."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from tests.fakes.shapes import SHAPES, make_shape
from tests.kit.processes import run_program

from frametally_producer.reading.footage import PICTURE_SUFFIXES, VIDEO_SUFFIXES

FOLDER = Path(__file__).resolve().parents[2] / "producer"
README = (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.thorough
def test_every_option_of_the_command_is_in_the_readme() -> None:
    help_text = run_program([sys.executable, FOLDER / "main_producer.py", "--help"]).stdout
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", help_text, re.MULTILINE)) - {"--help"}
    assert options
    assert options == set(re.findall(r"^\| `(--[a-z-]+)", README, re.MULTILINE))


def test_every_supported_file_type_is_in_the_readme() -> None:
    for name in ("MP4", "MOV", "M4V", "3GP", "MKV", "WebM", "AVI", "MPEG", "TS", "MTS", "M2TS", "FLV", "WMV"):
        assert f".{name.lower()}" in VIDEO_SUFFIXES
        assert name in README
    for name in ("JPEG", "PNG", "WebP", "BMP", "TIFF"):
        assert f".{name.lower()}" in PICTURE_SUFFIXES
        assert name in README


def test_the_requirements_are_the_projects_producer_and_server_extras() -> None:
    lines = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    [line] = [line for line in lines if not line.startswith("#")]
    assert line.startswith("-e ..[producer,")
    assert (FOLDER.parent / "pyproject.toml").is_file()


def test_everything_that_the_producer_imports_is_in_its_extra() -> None:
    text = (FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8")
    [extra] = re.findall(r"^producer = (.*)$", text, re.MULTILINE)
    for package in ("av", "pillow", "numpy", "opencv-python-headless", "tzdata"):
        assert f'"{package}' in extra


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how a process has its turn")
def test_a_process_that_made_an_av1_video_keeps_its_normal_scheduling(tmp_path: Path) -> None:
    make_shape(tmp_path, SHAPES["av1"])
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
