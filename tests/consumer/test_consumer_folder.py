"""What the consumer's folder says about itself is so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from frametally.settings.__main__ import settings_table
from frametally.settings.loading import ENV_PREFIX, Settings, load_settings

FOLDER = Path(__file__).resolve().parents[2] / "consumer"
MODELS = FOLDER.parent / "models" / "frametally_models"
SOURCES = [*(FOLDER / "frametally_consumer").rglob("*.py"), *MODELS.glob("*.py")]


def settings_of_the_consumer() -> set[str]:
    """Those that its code reads, and those of the ports that it opens."""
    read = {
        name
        for path in SOURCES
        for name in re.findall(r"settings\.([a-z_]+)", path.read_text(encoding="utf-8"))
    }
    return (read & set(Settings.model_fields)) | {"data_dir", "store_url", "log_url", "lease_s"}


@pytest.mark.parametrize("name", sorted(settings_of_the_consumer()))
def test_each_setting_stands_in_the_readme_as_in_the_code_and_in_the_example(name: str) -> None:
    (row,) = (line for line in settings_table().splitlines() if f"`{ENV_PREFIX}{name.upper()}`" in line)
    assert row in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    assert f"#{ENV_PREFIX}{name.upper()}=" in (FOLDER / ".env.example").read_text(encoding="utf-8")


def test_the_example_is_what_is_so_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(ENV_PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    plain = load_settings()
    example = (FOLDER / ".env.example").read_text(encoding="utf-8")
    (tmp_path / ".env").write_text(re.sub(r"^#(FRAMETALLY_)", r"\1", example, flags=re.MULTILINE))
    uncommented = load_settings()
    same = {name: getattr(uncommented, name) for name in Settings.model_fields if name != "models_dir"}
    assert same == {name: getattr(plain, name) for name in same}


def download_models(**env: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "helpers/download_models.py"],
        cwd=FOLDER,
        env=os.environ | {name: str(value) for name, value in env.items()},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.thorough
def test_the_download_script_names_the_models_files_and_ends_with_0(model_files: tuple[Path, ...]) -> None:
    finished = download_models(FRAMETALLY_MODELS_DIR=model_files[0].parent)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split() == [str(path) for path in model_files]


@pytest.mark.thorough
def test_the_download_script_ends_with_2_and_one_line_if_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    finished = download_models(FRAMETALLY_MODELS_DIR=tmp_path / "file" / "models")
    assert finished.returncode == 2
    assert "Traceback" not in finished.stderr
    (line,) = (line for line in finished.stderr.splitlines() if "error" in line)
    assert str(tmp_path / "file" / "models") in line
    assert "choose another one" in line
