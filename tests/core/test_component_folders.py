"""The README's table and `.env.example` of each component list its settings correctly."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from frametally.settings.__main__ import settings_table
from frametally.settings.loading import ENV_PREFIX, Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
READ_BY = {
    "producer": ["producer/frametally_producer/*.py"],
    "consumer": ["consumer/frametally_consumer/**/*.py", "models/frametally_models/*.py"],
    "hadoop": ["hadoop/frametally_hadoop/**/*.py"],
    "elasticsearch": ["elasticsearch/frametally_search/*.py"],
    "simple_frontend": ["simple_frontend/frametally_web/*.py"],
}
"""By folder: the code that reads its settings. See `OPENED` for settings that are read by name elsewhere."""
OPENED = {
    "producer": {"data_dir", "store_url", "log_url"},
    "consumer": {"data_dir", "store_url", "log_url", "lease_s"},
    "hadoop": {"data_dir", "store_url", "count_min_confidence", "count_min_side_px", "count_labels"},
    "elasticsearch": {"data_dir", "store_url", "index_url"},
    "simple_frontend": {"data_dir", "store_url", "index_url", "timezone"}
    | {name for name in Settings.model_fields if name.startswith("web_")},
}
"""Settings that ports and rules read for it."""


@pytest.mark.parametrize("folder", READ_BY)
def test_the_readme_and_the_example_give_each_setting_as_the_code_does(folder: str) -> None:
    texts = [path.read_text(encoding="utf-8") for glob in READ_BY[folder] for path in ROOT.glob(glob)]
    read = {name for text in texts for name in re.findall(r"settings\.([a-z_]+)", text)}
    names = {f"{ENV_PREFIX}{name.upper()}" for name in read & set(Settings.model_fields) | OPENED[folder]}
    readme = (ROOT / folder / "README.md").read_text(encoding="utf-8").splitlines()
    rows = {line for line in readme if line.startswith(f"| `{ENV_PREFIX}")}
    assert rows - set(settings_table().splitlines()) == set()
    assert names - {row.split("`")[1] for row in rows} == set()
    example = (ROOT / folder / ".env.example").read_text(encoding="utf-8")
    assert names - set(re.findall(r"^#(\w+)=", example, re.MULTILINE)) == set()


@pytest.mark.parametrize("folder", READ_BY)
def test_the_example_settings_are_the_defaults(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith(ENV_PREFIX):
            monkeypatch.delenv(name)
    (tmp_path / "core/frametally/settings").mkdir(parents=True)
    (here := tmp_path / folder).mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr("frametally.settings.loading._checkout", lambda: here)  # only for a checkout
    plain = load_settings().model_dump()
    example = (ROOT / folder / ".env.example").read_text(encoding="utf-8")
    (here / ".env").write_text(re.sub(r"^#(FRAMETALLY_)", r"\1", example, flags=re.MULTILINE))
    uncommented = load_settings().model_dump()
    # The folder of the models is written with `~`, independent of XDG's variables.
    assert {**uncommented, "models_dir": None} == {**plain, "models_dir": None}
