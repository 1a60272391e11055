"""What the folders of the counting job and of the indexer say about themselves is so."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from frametally.settings.__main__ import settings_table
from frametally.settings.loading import ENV_PREFIX, Settings, load_settings

if TYPE_CHECKING:
    from tests.hadoop.conftest import Footage

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "hadoop": [
        "data_dir",
        "store_url",
        "interval_s",
        "count_min_confidence",
        "count_min_side_px",
        "count_labels",
        "count_objects",
        "count_overlaps",
        "min_tracking_fps",
        "track_confidence",
        "track_weak_confidence",
        "track_label_confidence",
        "track_gap_s",
        "track_stitch_s",
        "track_fixed_labels",
        "track_groups",
        "runner",
        "split_mb",
        "spark_master",
        "hadoop_bin",
        "hadoop_streaming_jar",
        "hadoop_python",
        "hadoop_log_dirs",
        "hadoop_jobconf",
        "manifest_ttl_s",
        "store_metadata_days",
        "lineage_url",
        "lineage_token",
        "traces_url",
        "traces_ratio",
    ],
    "elasticsearch": ["data_dir", "store_url", "index_url"],
}


@pytest.mark.parametrize("folder", SETTINGS)
def test_no_setting_that_the_code_reads_is_missing_here(folder: Any) -> None:
    sources = (ROOT / folder).glob("frametally_*/*.py")
    read = {name for path in sources for name in re.findall(r"settings\.([a-z_]+)", path.read_text())}
    assert read & set(Settings.model_fields) <= set(SETTINGS[folder])


@pytest.mark.parametrize(("folder", "name"), [(f, n) for f, names in SETTINGS.items() for n in names])
def test_each_setting_stands_in_the_readme_as_in_the_code_and_in_the_example(folder: Any, name: Any) -> None:
    (row,) = (line for line in settings_table().splitlines() if f"`{ENV_PREFIX}{name.upper()}`" in line)
    assert row in (ROOT / folder / "README.md").read_text(encoding="utf-8").splitlines()
    assert f"#{ENV_PREFIX}{name.upper()}=" in (ROOT / folder / ".env.example").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", SETTINGS)
def test_the_example_is_what_is_so_without_it(
    folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith(ENV_PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("frametally.settings.loading._checkout", lambda: tmp_path)  # it is for a checkout's
    plain = load_settings()
    example = (ROOT / folder / ".env.example").read_text(encoding="utf-8")
    (tmp_path / ".env").write_text(re.sub(r"^#(FRAMETALLY_)", r"\1", example, flags=re.MULTILINE))
    assert load_settings() == plain


def test_the_line_of_a_part_file_in_the_readme_is_one_of_a_run(footage: Footage) -> None:
    noon_ms = 1_767_268_800_000
    footage.segment([footage.frame(noon_ms, "car")])
    footage.aggregate()
    [part] = footage.parts().values()
    shown = re.findall(r"^(\[.*?\])<TAB>(.*?)\.\.\.", (ROOT / "hadoop/README.md").read_text(), re.MULTILINE)
    assert [key for key, _ in shown] == [line.split("\t")[0] for line in part.decode().splitlines()]
    for (_, begin), line in zip(shown, part.decode().splitlines(), strict=True):
        assert line.split("\t")[1].startswith(begin)
