"""The notebooks of the layers run from top to bottom, with a real video."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.kit.processes import run_program
from tests.kit.scripts import script
from tests.videos.video_place import VideoPlace

from frametally_gold.layers import driver

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "capabilities/frametally_gold/sync_datalake_files.py"


def write_notebooks(folder: Path) -> list[Path]:
    written: list[Path] = script(SCRIPT).write_notebooks(folder)
    return written


def test_each_layers_folder_gets_one_notebook_and_none_is_committed(tmp_path: Path) -> None:
    written = [str(path.relative_to(tmp_path)) for path in write_notebooks(tmp_path)]
    assert written == [f"{layer}_layer/01_dag.ipynb" for layer in driver.MODULES]
    ignored = [f"capabilities/frametally_gold/datalake/{name}" for name in written]
    told = run_program(["git", "check-ignore", *ignored], cwd=ROOT)
    assert told.stdout.split() == ignored


def test_the_same_layers_give_the_same_notebooks(tmp_path: Path) -> None:
    first, again = write_notebooks(tmp_path / "first"), write_notebooks(tmp_path / "again")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_the_cells_of_a_notebook_run_in_order(
    tmp_path: Path, make_video: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbclient  # imported here, because it takes seconds
    import nbformat

    with closing(VideoPlace(tmp_path / "data", video_orchestrator="airflow")) as place:
        video = place.upload(make_video("gate.mp4", 12, codec="libx264"))
    monkeypatch.setenv("FRAMETALLY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("VIDEO_ID", video.id)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    for layer, path in zip(driver.MODULES, write_notebooks(tmp_path), strict=True):
        notebook = nbformat.read(path, as_version=4)
        ran = nbclient.NotebookClient(
            notebook, timeout=200, resources={"metadata": {"path": tmp_path}}
        ).execute()
        cells = [cell for cell in ran.cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
        assert "image/svg+xml" in cells[1].outputs[0].data
        names = driver.functions_of(layer)
        assert cells[-1].outputs[0].data["text/plain"].startswith(f"LayerReport(done={names!r}")


def test_without_a_video_id_the_first_cell_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIDEO_ID", raising=False)
    for path in write_notebooks(tmp_path):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        first = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        with pytest.raises(SystemExit, match="VIDEO_ID is not set"):
            exec(first, {})  # noqa: S102 - what we wrote ourselves
