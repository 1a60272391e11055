"""A published number has the settings that it was counted with; later settings do not change its proof."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from tests.commands import CommandLine
from tests.pipeline.dashboard import dashboard

from frametally.adapters_by_url import open_object_store
from frametally.books.quality_reports import read_quality
from frametally.books.runs import current_runs
from frametally.records import encode
from frametally.rules.counted_boxes import COUNTING_VERSION
from frametally.settings.loading import load_settings

pytestmark = pytest.mark.thorough

OTHER = "FRAMETALLY_COUNT_MIN_SIDE_PX"
BAR = ("explain", "--source", "pics", "--label", "white", "--interval-start", "2026-03-01T12:00:00Z")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Two pictures of two patches each, one of them small, counted and indexed; then the command line."""
    monkeypatch.setenv("FRAMETALLY_DETECTOR", "pixels")
    (tmp_path / "pics").mkdir()
    for second in range(2):
        image = np.zeros((48, 64, 3), np.uint8)
        image[8:30, 4:26] = image[8:20, 40:52] = 255
        cv2.imwrite(str(tmp_path / "pics" / f"still_20260301_1200{second:02d}.jpg"), image)

    def ask(*arguments: object, code: int = 0) -> str:
        return CommandLine(tmp_path)(*arguments, code=code).out

    ask("produce", "pics", "--time-pattern", "still_%Y%m%d_%H%M%S")
    for command in (["consume", "--until-caught-up"], ["aggregate"], ["index"]):
        ask(*command)
    return ask


def get(folder: Path, *addresses: str) -> list[Any]:
    with dashboard(folder / "frametally-data") as client:
        return [client.get(f"/api/v1/{address}").json for address in addresses]


def test_a_bar_is_proved_with_the_settings_of_its_run(
    run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for least in ("20", "0"):  # the current settings are stricter, then looser, than those of the count
        monkeypatch.setenv(OTHER, "0" if least == "20" else "20")
        run("aggregate", "--all")
        run("index")
        monkeypatch.setenv(OTHER, least)
        said = run(*BAR)
        boxes = 4 if least == "20" else 2
        assert f"total: {boxes} white" in said
        assert f"min_box_side_px {0 if least == '20' else 20};" in said
        frames, evidence, chart = get(tmp_path, "frames", "evidence", "counts")
        assert (frames["detections"], frames["note"]) == (boxes, None)
        assert sum(len(one["boxes"]) for one in frames["frames"]) == boxes
        assert [one["note"] for one in evidence["frames"]] == [None]
        [counted] = chart["counted_with"]
        assert counted["settings"]["min_box_side_px"] == (0 if least == "20" else 20)
        assert json.loads(run("export", "--format", "json"))["query"]["counted_with"] == [counted]
        with closing(
            open_object_store(load_settings(data_dir=tmp_path / "frametally-data").store_url)
        ) as store:
            [current] = current_runs(store)
            report = read_quality(store, current)
        assert report.settings == current.settings == counted["settings"]


def test_a_run_of_an_earlier_version_says_that_its_settings_were_not_recorded(
    run: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(data_dir=tmp_path / "frametally-data")
    with closing(open_object_store(settings.store_url)) as store:
        [current] = current_runs(store)
        store.put(current.key, encode(msgspec.structs.replace(current, settings={})))
    run("index", "--repair")
    words = f"not recorded (hash {current.params})"
    assert f"counted with: {words}" in run(*BAR)
    assert get(tmp_path, "counts")[0]["counted_with"] == [
        {"params": current.params, "settings": None, "words": words}
    ]
    monkeypatch.setenv(OTHER, "20")
    assert "settings that its run did not record" in run(*BAR, code=4)


def test_an_upgrade_names_the_days_it_recounts_and_afterwards_what_changed(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr("frametally_hadoop.job.params.COUNTING_VERSION", COUNTING_VERSION - 1)
        earlier.setenv(OTHER, "20")  # its rules counted other boxes as well
        run("aggregate")
    run("index")
    exported = run("export")
    for command, code in (("status", 4), ("aggregate --dry-run", 0)):
        said = " ".join(run(*command.split(), code=code).split())
        assert "1 day was counted with an earlier version's rules" in said
        assert "their numbers may change: 2026-03-01" in said
    assert json.loads(run("aggregate", "--dry-run", "--json"))["earlier_version"] == ["2026-03-01"]
    assert run("export") == exported
    said = run("aggregate")
    assert "2026-03-01, 60 s, with this version: pics, white: 2 -> 4 detections" in said
    run("index")
    assert "earlier version" not in run("status")
    assert run("export") != exported
