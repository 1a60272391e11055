"""What the producer's folder says about itself is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from frametally.settings.__main__ import settings_table
from frametally.settings.loading import ENV_PREFIX, Settings, load_settings
from frametally_producer.reading.footage import PICTURE_SUFFIXES, VIDEO_SUFFIXES

FOLDER = Path(__file__).resolve().parents[2] / "producer"
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def settings_of_the_producer() -> set[str]:
    """Those that its code reads, and those of the ports that it opens."""
    read = {
        name
        for path in FOLDER.glob("frametally_producer/*.py")
        for name in re.findall(r"settings\.([a-z_]+)", path.read_text(encoding="utf-8"))
    }
    return (read & set(Settings.model_fields)) | {"data_dir", "store_url", "log_url"}


@pytest.mark.parametrize("name", sorted(settings_of_the_producer()))
def test_each_setting_stands_in_the_readme_as_in_the_code_and_in_the_example(name: str) -> None:
    [row] = [line for line in settings_table().splitlines() if f"`{ENV_PREFIX}{name.upper()}`" in line]
    assert row in README.splitlines()
    assert f"#{ENV_PREFIX}{name.upper()}=" in (FOLDER / ".env.example").read_text(encoding="utf-8")


def test_the_example_is_what_is_so_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(ENV_PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    plain = load_settings()
    example = (FOLDER / ".env.example").read_text(encoding="utf-8")
    (tmp_path / ".env").write_text(re.sub(r"^#(FRAMETALLY_)", r"\1", example, flags=re.MULTILINE))
    assert load_settings() == plain


@pytest.mark.thorough
def test_every_option_of_the_command_stands_in_the_readme() -> None:
    help_text = subprocess.run(
        [sys.executable, FOLDER / "main_producer.py", "--help"], capture_output=True, text=True, check=True
    ).stdout
    options = set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", help_text, re.MULTILINE)) - {"--help"}
    assert options
    assert options == set(re.findall(r"^\| `(--[a-z-]+)", README, re.MULTILINE))


def test_every_kind_of_file_that_is_read_stands_in_the_readme() -> None:
    for name in ("MP4", "MOV", "M4V", "3GP", "MKV", "WebM", "AVI", "MPEG", "TS", "MTS", "M2TS", "FLV", "WMV"):
        assert f".{name.lower()}" in VIDEO_SUFFIXES
        assert name in README
    for name in ("JPEG", "PNG", "WebP", "BMP", "TIFF"):
        assert f".{name.lower()}" in PICTURE_SUFFIXES
        assert name in README


def test_the_requirements_are_the_producers_extra_of_the_project_above() -> None:
    lines = (FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["-e ..[producer]"]
    assert (FOLDER.parent / "pyproject.toml").is_file()


def test_all_that_the_producer_imports_is_in_its_extra() -> None:
    text = (FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8")
    [extra] = re.findall(r"^producer = (.*)$", text, re.MULTILINE)
    for package in ("av", "pillow", "numpy", "opencv-python-headless", "tzdata"):
        assert f'"{package}' in extra
